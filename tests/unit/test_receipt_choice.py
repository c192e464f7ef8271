"""Whose a receipt is, and what parts make of a whole: the rules alone. Over a database: test_receipt_matching.py."""

from datetime import UTC, datetime, timedelta

import pytest

from homing.receipts.id_formats import IdFormat, keys_by_format
from homing.receipts.matching import agrees, choose, is_contradicted
from homing.receipts.parts import PartState, roll_up
from homing.states import MessageState
from homing.store.statements.receipts import ReceiptCandidate

MINE, OTHER = "447700900123", "447700900999"
AT = datetime(2026, 6, 15, 12, tzinfo=UTC)


def candidate(message_id: int, ref: str, number: str = MINE, part: int = 0, state: int = 2) -> ReceiptCandidate:
    return ReceiptCandidate(1, message_id, 1, part, state, ref, number, "HOMING", max(1, part), True, AT, nth=1)


def chosen(
    ref: str, said: str | None, *candidates: ReceiptCandidate, learnt: IdFormat | None = None, waited: bool = False
) -> int | None:
    match = choose(ref, said, keys_by_format(ref), candidates, learnt, has_waited=waited)
    return match.candidate.message_id if match else None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        *(
            (said, True)
            for said in (MINE, f"+{MINE}", f"00{MINE}", "07700900123", "7700900123", "900123", f"1404{MINE}")
        ),
        *((said, False) for said in (OTHER, "900124", f"{MINE}0", "44770090012")),
        *((said, None) for said in (None, "", "HOMING", "12345", "000", "44*123", "٣٣٣٣٣٣٣٣")),
    ],
)
def test_numbers_are_compared_from_their_end(said: str | None, told: bool | None) -> None:
    assert agrees(said, MINE, "HOMING") is told


def test_our_sender_is_no_other_number() -> None:
    assert agrees("+447700900555", MINE, "447700900555") is None
    assert agrees("447700900555", MINE, "+447700900555") is None


def test_the_number_decides_before_the_id_does() -> None:
    assert chosen("123456", MINE, candidate(2, "123456", OTHER), candidate(1, "1e240")) == 1
    assert chosen("123456", OTHER, candidate(2, "1e240", MINE), candidate(1, "123456", OTHER)) == 1
    assert chosen("123456", "447700900777", candidate(2, "123456"), candidate(1, "1e240")) is None


def test_without_a_number_the_order_is_the_very_id_then_the_learnt_form_then_its_key_then_the_latest() -> None:
    exact, learnt, padded, later = (
        candidate(1, "123456"),
        candidate(2, "1e240"),
        candidate(3, "000123456"),
        candidate(4, "0123456"),
    )
    assert chosen("123456", None, exact, learnt, padded, later, learnt=IdFormat.DECIMAL) == 1
    assert chosen("123456", None, learnt, padded, later, learnt=IdFormat.DECIMAL) == 2
    assert chosen("123456", None, learnt, padded, later) == 4
    assert chosen("123456", None, learnt, padded) == 3


def test_without_a_number_a_form_that_the_carrier_does_not_use_counts_after_a_wait_alone() -> None:
    foreign = candidate(1, "1e240")
    assert chosen("123456", None, foreign) == 1
    assert chosen("123456", None, foreign, learnt=IdFormat.SAME) is None
    assert chosen("123456", None, foreign, learnt=IdFormat.SAME, waited=True) == 1
    assert chosen("123456", MINE, foreign, learnt=IdFormat.SAME) == 1


@pytest.mark.parametrize(
    ("ref", "stored", "said", "form"),
    [
        ("123456", "1e240", MINE, IdFormat.DECIMAL),
        ("1e240", "123456", MINE, IdFormat.HEX),
        ("AB12", "0ab12", MINE, IdFormat.SAME),
        ("uuid-1", "UUID-1", MINE, IdFormat.SAME),
        ("0xab12", "ab12", MINE, IdFormat.SAME),
        ("7", "7", MINE, None),
        ("123456", "1e240", None, None),
    ],
)
def test_a_form_is_confirmed_by_the_number_where_the_id_can_tell_forms_apart(
    ref: str, stored: str, said: str | None, form: IdFormat | None
) -> None:
    match = choose(ref, said, keys_by_format(ref), [candidate(1, stored)], None)
    assert match
    assert match.confirmed is form


def test_parts_of_one_id_have_their_receipts_in_their_order_and_the_last_has_the_repeats() -> None:
    parts = [candidate(1, "one", part=1, state=3), candidate(1, "one", part=2), candidate(1, "one", part=3)]

    def next_part(*taken: int) -> int:
        match = choose("one", MINE, keys_by_format("one"), parts, None, reported={(1, 1, part) for part in taken})
        assert match
        return match.candidate.part

    assert [next_part(), next_part(2), next_part(2, 3)] == [2, 3, 3]


def test_a_number_contradicts_an_id_when_one_message_alone_has_it() -> None:
    assert is_contradicted("a", OTHER, [candidate(1, "a")])
    assert not is_contradicted("a", OTHER, [candidate(1, "a"), candidate(2, "a")])
    assert not is_contradicted("a", OTHER, [candidate(1, "0a")])
    assert not is_contradicted("a", MINE, [candidate(1, "a")])
    assert not is_contradicted("a", None, [candidate(1, "a")])


def parts(*states: MessageState | None) -> list[PartState]:
    """Reported one a second in this order; None: not at all."""
    return [
        PartState(
            n, state or MessageState.SENT, f"{n:03d}" if state else None, AT + timedelta(seconds=n) if state else None
        )
        for n, state in enumerate(states, 1)
    ]


D, U, X, E = MessageState.DELIVERED, MessageState.UNDELIVERABLE, MessageState.UNKNOWN, MessageState.EXPIRED


@pytest.mark.parametrize(
    ("reported", "decided"),
    [
        ((D, D, D), (D, 3)),
        ((D, None, D), None),
        ((None, None), None),
        ((D, U, None), (U, 2)),
        ((None, E, U), (E, 2)),
        ((U, U), (U, 1)),
        ((X, None), None),
        ((X, D), (X, 1)),
        ((X, X), (X, 2)),
        ((X, U), (U, 2)),
        ((D,), (D, 1)),
    ],
)
def test_parts_make_a_whole(
    reported: tuple[MessageState | None, ...], decided: tuple[MessageState, int] | None
) -> None:
    found = roll_up(parts(*reported))
    assert (found and (found[0], found[1].part)) == decided
