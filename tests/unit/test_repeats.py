"""What the learner makes of people who request a code again within minutes, where conversions say nothing yet."""

import random

import pytest

from homing.common.histogram import bucket_of
from homing.learning.learner import RoutingLearner
from homing.learning.posterior import Posterior
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

MINUTE = 30_000_000
CELL = CellKey(7, "app", "CN", "46000")
HONEST, LYING = 1, 2
WILLING = 0.8
ASK_AGAIN = 0.6


class People:
    """Messages by both carriers in one cell, a minute at once: a share `reached` arrives, of the others' people
    ASK_AGAIN request again after a minute, and so do a share `served` of those who have their code. HONEST reports
    losses after 10 s, LYING reports everything as delivered.
    """

    def __init__(self, *, served: float = 0.0, ask_again: float = ASK_AGAIN, report_min: int | None = None) -> None:
        """`report_min`: how late conversions are reported; None: never."""
        self.learner = RoutingLearner()
        self.rng = random.Random(1)
        self.minute = MINUTE
        self._served, self._ask_again, self._report_min = served, ask_again, report_min
        self._due: dict[int, list[Delta]] = {}

    def minutes(self, count: int, reached: dict[int, float], messages: int = 20) -> None:
        for _minute in range(count):
            for carrier, share in reached.items():
                self._send(carrier, share, messages)
            self.learner.observe(self._due.pop(self.minute, ()))
            self.minute += 1
            self.learner.update(self.minute * 60.0)

    def _send(self, carrier: int, share: float, messages: int) -> None:
        arrived = sum(self.rng.random() < share for _message in range(messages))
        lost = messages - arrived
        repeated_lost = sum(self.rng.random() < self._ask_again for _message in range(lost))
        repeated = repeated_lost + sum(self.rng.random() < self._served for _message in range(arrived))
        is_honest = carrier == HONEST
        self._at(0, carrier, submitted=messages, sent=messages)
        self._at(0, carrier, delivered=arrived if is_honest else messages, receipt_bucket=bucket_of(4))
        if is_honest:
            self._at(0, carrier, undelivered=lost, receipt_bucket=bucket_of(10))
        known = repeated_lost if is_honest else 0
        self._at(1, carrier, repeated=repeated, repeated_lost=known, repeat_bucket=bucket_of(60))
        if self._report_min is not None:
            answers = sum(self.rng.random() < WILLING for _message in range(arrived))
            took = bucket_of(self._report_min * 60)
            self._at(self._report_min, carrier, converted=answers, conversion_bucket=took)

    def _at(self, after_min: int, carrier: int, **facts: int) -> None:
        delta = Delta(self.minute, 7, "app", "CN", "46000", "8613800138", carrier, "S", **facts)  # type: ignore[arg-type]
        self._due.setdefault(self.minute + after_min, []).append(delta)

    def posterior(self, carrier: int) -> Posterior:
        (posterior,) = self.learner.posteriors(CELL, [carrier])
        return posterior

    def ratio(self) -> float:
        """What LYING delivers of what HONEST does, as the learner has it."""
        return self.posterior(LYING).mean / self.posterior(HONEST).mean


@pytest.mark.parametrize("served", [0.0, 0.1])
def test_a_carrier_that_lies_to_a_silent_app_is_known_by_people_who_ask_again(served: float) -> None:
    people = People(served=served)
    people.minutes(5, {HONEST: 0.95, LYING: 0.4})
    assert people.ratio() < 0.7, "within minutes"
    people.minutes(40, {HONEST: 0.95, LYING: 0.4})
    assert people.posterior(LYING).source == "repeats"
    assert people.ratio() == pytest.approx(0.4 / 0.95, abs=0.08), "whoever asks again with a code is of all carriers"


def test_where_nobody_asks_again_receipts_decide_as_before() -> None:
    people = People(served=0.01, ask_again=0.01)
    people.minutes(60, {HONEST: 0.7, LYING: 0.9})
    assert {people.posterior(carrier).source for carrier in (HONEST, LYING)} == {"receipts"}
    assert people.posterior(HONEST).mean == pytest.approx(0.7, abs=0.03)


