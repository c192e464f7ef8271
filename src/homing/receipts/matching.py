"""Chooses the message that a receipt is about, among those whose IDs it may mean. Pure.

No match is better than a wrong one. The recipient's number decides first: a message to another number than the receipt
names is not its message, whatever its ID, since carriers restart their counters and one message's decimal ID is
another's hexadecimal one (docs/decisions/0010-matching-receipts.md).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from homing.receipts.id_formats import IdFormat, reference_key
from homing.states import MessageState
from homing.store.statements.receipts import ReceiptCandidate

SIGNIFICANT_DIGITS_MIN: Final = 6
"""A shorter number is a short code or an extension, and identifies no subscriber."""

PUNCTUATION: Final = str.maketrans("", "", " +-./()")


class ReceiptMatch(msgspec.Struct, frozen=True, gc=False):
    """A receipt's message. `confirmed`: the ID format that the recipient's number has confirmed; None: no
    single one.
    """

    candidate: ReceiptCandidate
    confirmed: IdFormat | None = None


PartKey = tuple[int, int, int]
"""Message ID, attempt, part."""


def agrees(receipt_number: str | None, number: str, sender: str) -> bool | None:
    """Whether the number in a receipt is the recipient's (`number`, E.164 digits); None: it does not say.

    Numbers are compared from their end: receipts omit the country code, or put +, 00, a trunk 0 or a routing prefix in
    front. A receipt with our sender ID in that place has the addresses in the order of the submit, and not the
    recipient.
    """
    if receipt_number is None:
        return None
    if receipt_number == number:
        return True
    digits = receipt_number.translate(PUNCTUATION)
    if not (digits.isascii() and digits.isdigit()):
        return None
    tail = digits.lstrip("0")
    if len(tail) < SIGNIFICANT_DIGITS_MIN:
        return None
    if number.endswith(tail) or tail.endswith(number):
        return True
    return None if tail == sender.lstrip("+0") else False


def choose(
    ref: str,
    receipt_number: str | None,
    format_keys: Mapping[IdFormat, str],
    candidates: Sequence[ReceiptCandidate],
    learnt: IdFormat | None,
    *,
    has_waited: bool = False,
    reported: Collection[PartKey] = (),
) -> ReceiptMatch | None:
    """The message of a receipt with ID `ref` for `receipt_number`; None: none of the candidates.

    `format_keys`: the keys of `ref` by format (`keys_by_format`). `learnt`: the carrier's format, if it is known.
    Candidates with the receipt's number come first; without one, those that the number does not exclude. Among these
    the exact ID wins, then the learnt format, then the ID but for case and leading zeros, then the latest message.
    Without a number, an ID in another format than the learnt one counts only for a receipt that `has_waited`: until
    then the answer that it belongs to may still come. `reported`: parts that other receipts of the batch are about;
    needed for carriers that give all parts of a message the same ID.
    """
    with_number = [each for each in candidates if agrees(receipt_number, each.number, each.sender)]
    eligible = with_number or [
        each
        for each in candidates
        if agrees(receipt_number, each.number, each.sender) is None
        and _is_eligible_by_id(each, format_keys, learnt, has_waited)
    ]
    if not eligible:
        return None
    best = max(eligible, key=lambda each: _rank(each, ref, format_keys, learnt))
    chosen = _next_part(best, eligible, reported) if best.part else best
    return ReceiptMatch(chosen, _single_format(chosen, format_keys) if with_number else None)


def is_contradicted(ref: str, receipt_number: str | None, candidates: Sequence[ReceiptCandidate]) -> bool:
    """Whether exactly one message has this exact ID, and the receipt names another number than its recipient's."""
    exact = {each.message_id: each for each in candidates if each.carrier_ref == ref}
    return len(exact) == 1 and all(agrees(receipt_number, each.number, each.sender) is False for each in exact.values())


def _is_eligible_by_id(
    candidate: ReceiptCandidate, format_keys: Mapping[IdFormat, str], learnt: IdFormat | None, has_waited: bool
) -> bool:
    key = reference_key(candidate.carrier_ref)
    return has_waited or learnt is None or key in (format_keys[IdFormat.SAME], format_keys.get(learnt))


def _rank(
    candidate: ReceiptCandidate, ref: str, format_keys: Mapping[IdFormat, str], learnt: IdFormat | None
) -> tuple[bool, bool, bool, int, int]:
    key = reference_key(candidate.carrier_ref)
    return (
        candidate.carrier_ref == ref,
        learnt is not None and key == format_keys.get(learnt),
        key == format_keys[IdFormat.SAME],
        candidate.message_id,
        candidate.attempt,
    )


def _next_part(
    best: ReceiptCandidate, eligible: Sequence[ReceiptCandidate], reported: Collection[PartKey]
) -> ReceiptCandidate:
    """Of the parts that share an ID the first without a receipt; the last one, if all have theirs."""
    parts = sorted(
        (
            each
            for each in eligible
            if (each.message_id, each.attempt) == (best.message_id, best.attempt)
            and reference_key(each.carrier_ref) == reference_key(best.carrier_ref)
        ),
        key=lambda each: each.part,
    )
    open_parts = (
        each
        for each in parts
        if each.state == MessageState.SENT and (each.message_id, each.attempt, each.part) not in reported
    )
    return next(open_parts, parts[-1])


def _single_format(candidate: ReceiptCandidate, format_keys: Mapping[IdFormat, str]) -> IdFormat | None:
    """The only format in which the IDs are equal; None: several, as with an ID of one digit."""
    key = reference_key(candidate.carrier_ref)
    formats = [id_format for id_format, format_key in format_keys.items() if format_key == key]
    return formats[0] if len(formats) == 1 else None
