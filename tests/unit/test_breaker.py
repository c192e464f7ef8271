"""A carrier's breaker, on a clock of the test's own."""

from homing.dispatch.breaker import (
    BREAKER_FAILURES,
    BREAKER_REFUSALS,
    BREAKER_REST_S,
    BREAKER_REST_S_MAX,
    CarrierBreaker,
)
from homing.model import Outcome


def tripped(outcome: Outcome = Outcome.UNKNOWN) -> CarrierBreaker:
    breaker = CarrierBreaker()
    count = BREAKER_REFUSALS if outcome is Outcome.REFUSED else BREAKER_FAILURES
    changes = [breaker.count_answer(outcome, 0.0) for _n in range(count)]
    assert changes == [False] * (count - 1) + [True]
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_and_lets_nothing_through() -> None:
    breaker = tripped()
    assert breaker.claimable(0.0, 0) == 0
    assert breaker.open_for_s(1.0) == BREAKER_REST_S - 1.0


def test_an_accepted_message_between_failures_keeps_it_closed() -> None:
    breaker = CarrierBreaker()
    for n in range(BREAKER_FAILURES * 5):
        breaker.count_answer(Outcome.ACCEPTED if n % 5 == 0 else Outcome.DEFERRED, 0.0)
    assert breaker.claimable(0.0, 0) is None


def test_after_its_rest_one_message_at_a_time_tries() -> None:
    breaker = tripped()
    assert breaker.claimable(BREAKER_REST_S, 0) == 1
    assert breaker.claimable(BREAKER_REST_S, 1) == 0


def test_the_first_accepted_message_closes_it() -> None:
    breaker = tripped()
    assert breaker.count_answer(Outcome.ACCEPTED, BREAKER_REST_S)
    assert breaker.claimable(BREAKER_REST_S, 0) is None


def test_a_refusal_closes_it_too_because_the_carrier_answers() -> None:
    breaker = tripped()
    assert breaker.count_answer(Outcome.REFUSED, BREAKER_REST_S)
    assert breaker.is_closed


def test_each_try_that_fails_makes_the_next_rest_longer_up_to_the_longest() -> None:
    breaker = tripped()
    now_s, rests = 0.0, []
    for _n in range(8):
        rests.append(breaker.open_for_s(now_s))
        now_s += rests[-1]
        breaker.count_answer(Outcome.UNKNOWN, now_s)
    assert rests[:3] == [BREAKER_REST_S * 2**n for n in range(3)]
    assert rests[-1] == BREAKER_REST_S_MAX


def test_what_was_under_way_when_it_opened_does_not_lengthen_the_rest() -> None:
    breaker = tripped()
    for _n in range(50):
        assert not breaker.count_answer(Outcome.UNKNOWN, 0.1)
    assert breaker.open_for_s(0.0) == BREAKER_REST_S


def test_refusals_open_it_only_when_there_are_very_many_in_a_row() -> None:
    breaker = tripped(Outcome.REFUSED)
    assert breaker.claimable(0.0, 0) == 0
    assert not breaker.count_answer(Outcome.REFUSED, BREAKER_REST_S), "it stays open: everything is refused"
    assert breaker.claimable(BREAKER_REST_S, 0) == 0
