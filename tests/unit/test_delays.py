"""Curves of delays that a thin histogram borrows."""

import pytest

from homing.common.histogram import bucket_of
from homing.learning.delays import DelayHistograms
from homing.learning.learner import RoutingLearner
from homing.learning.policy import LearningPolicy
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

MINUTE = 30_000_000


def test_a_carrier_new_in_a_country_has_the_curve_of_what_is_known_above_it() -> None:
    delays = DelayHistograms(LearningPolicy())
    everything, carrier, country = ("",), (1,), (1, "CN")
    delays.add((everything, ("other",)), bucket_of(20), 9)
    delays.advance(MINUTE * 60.0)
    assert delays.known((everything, carrier, country)) is None, "nine delays are no curve"
    delays.add((everything, ("other",)), bucket_of(20), 1)
    delays.advance(MINUTE * 60.0 + 60.0)
    curves = delays.known((everything, carrier, country))
    assert curves is not None, "at the lowest level five of them are borrowed, and they are enough"
    assert curves.likely.share_at(30.0) == pytest.approx(1.0)


def test_a_carrier_that_is_hardly_used_anywhere_seems_no_better_than_it_is() -> None:
    """Of forty countries each has had one message by a second carrier, a minute ago: half of them converted, as of the
    first carrier's.
    """
    learner = RoutingLearner()
    cells = [CellKey(7, "app", f"C{n}", f"460{n:02d}") for n in range(40)]
    for minute in range(MINUTE, MINUTE + 10):
        deltas: list[Delta] = []
        for n, cell in enumerate(cells):
            for carrier, messages in ((1, 10), (2, 1 if minute == MINUTE + 8 else 0)):
                converted = messages // 2 if carrier == 1 else messages * (n % 2)
                where = minute, 7, "app", cell.country, cell.network, "8613800138", carrier, "S"
                if messages:
                    deltas.append(Delta(*where, sent=messages))
                if converted:
                    deltas.append(Delta(*where, converted=converted, conversion_bucket=bucket_of(5)))
        learner.observe(deltas)
        learner.update((minute + 1) * 60.0)
    (posterior,) = learner.posteriors(cells[0], [2])
    assert posterior.mean == pytest.approx(0.5, abs=0.12)
