"""Repeated references, for accounts that want them recognised: a day has one message of a reference to a number.

Whoever calls again with both gets the first message's ID, whatever has changed since: the balance, the guard's verdict,
the route. The same reference with another text to the number is refused, since the first answer would hide that the
second text was not sent. What was refused the first time may be repeated. What is kept for it is written in the
transaction that stores and charges the messages (commit.py).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import errors
from homing.intake.commit import ANSWERS_KEPT
from homing.intake.kept_references import reference_digest, reference_key, reference_scope
from homing.intake.submission import (
    AcceptedMessage,
    MessageGroup,
    RefusedRecipient,
    RepeatedReferences,
    Submission,
    SubmitResult,
)
from homing.intake.terms import EarlierAnswer
from homing.model import Recipient
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.intake import AnsweredCallKey

ROUNDS_MAX: Final = 8  # in which other calls with the same references may be faster

Submit = Callable[[Submission], Awaitable[Sequence[SubmitResult]]]


class _Place(msgspec.Struct, frozen=True):
    """A recipient of a call. `key`: of its reference and number; None: it has no reference."""

    group: MessageGroup
    recipient: Recipient
    key: str | None

    def answered(self, message_id: int, digest: bytes) -> SubmitResult:
        """What it gets when a message to it has the reference already."""
        if digest != self.digest:
            return RefusedRecipient(self.recipient, errors.ReferenceReused())
        return AcceptedMessage(message_id, self.recipient)

    @property
    def digest(self) -> bytes:
        return reference_digest(self.group.sender, self.group.text)


async def submit_unrepeated(
    database: Database, submission: Submission, submit: Submit, clock: Callable[[], datetime]
) -> Sequence[SubmitResult]:
    """Submits, by `submit`, to the recipients that have no message with their reference yet. Gives the result of each
    recipient, in order. Raises as `submit` does, and what all recipients are refused for.
    """
    places = [_place(group, recipient) for group in submission.groups for recipient in group.recipients]
    for _round in range(ROUNDS_MAX):
        earlier = await _earlier(database, submission, places, since=clock() - ANSWERS_KEPT)
        results: dict[int, SubmitResult] = {
            at: place.answered(*earlier[place.key]) for at, place in enumerate(places) if place.key in earlier
        }
        if results and submission.repeated_references is RepeatedReferences.ANSWERED_TOGETHER:
            for at, place in enumerate(places):
                results.setdefault(at, RefusedRecipient(place.recipient, errors.ReferenceReused()))
        firsts = _firsts(places)
        fresh = [at for at in sorted(firsts.values()) if at not in results]
        if fresh:
            try:
                submitted = await submit(_only(submission, places, frozenset(fresh)))
            except EarlierAnswer:
                continue
            except errors.Refusal as refusal:
                submitted = [RefusedRecipient(places[at].recipient, refusal) for at in fresh]
            results.update(zip(fresh, submitted, strict=True))
        for at, place in enumerate(places):
            if at not in results:
                first = firsts[place.key or ""]
                results[at] = _as_first(place, places[first], results[first])
        return _accepted([results[at] for at in range(len(places))])
    raise errors.Overloaded("other calls with the same references are faster")


async def _earlier(
    database: Database, submission: Submission, places: Iterable[_Place], *, since: datetime
) -> Mapping[str | None, tuple[int, bytes]]:
    """The message and the digest by key, of those that are kept."""
    scope = reference_scope(submission.dialect, submission.app_id)
    account_id = submission.account.account_id
    rows = await statements.intake.answered_calls_find(
        database,
        since=since,
        calls=[
            AnsweredCallKey(account_id=account_id, scope=scope, key=key)
            for key in sorted({place.key for place in places if place.key is not None})
        ],
    )
    return {row.key: (int(row.answer), row.digest) for row in rows}


def _place(group: MessageGroup, recipient: Recipient) -> _Place:
    key = reference_key(recipient.reference, recipient.number) if recipient.reference else None
    return _Place(group, recipient, key)


def _firsts(places: Sequence[_Place]) -> dict[str | int, int]:
    """The first place of each key, and each place without one."""
    firsts: dict[str | int, int] = {}
    for at, place in enumerate(places):
        firsts.setdefault(at if place.key is None else place.key, at)
    return firsts


def _only(submission: Submission, places: Sequence[_Place], kept: frozenset[int]) -> Submission:
    """The submission of some of its recipients."""
    groups = []
    at = 0
    for group in submission.groups:
        count = len(group.recipients)
        recipients = [places[each].recipient for each in range(at, at + count) if each in kept]
        if recipients:
            groups.append(msgspec.structs.replace(group, recipients=recipients))
        at += count
    return msgspec.structs.replace(submission, groups=groups)


def _as_first(place: _Place, first: _Place, result: SubmitResult) -> SubmitResult:
    """The result of a recipient whose reference and number another one of the same call has."""
    if isinstance(result, RefusedRecipient):
        return RefusedRecipient(place.recipient, result.reason)
    return place.answered(result.message_id, first.digest)


def _accepted(results: Sequence[SubmitResult]) -> Sequence[SubmitResult]:
    """Raises why, when no recipient has a message."""
    refusals = [result.reason for result in results if isinstance(result, RefusedRecipient)]
    if len(refusals) < len(results):
        return results
    raise refusals[0] if len({type(refusal) for refusal in refusals}) == 1 else errors.NoRoute()
