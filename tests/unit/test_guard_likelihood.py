"""How strongly counts speak for fraud, and budgets that follow from counts."""

import itertools

from hypothesis import given
from hypothesis import strategies as some

from homing.guard.budgets import TrafficHour, suggest_budget
from homing.guard.likelihood import density_nats, first_count, silence_nats
from homing.guard.policy import GuardPolicy

POLICY = GuardPolicy()


def silence(exposure: float, conversions: float, rate: float = 0.8) -> float:
    strength, ratios = POLICY.conversion_prior_strength, POLICY.attack_conversion_ratios
    return silence_nats(exposure, conversions, rate, strength, ratios)


def test_many_silent_messages_speak_for_fraud_and_conversions_against_it() -> None:
    assert silence(20, 0) > 10
    assert silence(20, 16) < -5


def test_without_exposure_there_is_no_evidence() -> None:
    assert silence(0, 0) == 0.0
    assert silence(10, 0, rate=0.0) == 0.0


def test_one_person_with_five_silent_messages_is_not_flagged() -> None:
    assert POLICY.prior_nats + silence(5, 0) < POLICY.flag_nats


@given(some.integers(0, 200), some.floats(0.1, 0.95))
def test_each_further_silent_message_speaks_more_for_fraud(exposure: int, rate: float) -> None:
    assert silence(exposure + 1, 0, rate) >= silence(exposure, 0, rate) - 1e-9


@given(some.integers(1, 60), some.floats(0.2, 0.95))
def test_each_further_conversion_speaks_less_for_fraud(exposure: int, rate: float) -> None:
    values = [silence(exposure, converted, rate) for converted in range(exposure + 1)]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(values))


def test_density_is_measured_against_the_expected_count() -> None:
    assert density_nats(10, 0.05, 0.5, POLICY.resend_probability) > 10
    assert density_nats(10, 9.0, 8.0, POLICY.resend_probability) == 0.0
    assert density_nats(10, 12.0, 8.0, POLICY.resend_probability) == 0.0


def test_three_messages_of_one_person_to_an_unused_range_are_not_dense() -> None:
    assert density_nats(3, 0.005, 0.5, 0.0) > POLICY.flag_nats - POLICY.prior_nats
    assert density_nats(3, 0.005, 0.5, POLICY.resend_probability) < POLICY.flag_nats - POLICY.prior_nats


@given(some.integers(1, 5_000), some.integers(1, 64))
def test_the_first_sufficient_count_is_found(wanted: int, least: int) -> None:
    assert first_count(least, lambda count: count >= wanted) == max(wanted, least)


def test_a_suggested_budget_would_have_refused_no_genuine_message_and_most_of_an_attack() -> None:
    ordinary = [TrafficHour(40, 32, 800_000)] * 48
    found = suggest_budget([*ordinary, TrafficHour(5_000, 10, 100_000_000)])
    assert found is not None
    assert found.people == 0
    assert 40 <= found.hour_messages <= 60
    assert found.refused == 5_000 - found.hour_messages


def test_without_conversions_no_budget_is_suggested() -> None:
    assert suggest_budget([TrafficHour(500, 0, 1)] * 10) is None
