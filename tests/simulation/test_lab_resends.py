"""Resend policies in the lab: the arrays decide as the function of one person does, and likely lost codes cost less."""

import numpy as np
import pytest

from homing.lab.resend_report import chosen_scenarios, compared
from homing.lab.resend_tables import OutlookTables
from homing.lab.resends import PERSON_DTYPE, RESENT, resend_scenario, run_resends
from homing.lab.world import World
from homing.learning.learner import RoutingLearner
from homing.learning.outlook import AGES_S, CarrierOutlook, EarlierMessage, Outlook, best_resend
from homing.model import ReceiptState
from homing.routing.cells import CellKey
from homing.text.numbers import Numbering

STEADY = chosen_scenarios(["steady"])[0]


class Known(RoutingLearner):
    """Expects the same everywhere."""

    def outlook(self, key: CellKey) -> Outlook:
        answers = tuple(min(1.0, age_s / 90) for age_s in AGES_S)
        reached = (0.95, 0.7, 0.9, 0.85)
        return Outlook(
            0.85, [CarrierOutlook(n, share, 0.3 * n, 0.9, answers, answers) for n, share in enumerate(reached, 1)]
        )


def test_arrays_decide_as_the_function_of_one_person() -> None:
    world = World(resend_scenario(STEADY, 0.25, 1.0), 1, Numbering.load())
    tables = OutlookTables(world)
    tables.refresh(Known())
    rng = np.random.default_rng(7)
    now_s, known = 300.0, Known().outlook(CellKey(1, "", "", ""))
    people = np.zeros(60, PERSON_DTYPE)
    people["carrier"], people["receipt_s"] = -1, np.inf
    for person in people:
        for slot in range(rng.integers(1, 4)):
            person["carrier"][slot] = rng.integers(4)
            person["sent_s"][slot] = rng.uniform(100, 299)
            person["receipt_s"][slot] = rng.choice((200.0, np.inf))
            person["receipt"][slot] = rng.integers(1, 3)
    carriers, gains, _open_shares = tables.gains(people, now_s)
    for person, carrier, gain in zip(people, carriers, gains, strict=True):
        earlier = [
            EarlierMessage(
                int(person["carrier"][slot]) + 1,
                now_s - float(person["sent_s"][slot]),
                ReceiptState(int(person["receipt"][slot])) if person["receipt_s"][slot] <= now_s else ReceiptState.NONE,
            )
            for slot in range(RESENT)
            if person["carrier"][slot] >= 0
        ]
        one = best_resend(known, earlier)
        assert one is not None
        assert (one.carrier_id - 1, pytest.approx(one.gain)) == (carrier, gain)


def test_likely_lost_codes_save_more_people_a_cent_than_a_fixed_wait() -> None:
    numbering, scenario = Numbering.load(), resend_scenario(STEADY, 1.5, 2.0)
    none, fixed, likely = (
        run_resends(World(scenario, 3, numbering), policy) for policy in ("none", "fixed-30", "likely-lost")
    )
    assert none.people == fixed.people == likely.people
    assert none.resent == 0 < likely.resent < fixed.resent / 2
    assert likely.lost < none.lost / 2
    by_fixed, by_likely = compared(fixed, none).saved_per_cent, compared(likely, none).saved_per_cent
    assert by_fixed is not None
    assert by_likely is not None
    assert by_likely > 1.2 * by_fixed
    undisturbed = compared(none, none).right_share
    assert compared(likely, none).right_share > undisturbed - 0.02, "routing is not disturbed"
