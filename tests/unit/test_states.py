"""The life of a message: forward only."""

import itertools

import pytest

from homing.states import FINAL_STATES, RANKS, TABLE, MessageState, is_refunded, may_move

WAY = (MessageState.QUEUED, MessageState.SENDING, MessageState.SENT, MessageState.UNKNOWN)
ENDS = (
    MessageState.DELIVERED,
    MessageState.UNDELIVERABLE,
    MessageState.EXPIRED,
    MessageState.REJECTED,
    MessageState.FAILED,
)


def test_the_states_are_these_and_keep_their_numbers() -> None:
    names = "QUEUED SENDING SENT DELIVERED UNDELIVERABLE EXPIRED REJECTED FAILED UNKNOWN"
    assert [MessageState(n).name for n in range(9)] == names.split()
    assert set(TABLE) == set(MessageState) == {*WAY, *ENDS}


def test_no_sequence_of_moves_leads_back() -> None:
    for first, second, third in itertools.product(MessageState, repeat=3):
        if may_move(first, second) and may_move(second, third):
            assert may_move(first, third)
            assert third not in (first, second)


@pytest.mark.parametrize("state", MessageState)
def test_a_repeated_event_moves_nothing(state: MessageState) -> None:
    assert not may_move(state, state)


@pytest.mark.parametrize("state", ENDS)
def test_an_end_is_an_end(state: MessageState) -> None:
    assert TABLE[state].final
    assert not any(may_move(state, to) for to in MessageState)


@pytest.mark.parametrize("state", WAY)
def test_every_end_can_be_reached_from_everywhere_on_the_way(state: MessageState) -> None:
    assert not TABLE[state].final
    assert all(may_move(state, end) for end in ENDS)


def test_the_way_leads_through_its_states_in_order() -> None:
    for earlier, later in itertools.pairwise(WAY):
        assert may_move(earlier, later)
        assert not may_move(later, earlier)


def test_what_sql_is_given_agrees_with_the_table() -> None:
    assert [TABLE[MessageState(n)].rank for n in range(9)] == RANKS
    assert sorted(FINAL_STATES) == sorted(ENDS)


def test_money_comes_back_for_what_was_never_carried_and_by_policy_for_what_did_not_arrive() -> None:
    always = {MessageState.EXPIRED, MessageState.REJECTED, MessageState.FAILED}
    assert {state for state in MessageState if is_refunded(state, False)} == always
    assert {state for state in MessageState if is_refunded(state, True)} == always | {MessageState.UNDELIVERABLE}
