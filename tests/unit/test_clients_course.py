"""The course of a call: when it is tried again, and what its caller is told. No socket, no sleep."""

import random

import pytest

from homing_clients import errors
from homing_clients.call import CallTerms, ClientCall, ClientEndpoint, ClientReply
from homing_clients.course import RetryState
from homing_clients.errors import ClientError
from homing_clients.reading import Unreadable

TERMS = CallTerms(timeout_s=10.0, attempts=3)
NOW_S = 1000.0


def course(*, repeatable: bool, terms: CallTerms = TERMS) -> RetryState[int]:
    def read(reply: ClientReply, doubt: bool) -> int:
        if not reply.body:
            raise Unreadable("an empty body")
        return -1 if doubt else reply.status

    endpoint = ClientEndpoint("call", "POST", repeatable)
    return RetryState(
        call=ClientCall(endpoint, {"to": "1"}, read, repeatable), terms=terms, now_s=NOW_S, rng=random.Random(1)
    )


def test_waits_double_within_a_fifth_until_the_attempts_are_used_up() -> None:
    one = course(repeatable=True, terms=CallTerms(timeout_s=60.0, attempts=4))
    waits_s = [one.pause_s(errors.Unanswered(in_doubt=True), NOW_S) for _ in range(3)]
    for wait_s, about_s in zip(waits_s, (0.2, 0.4, 0.8), strict=True):
        assert 0.8 * about_s <= wait_s <= 1.2 * about_s
    with pytest.raises(errors.Unanswered):
        one.pause_s(errors.Unanswered(in_doubt=True), NOW_S)


@pytest.mark.parametrize("failure", [errors.Unanswered, errors.BadAnswer, errors.VendorFault, errors.TooLarge])
def test_what_leaves_a_send_in_doubt_ends_it_at_once(failure: type[ClientError]) -> None:
    with pytest.raises(errors.FateUnknown) as told:
        course(repeatable=False).pause_s(failure("why", in_doubt=True), NOW_S)
    assert isinstance(told.value.__cause__, failure)
    assert told.value.endpoint == "call"
    assert told.value.parameters == {"to": "1"}
    assert not told.value.soon


@pytest.mark.parametrize("failure", [errors.NotSent, errors.TooFrequent])
def test_a_send_that_was_certainly_not_made_is_made_again(failure: type[ClientError]) -> None:
    assert course(repeatable=False).pause_s(failure(), NOW_S) > 0


@pytest.mark.parametrize("failure", [errors.InsufficientBalance, errors.NotAuthenticated, errors.HttpRefused])
@pytest.mark.parametrize("repeatable", [True, False])
def test_a_refusal_is_told_at_once(failure: type[ClientError], repeatable: bool) -> None:
    with pytest.raises(failure):
        course(repeatable=repeatable).pause_s(failure(), NOW_S)


def test_no_try_begins_at_or_after_the_deadline() -> None:
    with pytest.raises(errors.Unanswered):
        course(repeatable=True).pause_s(errors.Unanswered(in_doubt=True), NOW_S + TERMS.timeout_s)
    assert course(repeatable=True).left_s(NOW_S + 99) == 0


def test_a_vendors_wait_is_kept_where_there_is_time_for_it() -> None:
    assert course(repeatable=True).pause_s(errors.TooFrequent(retry_after_s=5.0), NOW_S) == 5.0
    with pytest.raises(errors.TooFrequent):
        course(repeatable=True).pause_s(errors.TooFrequent(retry_after_s=10.0), NOW_S)


def test_a_reader_hears_of_an_earlier_try_that_may_have_been_done() -> None:
    one, answer = course(repeatable=True), ClientReply(200, {}, b"{}")
    assert one.read(answer) == 200
    one.pause_s(errors.NotSent(), NOW_S)
    assert one.read(answer) == 200
    one.pause_s(errors.Unanswered(in_doubt=True), NOW_S)
    assert one.read(answer) == -1


def test_an_answer_that_cannot_be_read_is_in_doubt() -> None:
    with pytest.raises(errors.BadAnswer) as told:
        course(repeatable=False).read(ClientReply(200, {}, b""))
    assert told.value.in_doubt


def every(kind: type[ClientError]) -> list[type[ClientError]]:
    return [one for below in kind.__subclasses__() for one in (below, *every(below))]


@pytest.mark.parametrize("kind", every(ClientError), ids=lambda kind: kind.__name__)
def test_every_error_has_a_message_of_its_own_and_says_what_the_vendor_said(kind: type[ClientError]) -> None:
    assert kind.__doc__ != ClientError.__doc__
    assert kind.__name__ in (errors.__doc__ or ""), "the tree at the top leaves it out"
    told = str(kind("their words", code="-7"))
    assert kind.message() in told
    assert "-7 their words" in told
    assert kind.retryable or not kind.soon, "what passes by itself can succeed later"
