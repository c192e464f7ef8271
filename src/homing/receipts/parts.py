"""Receipts of the parts of a multipart message, and the state of the message that follows from them.

It is delivered when all parts are, and failed as soon as one part is. When some parts are delivered and the others have
no receipt, it counts as delivered after `PART_GRACE_S`: some carriers report one part alone
(docs/decisions/0010-matching-receipts.md). The expiry sweep ends it then (dispatch/expiry.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.messages.transitions import AWAITING_LANE
from homing.receipts.matching import PartKey
from homing.states import RANKS, TABLE, MessageState
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.dispatch import MessageRef, QueueKey
from homing.store.statements.receipts import AttemptKey, PartMove, ReceiptCandidate

PART_GRACE_S: Final = 300.0  # without further receipts after a delivered part; then the message counts as delivered


class PartReport(msgspec.Struct, frozen=True):
    """A receipt of one part: its state and the time of it."""

    candidate: ReceiptCandidate
    state: MessageState
    at: datetime
    error_code: str | None

    @property
    def key(self) -> PartKey:
        return self.candidate.message_id, self.candidate.attempt, self.candidate.part


class PartState(msgspec.Struct, frozen=True):
    """The stored state of a part; `reported_at` None: it has no receipt yet."""

    part: int
    state: MessageState
    error_code: str | None
    reported_at: datetime | None


class MessageResult(msgspec.Struct, frozen=True):
    """The state of a message that follows from its parts. `error_text` names the part that failed."""

    candidate: ReceiptCandidate
    state: MessageState
    at: datetime
    error_code: str | None = None
    error_text: str | None = None


def roll_up(parts: Sequence[PartState]) -> tuple[MessageState, PartState] | None:
    """The state of an attempt by all of its parts, and the part that decides it; None: it is still open.

    The first part that failed decides error and time; if all are delivered, the last one. If some parts are unknown and
    the others delivered, the message is unknown, and a later receipt may still settle it.
    """
    reported = sorted((part for part in parts if part.reported_at), key=lambda part: (part.reported_at, part.part))
    failed = next(
        (part for part in reported if TABLE[part.state].final and part.state is not MessageState.DELIVERED), None
    )
    if failed:
        return failed.state, failed
    if len(reported) < len(parts):
        return None
    unknown = next((part for part in reversed(reported) if part.state is MessageState.UNKNOWN), None)
    return (MessageState.UNKNOWN, unknown) if unknown else (MessageState.DELIVERED, reported[-1])


async def take_parts(
    transaction: DatabaseConnection, reports: Sequence[PartReport], now: datetime
) -> tuple[set[PartKey], list[MessageResult]]:
    """Stores the states of parts, at most one report for each; returns the parts that moved, and the results of
    messages that are thereby decided.
    """
    ordered = sorted(reports, key=lambda report: (report.candidate.account_id, *report.key))
    await statements.receipts.parts_lock(
        transaction,
        keys=[
            MessageRef(account_id=report.candidate.account_id, message_id=report.candidate.message_id)
            for report in ordered
        ],
    )
    rows = await statements.receipts.parts_move(
        transaction,
        ranks=RANKS,
        reports=[
            PartMove(
                account_id=report.candidate.account_id,
                message_id=report.candidate.message_id,
                attempt=report.candidate.attempt,
                part=report.candidate.part,
                state=int(report.state),
                error_code=report.error_code,
                at=report.at,
            )
            for report in ordered
        ],
    )
    moved: set[PartKey] = {(row.message_id, row.attempt, row.part) for row in rows}
    attempts = {report.key[:2]: report.candidate for report in ordered if report.key in moved}
    if not attempts:
        return moved, []
    parts_by_attempt = await _read_parts(transaction, list(attempts.values()))
    results, partly_delivered = [], []
    for key, candidate in attempts.items():
        parts = parts_by_attempt[key]
        decided = roll_up(parts)
        if decided:
            results.append(_message_result(candidate, *decided, len(parts)))
        elif any(part.state is MessageState.DELIVERED for part in parts):
            partly_delivered.append(candidate.message_id)
    if partly_delivered:
        await statements.receipts.queue_await_parts(
            transaction,
            until=now + timedelta(seconds=PART_GRACE_S),
            grace=timedelta(seconds=limits.EXPIRY_GRACE_S),
            keys=[QueueKey(lane=AWAITING_LANE, message_id=message_id) for message_id in partly_delivered],
        )
    return moved, results


async def _read_parts(
    transaction: DatabaseConnection, candidates: Sequence[ReceiptCandidate]
) -> Mapping[tuple[int, int], list[PartState]]:
    parts: dict[tuple[int, int], list[PartState]] = {}
    for row in await statements.receipts.parts_of(
        transaction,
        attempts=[
            AttemptKey(account_id=candidate.account_id, message_id=candidate.message_id, attempt=candidate.attempt)
            for candidate in candidates
        ],
    ):
        state = PartState(row.part, MessageState(row.state), row.error_code, row.reported_at)
        parts.setdefault((row.message_id, row.attempt), []).append(state)
    return parts


def _message_result(candidate: ReceiptCandidate, state: MessageState, part: PartState, count: int) -> MessageResult:
    assert part.reported_at
    if state in (MessageState.DELIVERED, MessageState.UNKNOWN):
        return MessageResult(candidate, state, part.reported_at)
    text = f"{state.name.capitalize()}: part {part.part} of {count}"
    return MessageResult(candidate, state, part.reported_at, part.error_code, text)
