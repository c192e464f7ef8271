"""How strongly counts speak for theft."""

import itertools

from hypothesis import given
from hypothesis import strategies as some

from homing.guard.evidence import crowding, first_count, silence
from homing.guard.policy import GuardPolicy
from homing.guard.suggest import Hour, suggest

POLICY = GuardPolicy()


def told(exposed: float, converted: float, rate: float = 0.8) -> float:
    return silence(exposed, converted, rate, POLICY.stubborn, POLICY.fractions)


def test_silence_of_many_speaks_for_theft_and_conversions_against_it() -> None:
    assert told(20, 0) > 10
    assert told(20, 16) < -5


def test_nothing_exposed_says_nothing() -> None:
    assert told(0, 0) == 0.0
    assert told(10, 0, rate=0.0) == 0.0


def test_one_person_who_asks_five_times_is_no_thief() -> None:
    assert POLICY.prior + told(5, 0) < POLICY.judged


@given(some.integers(0, 200), some.floats(0.1, 0.95))
def test_each_more_silent_message_speaks_more_for_theft(exposed: int, rate: float) -> None:
    assert told(exposed + 1, 0, rate) >= told(exposed, 0, rate) - 1e-9


@given(some.integers(1, 60), some.floats(0.2, 0.95))
def test_each_more_conversion_speaks_less_for_theft(exposed: int, rate: float) -> None:
    values = [told(exposed, converted, rate) for converted in range(exposed + 1)]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(values))


def test_a_crowd_is_one_against_what_is_usual_there() -> None:
    assert crowding(10, 0.05, 0.5, POLICY.again) > 10
    assert crowding(10, 9.0, 8.0, POLICY.again) == 0.0
    assert crowding(10, 12.0, 8.0, POLICY.again) == 0.0


def test_somebody_who_asks_three_times_where_nobody_did_is_no_crowd() -> None:
    assert crowding(3, 0.005, 0.5, 0.0) > POLICY.judged - POLICY.prior
    assert crowding(3, 0.005, 0.5, POLICY.again) < POLICY.judged - POLICY.prior


@given(some.integers(1, 5_000), some.integers(1, 64))
def test_the_first_count_that_is_enough_is_found(wanted: int, least: int) -> None:
    assert first_count(least, lambda count: count >= wanted) == max(wanted, least)


def test_a_suggested_budget_would_have_refused_no_people_and_most_of_a_theft() -> None:
    ordinary = [Hour(40, 32, 800_000)] * 48
    found = suggest([*ordinary, Hour(5_000, 10, 100_000_000)])
    assert found is not None
    assert found.people == 0
    assert 40 <= found.hour_messages <= 60
    assert found.refused == 5_000 - found.hour_messages


def test_without_conversions_no_budget_is_suggested() -> None:
    assert suggest([Hour(500, 0, 1)] * 10) is None