def test_an_honest_carrier_that_loses_is_known_by_repeats_as_by_its_receipts() -> None:
    people = People()
    people.minutes(60, {HONEST: 0.7, LYING: 0.9})
    assert 1 / people.ratio() == pytest.approx(0.7 / 0.9, abs=0.08)


def test_people_who_all_ask_again_blame_no_carrier() -> None:
    people = People()
    people.minutes(60, {HONEST: 0.95, LYING: 0.95})
    before = people.ratio()
    people._served = 0.3
    people.minutes(10, {HONEST: 0.95, LYING: 0.95})
    assert people.ratio() == pytest.approx(before, abs=0.12)


def test_a_change_that_reports_would_show_in_an_hour_is_known_in_minutes() -> None:
    people = People(report_min=60)
    people.minutes(180, {HONEST: 0.95, LYING: 0.95})
    assert people.learner.reporting(7, "app") == "reporting"
    assert people.ratio() == pytest.approx(1.0, abs=0.05)
    people.minutes(4, {HONEST: 0.95, LYING: 0.3})
    assert people.ratio() < 0.75
    people.minutes(120, {HONEST: 0.95, LYING: 0.3}, messages=5)
    assert people.ratio() < 0.5, "the reports say the same"


def test_reports_in_bulk_leave_carriers_as_different_as_they_are() -> None:
    people = People(report_min=0)
    held: list[Delta] = []
    for _bulk in range(2):
        for _minute in range(120):
            now = people.minute
            people._send(HONEST, 0.95, 20)
            people._send(LYING, 0.4, 20)
            due = people._due.pop(now, [])
            held += [delta for delta in due if delta.converted]
            people.learner.observe([delta for delta in due if not delta.converted])
            people.minute += 1
            people.learner.update(people.minute * 60.0)
        for delta in held:
            late = bucket_of((people.minute - delta.minute) * 60)
            people.learner.observe([_with_bucket(delta, late)])
        held.clear()
        for _update in range(12):
            people.learner.update(people.minute * 60.0 + 5 * _update)
    assert people.posterior(HONEST).conversions > 0
    assert people.ratio() == pytest.approx(0.4 / 0.95, abs=0.1), "more has come of fresh messages than usual, of both"


def _with_bucket(delta: Delta, bucket: int) -> Delta:
    return Delta(
        delta.minute, 7, "app", "CN", "46000", delta.block, delta.carrier_id, "S", converted=delta.converted,
        conversion_bucket=bucket,
    )  # fmt: skip


def test_what_is_expected_of_people_who_never_converted_stays_what_is_assumed() -> None:
    people = People()
    before = people.learner.expected_rate(CELL, HONEST)
    people.minutes(60, {HONEST: 0.95, LYING: 0.95})
    assert people.learner.expected_rate(CELL, HONEST) == pytest.approx(before, rel=0.1)
    assert people.learner.repeating_apps().keys() == {(7, "app")}


def test_repeats_are_not_read_of_apps_that_report_at_once() -> None:
    people = People(report_min=1)
    people.minutes(30, {HONEST: 0.95, LYING: 0.95})
    assert people.learner.repeating_apps() == {}


def test_carriers_are_as_good_as_they_are_while_their_traffic_changes_and_reports_are_late() -> None:
    """Reports come 20 minutes late. The curve's bucket of 15 to 30 minutes says little of when."""
    people = People(report_min=20)
    people.minutes(120, {HONEST: 0.95, LYING: 0.95})
    for _turn in range(4):
        people.minutes(10, {HONEST: 0.95}, messages=40)
        assert people.ratio() == pytest.approx(1.0, abs=0.06)
        people.minutes(10, {LYING: 0.95}, messages=40)
        assert people.ratio() == pytest.approx(1.0, abs=0.06)


def test_what_is_expected_of_people_does_not_jump_when_all_carriers_fail_and_reports_are_late() -> None:
    """What repeats say at once is not about the conversions of before, whose reports still come. The guard compares
    both: on the day of an outage it took people for an attack.
    """
    people = People(report_min=20)
    people.minutes(120, {HONEST: 0.95, LYING: 0.95})
    before = people.learner.expected_rate(CELL, HONEST)
    for reached in (0.05, 0.95):
        for _minute in range(45):
            people.minutes(1, {HONEST: reached, LYING: reached})
            assert people.learner.expected_rate(CELL, HONEST) == pytest.approx(before, rel=0.2)
