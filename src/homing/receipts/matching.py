"""Whose a receipt is, of the messages whose ids it may mean. Pure: a wrong match is worse than none.

The recipient's number decides. A message to another number than the receipt names is not its message, however well the
ids agree: carriers start their counters anew, and one's decimal id is another's hexadecimal one.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.receipts.id_formats import IdFormat, key
from homing.states import MessageState

DIGITS_TELLING_MIN: Final = 6
"""A shorter number is a short code or an extension and names nobody."""

PUNCTUATION: Final = str.maketrans("", "", " +-./()")


class ReceiptCandidate(msgspec.Struct, frozen=True, gc=False):
    """A submitted message that a receipt may be about, or one part of it: `part` counts from 1, and is 0 where the
    message is meant as a whole. `is_current`: the attempt is the one that the message now stands on.
    """

    account_id: int
    message_id: int
    attempt: int
    part: int
    state: int
    carrier_ref: str
    number: str
    sender: str
    segments: int
    is_current: bool
    sent_at: datetime | None


class ReceiptMatch(msgspec.Struct, frozen=True, gc=False):
    """A receipt's message; `confirmed` is the form of its id that the number has confirmed, where ids can tell it."""

    candidate: ReceiptCandidate
    confirmed: IdFormat | None = None


PartKey = tuple[int, int, int]


def agrees(said: str | None, number: str, sender: str) -> bool | None:
    """Whether a receipt that names `said` is about a message to `number`; None where it does not tell.

    Compared from the end: receipts leave out the country code, or put +, 00, a trunk 0 or a routing prefix before it.
    One that names our sender ID has the addresses in the order of the submit, and the recipient nowhere.
    """
    if said is None:
        return None
    if said == number:
        return True
    digits = said.translate(PUNCTUATION)
    if not (digits.isascii() and digits.isdigit()):
        return None
    tail = digits.lstrip("0")
    if len(tail) < DIGITS_TELLING_MIN:
        return None
    if number.endswith(tail) or tail.endswith(number):
        return True
    return None if tail == sender.lstrip("+0") else False


def choose(
    ref: str,
    said: str | None,
    keyed: Mapping[IdFormat, str],
    candidates: Sequence[ReceiptCandidate],
    learnt: IdFormat | None,
    *,
    waited: bool = False,
    taken: Collection[PartKey] = (),
) -> ReceiptMatch | None:
    """The message that a receipt with id `ref` for the number `said` is about, or None.

    `keyed`: what the id may be in each form. Of several messages to the right number, and where no number is told: the
    one with exactly this id, then by the form that this carrier's ids are known to have, then with this id but for case
    and zeros, then the latest. Without a number a form that is not the learnt one counts only for a receipt that has
    `waited`: the answer that it belongs to may be still to come. `taken`: parts that have had theirs, for carriers that
    give all parts of a message one id.
    """
    agreed = [one for one in candidates if agrees(said, one.number, one.sender)]
    pool = agreed or [
        one
        for one in candidates
        if agrees(said, one.number, one.sender) is None and _may_stand_alone(one, keyed, learnt, waited)
    ]
    if not pool:
        return None
    best = max(pool, key=lambda one: _rank(one, ref, keyed, learnt))
    chosen = _next_part(best, pool, taken) if best.part else best
    return ReceiptMatch(chosen, _telling_form(chosen, keyed) if agreed else None)


def is_contradicted(ref: str, said: str | None, candidates: Sequence[ReceiptCandidate]) -> bool:
    """Whether exactly one message has this very id, and it went to another number than the receipt names."""
    same = {one.message_id: one for one in candidates if one.carrier_ref == ref}
    return len(same) == 1 and all(agrees(said, one.number, one.sender) is False for one in same.values())


def _may_stand_alone(
    one: ReceiptCandidate, keyed: Mapping[IdFormat, str], learnt: IdFormat | None, waited: bool
) -> bool:
    found = key(one.carrier_ref)
    return waited or learnt is None or found in (keyed[IdFormat.SAME], keyed.get(learnt))


def _rank(
    one: ReceiptCandidate, ref: str, keyed: Mapping[IdFormat, str], learnt: IdFormat | None
) -> tuple[bool, bool, bool, int, int]:
    found = key(one.carrier_ref)
    is_learnt = learnt is not None and found == keyed.get(learnt)
    return one.carrier_ref == ref, is_learnt, found == keyed[IdFormat.SAME], one.message_id, one.attempt


def _next_part(
    best: ReceiptCandidate, pool: Sequence[ReceiptCandidate], taken: Collection[PartKey]
) -> ReceiptCandidate:
    """Of parts that share one id, the first that nobody has reported on; the last where all have been."""
    sharing = sorted(
        (
            one
            for one in pool
            if (one.message_id, one.attempt) == (best.message_id, best.attempt)
            and key(one.carrier_ref) == key(best.carrier_ref)
        ),
        key=lambda one: one.part,
    )
    open_ones = (
        one
        for one in sharing
        if one.state == MessageState.SENT and (one.message_id, one.attempt, one.part) not in taken
    )
    return next(open_ones, sharing[-1])


def _telling_form(one: ReceiptCandidate, keyed: Mapping[IdFormat, str]) -> IdFormat | None:
    """The only form that makes the ids agree: an id of one digit is the same in all of them and tells nothing."""
    found = key(one.carrier_ref)
    forms = [form for form, written in keyed.items() if written == found]
    return forms[0] if len(forms) == 1 else None
