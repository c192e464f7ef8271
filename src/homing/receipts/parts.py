"""Long messages: what the receipts of a message's parts make of the message.

It is delivered when all parts are, and undelivered as soon as one part is. When some were delivered and of the others
nothing is heard, it waits a while and counts as delivered: there are carriers that report one part alone
(docs/decisions/0010-matching-receipts.md). That end is made by the sweep of what is due (dispatch/expiry.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.messages.transitions import AWAITING_LANE
from homing.receipts.matching import PartKey, ReceiptCandidate
from homing.states import RANKS, TABLE, MessageState
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.dispatch import MessageRef, QueueKey
from homing.store.statements.receipts import AttemptKey, PartMove

PART_GRACE_S: Final = 300.0  # silence after a delivered part: then the message counts as delivered


class PartReport(msgspec.Struct, frozen=True):
    """A receipt of one part: the state it tells, and when it came about."""

    candidate: ReceiptCandidate
    state: MessageState
    at: datetime
    error_code: str | None

    @property
    def key(self) -> PartKey:
        return self.candidate.message_id, self.candidate.attempt, self.candidate.part


class PartState(msgspec.Struct, frozen=True):
    """A row of `part`."""

    part: int
    state: MessageState
    error_code: str | None
    reported_at: datetime | None


class MessageResult(msgspec.Struct, frozen=True):
    """What becomes of a message by its parts."""

    candidate: ReceiptCandidate
    state: MessageState
    at: datetime
    error_code: str | None = None
    error_text: str | None = None


def roll_up(parts: Sequence[PartState]) -> tuple[MessageState, PartState] | None:
    """What the parts of an attempt, in their order, make of it, and the part that decided; None while it is open.

    The first part that failed names the failure, the last one that was delivered the time. Unknown, and every part
    delivered or unknown: the message is unknown, which a receipt may still settle.
    """
    reported = sorted((one for one in parts if one.reported_at), key=lambda one: (one.reported_at, one.part))
    failed = next((one for one in reported if TABLE[one.state].final and one.state is not MessageState.DELIVERED), None)
    if failed:
        return failed.state, failed
    if len(reported) < len(parts):
        return None
    unknown = next((one for one in reversed(reported) if one.state is MessageState.UNKNOWN), None)
    return (MessageState.UNKNOWN, unknown) if unknown else (MessageState.DELIVERED, reported[-1])


async def take_parts(
    transaction: DatabaseConnection, reports: Sequence[PartReport], now: datetime
) -> tuple[set[PartKey], list[MessageResult]]:
    """Writes down what parts were reported as, at most one report a part, and gives those that moved, and what that
    makes of their messages.
    """
    ordered = sorted(reports, key=lambda one: (one.candidate.account_id, *one.key))
    await statements.receipts.parts_lock(
        transaction,
        keys=[MessageRef(account_id=one.candidate.account_id, message_id=one.candidate.message_id) for one in ordered],
    )
    rows = await statements.receipts.parts_move(
        transaction,
        ranks=RANKS,
        reports=[
            PartMove(
                account_id=one.candidate.account_id,
                message_id=one.candidate.message_id,
                attempt=one.candidate.attempt,
                part=one.candidate.part,
                state=int(one.state),
                error_code=one.error_code,
                at=one.at,
            )
            for one in ordered
        ],
    )
    moved: set[PartKey] = {(row.message_id, row.attempt, row.part) for row in rows}
    touched = {one.key[:2]: one.candidate for one in ordered if one.key in moved}
    if not touched:
        return moved, []
    parts = await _parts_of(transaction, list(touched.values()))
    ends, partly = [], []
    for key, candidate in touched.items():
        decided = roll_up(parts[key])
        if decided:
            ends.append(_rolled_up(candidate, *decided, len(parts[key])))
        elif any(one.state is MessageState.DELIVERED for one in parts[key]):
            partly.append(candidate.message_id)
    if partly:
        await statements.receipts.queue_await_parts(
            transaction,
            until=now + timedelta(seconds=PART_GRACE_S),
            grace=timedelta(seconds=limits.EXPIRY_GRACE_S),
            keys=[QueueKey(lane=AWAITING_LANE, message_id=message_id) for message_id in partly],
        )
    return moved, ends


async def _parts_of(
    transaction: DatabaseConnection, candidates: Sequence[ReceiptCandidate]
) -> Mapping[tuple[int, int], list[PartState]]:
    parts: dict[tuple[int, int], list[PartState]] = {}
    for row in await statements.receipts.parts_of(
        transaction,
        attempts=[
            AttemptKey(account_id=one.account_id, message_id=one.message_id, attempt=one.attempt) for one in candidates
        ],
    ):
        state = PartState(row.part, MessageState(row.state), row.error_code, row.reported_at)
        parts.setdefault((row.message_id, row.attempt), []).append(state)
    return parts


def _rolled_up(candidate: ReceiptCandidate, state: MessageState, part: PartState, count: int) -> MessageResult:
    assert part.reported_at
    if state in (MessageState.DELIVERED, MessageState.UNKNOWN):
        return MessageResult(candidate, state, part.reported_at)
    text = f"{state.name.capitalize()}: part {part.part} of {count}"
    return MessageResult(candidate, state, part.reported_at, part.error_code, text)
