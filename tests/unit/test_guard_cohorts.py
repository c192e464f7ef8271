"""Cohorts by minute: how they are merged, archived and subtracted; and probes of verdicts."""

import pytest

from homing.guard.active_verdicts import ActiveVerdicts
from homing.guard.cohorts import GUARD_COARSE_MINUTES, GUARD_FINE_MINUTES, Cohort, CohortSeries
from homing.guard.policy import GuardPolicy
from homing.guard.snapshot import Verdict
from homing.guard.state import RangeState
from homing.reasons import Reason, ReasonCode

HALF_HOUR = 1_000 * GUARD_COARSE_MINUTES
LONG_WINDOW_MIN = 360
MERGED_AT = HALF_HOUR + GUARD_COARSE_MINUTES + GUARD_FINE_MINUTES
POLICY = GuardPolicy()
KEY = (1, "app", "51010", "628120001")
VERDICT = Verdict(Reason.of(ReasonCode.GUARD_RANGE_UNCONVERTED, conversions=0, expected=9.0, odds=99.0), 0.0, 7_200.0)


def series_of(*minutes: int) -> CohortSeries:
    """Ten messages and four conversions in each minute."""
    series = CohortSeries()
    for minute in minutes:
        series.cohorts[minute] = Cohort(10.0, 4.0, 8.0, 2.0, 1.0)
    return series


def test_old_minutes_are_merged_into_their_half_hour() -> None:
    series = series_of(HALF_HOUR + 3, HALF_HOUR + 7)
    assert series.fold(MERGED_AT, LONG_WINDOW_MIN, (), 1.0) == 0.0
    ((minute, merged),) = series.cohorts.items()
    assert (minute, merged.messages, merged.conversions) == (HALF_HOUR, 20.0, 8.0)
    assert series.cohort(HALF_HOUR + 7, is_new=False) is merged, "a late conversion finds its messages"


def test_exposure_is_fixed_when_a_cohort_is_merged() -> None:
    """An outage: a message's silence counted for half when its minute was merged, and still does hours later."""
    series = series_of(HALF_HOUR + 3)
    assert series.exposure(MERGED_AT, [0.25] * 200) == (2.5, 4.0)
    series.fold(MERGED_AT, LONG_WINDOW_MIN, [0.5] * 200, 1.0)
    assert series.exposure(MERGED_AT + 60, [1.0] * 200) == (5.0, 4.0)


def test_cohorts_beyond_the_long_window_are_archived_as_decaying_sums() -> None:
    series = series_of(HALF_HOUR)
    assert series.fold(HALF_HOUR + LONG_WINDOW_MIN + 1, LONG_WINDOW_MIN, [1.0] * 400, 1.0) == 8.0
    assert not series.cohorts
    assert (series.archived_messages, series.archived_exposure, series.archived_conversions) == (10.0, 10.0, 4.0)
    series.fold(HALF_HOUR + LONG_WINDOW_MIN + 2, LONG_WINDOW_MIN, (), 0.5)
    assert (series.archived_messages, series.archived_exposure, series.archived_conversions) == (5.0, 5.0, 2.0)


def test_a_flagged_range_is_subtracted_from_a_wider_one_down_to_nothing() -> None:
    wide, narrow = series_of(HALF_HOUR, HALF_HOUR + 40), series_of(HALF_HOUR)
    wide.subtract(narrow)
    wide.subtract(narrow)
    assert (wide.cohorts[HALF_HOUR].messages, wide.cohorts[HALF_HOUR].capped_messages) == (0.0, 0.0)
    assert wide.messages_since(0) == 10.0


def test_of_ten_minutes_messages_up_to_the_limit_are_capped_ones_and_two_vote() -> None:
    state = RangeState("628120001", 0)
    counted = [state.count(HALF_HOUR, 1.0, 3, 2.0) for _ in range(5)]
    assert counted == [(1.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0), (0.0, 0.0)]
    assert state.count(HALF_HOUR + 10, 1.0, 3, 2.0) == (1.0, 1.0), "the next ten minutes"


@pytest.mark.parametrize(
    ("sent", "converted", "times_flagged", "wait_s"),
    [
        (0, 0, 1, POLICY.probe_interval_s),
        (1, 0, 1, 2 * POLICY.probe_interval_s),
        (0, 0, 2, 2 * POLICY.probe_interval_s),
        (1, 1, 1, POLICY.probe_interval_s / 2),
        (9, 0, 1, POLICY.probe_interval_s_max),
        (4, 4, 1, POLICY.probe_interval_s_min),
    ],
)
def test_silent_probes_come_less_often_and_converting_ones_sooner(
    sent: int, converted: int, times_flagged: int, wait_s: float
) -> None:
    verdicts = ActiveVerdicts(POLICY)
    verdicts.add(KEY, VERDICT, times_flagged)
    verdicts.schedule_probe(KEY, 100.0, sent, converted, times_flagged)
    assert not verdicts.due_probes(100.0 + wait_s - 1.0)
    assert verdicts.due_probes(100.0 + wait_s) == {KEY}


def test_a_range_is_flagged_elsewhere_until_its_last_verdict_is_removed() -> None:
    verdicts, elsewhere, another = ActiveVerdicts(POLICY), (2, *KEY[1:]), (3, *KEY[1:])
    for key in (elsewhere, another):
        verdicts.add(key, VERDICT, 1)
    verdicts.remove(elsewhere)
    assert verdicts.is_flagged_elsewhere(KEY)
    verdicts.remove(another)
    assert not verdicts.is_flagged_elsewhere(KEY)
    assert not verdicts.due_probes(1e9)
