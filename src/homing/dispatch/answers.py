"""Records carriers' submit answers: stores the attempts, and decides what happens to each message next."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.common.backoff import doubling_s
from homing.common.storable_text import storable_text
from homing.dialects.base import Dialects
from homing.dispatch.failover import Failover, Reassignment, reassign
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import Answer, Outbound, Outcome, Traffic
from homing.reasons import encode_reason
from homing.smpp.statuses import INVALID_DESTINATION
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.dispatch import NewAttempt, NewPart, QueueDeferral, QueueKey

ATTEMPTS_MAX: Final = 5  # with answers that were lost: each may have been delivered
DEFERRALS_MAX: Final = 1_000  # certainly unsent: the validity ends them
RETRY_FIRST_S: Final = 5.0
RETRY_S_MAX: Final = 300.0


class AnsweredMessage(msgspec.Struct, frozen=True):
    """A message with its submit answer, and the lane it was claimed from. `is_retried`: the message has been claimed
    again since, so that only the attempt is stored.
    """

    lane: int
    message: Outbound
    answer: Answer
    started_at: datetime
    is_retried: bool = False


class AnswerRecorder:
    """Stores a carrier's answers, many in one transaction, and decides what follows from each.

    Accepted: the message waits for its receipt. Refused: it is reassigned to the next carrier of its route that has not
    had it, unless the number is invalid; without one it is rejected and refunded. Deferred: a transactional message is
    reassigned at once, a promotional one is retried, each time after a longer wait. Unknown, since the answer was lost:
    a transactional message is sent again after a while, by another carrier if there is one; a promotional one waits for
    its receipt.
    """

    def __init__(
        self,
        *,
        database: Database,
        carrier_id: int,
        failover: Failover,
        clock: Callable[[], datetime],
        rng: random.Random,
        unknown_retry_s: float,
        dialects: Dialects,
    ) -> None:
        self._dialects = dialects
        self._database = database
        self._carrier_id = carrier_id
        self._failover = failover
        self._clock = clock
        self._rng = rng
        self._unknown_retry = timedelta(seconds=unknown_retry_s)

    async def record(self, batch: Sequence[AnsweredMessage]) -> None:
        """The answers are durable when this returns. Raises a `PlatformFailure` when they are not."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            await self._add_attempts(transaction, batch, now)
            current = [item for item in batch if not item.is_retried]
            reassignments = await self._reassignments(transaction, current, now)
            if reassignments:
                await reassign(transaction, reassignments)
            reassigned_ids = {reassignment.message_id for reassignment in reassignments}
            remaining = [item for item in current if item.message.message_id not in reassigned_ids]
            to_retry = [item for item in remaining if _may_be_retried(item)]
            if to_retry:
                await self._defer(transaction, to_retry, now)
            await self._settle(transaction, [item for item in remaining if not _may_be_retried(item)], now)

    async def _reassignments(
        self, transaction: DatabaseConnection, batch: Sequence[AnsweredMessage], now: datetime
    ) -> list[Reassignment]:
        """The messages that go to another carrier."""
        candidates = [item for item in batch if _may_be_reassigned(item)]
        if not candidates:
            return []
        alternatives = await self._failover.alternatives(
            transaction, [(item.message.account_id, item.message.message_id) for item in candidates], self._carrier_id
        )
        return [
            Reassignment(
                item.message.account_id,
                item.message.message_id,
                item.lane,
                alternative,
                item.message.traffic,
                now + self._unknown_retry if item.answer.outcome is Outcome.UNKNOWN else now,
            )
            for item in candidates
            if (alternative := alternatives.get(item.message.message_id)) is not None
        ]

    async def _defer(self, transaction: DatabaseConnection, batch: Sequence[AnsweredMessage], now: datetime) -> None:
        await statements.dispatch.queue_defer(
            transaction,
            deferrals=[
                QueueDeferral(lane=item.lane, message_id=item.message.message_id, due_at=now + self._retry_wait(item))
                for item in batch
            ],
        )

    def _retry_wait(self, item: AnsweredMessage) -> timedelta:
        if item.answer.outcome is Outcome.UNKNOWN:
            return self._unknown_retry
        return timedelta(seconds=doubling_s(item.message.attempt, RETRY_FIRST_S, RETRY_S_MAX, self._rng))

    async def _settle(self, transaction: DatabaseConnection, batch: Sequence[AnsweredMessage], now: datetime) -> None:
        """Messages that stay with this answer: sent ones, as far as is known, and those that fail with it."""
        sent = [item for item in batch if item.answer.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)]
        if sent:
            await statements.dispatch.queue_await(
                transaction,
                grace=timedelta(seconds=limits.EXPIRY_GRACE_S),
                keys=[QueueKey(lane=item.lane, message_id=item.message.message_id) for item in sent],
            )
        await apply(transaction, [self._state_change(item, now) for item in batch], Outbox(self._dialects))

    def _state_change(self, item: AnsweredMessage, now: datetime) -> StateChange:
        answer, message = item.answer, item.message
        return StateChange(
            message.account_id,
            message.message_id,
            STATES[answer.outcome],
            now,
            item.lane,
            answer.error_code,
            carrier_words(item),
            self._carrier_id,
            answer.carrier_ref,
            self._failover.cost(self._carrier_id, message) if answer.outcome is Outcome.ACCEPTED else None,
            answer.reason,
        )

    async def _add_attempts(
        self, transaction: DatabaseConnection, batch: Sequence[AnsweredMessage], now: datetime
    ) -> None:
        await statements.dispatch.attempts_add(
            transaction,
            carrier_id=self._carrier_id,
            answered_at=now,
            attempts=[
                NewAttempt(
                    account_id=item.message.account_id,
                    message_id=item.message.message_id,
                    attempt=item.message.attempt,
                    started_at=item.started_at,
                    outcome=int(item.answer.outcome),
                    carrier_ref=item.answer.carrier_ref,
                    error_code=item.answer.error_code,
                    error_text=carrier_words(item),
                    reason=None if item.answer.reason is None else encode_reason(item.answer.reason),
                )
                for item in batch
            ],
        )
        parts = [
            NewPart(
                account_id=item.message.account_id,
                message_id=item.message.message_id,
                attempt=item.message.attempt,
                part=part,
                carrier_ref=carrier_ref,
            )
            for item in batch
            if len(item.answer.part_refs) > 1
            for part, carrier_ref in enumerate(item.answer.part_refs, 1)
        ]
        if parts:
            await statements.dispatch.parts_add(transaction, carrier_id=self._carrier_id, parts=parts)


QUOTED: Final = "…"  # in place of the message in what a carrier says of it
STATES: Final = {
    Outcome.ACCEPTED: MessageState.SENT,
    Outcome.REFUSED: MessageState.REJECTED,
    Outcome.DEFERRED: MessageState.FAILED,
    Outcome.UNKNOWN: MessageState.UNKNOWN,
}
"""The state of a message that is neither reassigned nor retried."""


def _may_be_reassigned(item: AnsweredMessage) -> bool:
    match item.answer.outcome:
        case Outcome.REFUSED:
            return item.answer.error_code != INVALID_DESTINATION
        case Outcome.DEFERRED:
            return item.message.traffic == Traffic.TRANSACTIONAL and item.message.attempt < DEFERRALS_MAX
        case Outcome.UNKNOWN:
            return item.message.traffic == Traffic.TRANSACTIONAL and item.message.attempt < ATTEMPTS_MAX
        case _:
            return False


def _may_be_retried(item: AnsweredMessage) -> bool:
    """Whether a message without another carrier is submitted to this one again."""
    match item.answer.outcome:
        case Outcome.DEFERRED:
            return item.message.attempt < DEFERRALS_MAX
        case Outcome.UNKNOWN:
            return item.message.traffic == Traffic.TRANSACTIONAL and item.message.attempt < ATTEMPTS_MAX
        case _:
            return False


def carrier_words(item: AnsweredMessage) -> str | None:
    """The carrier's words, without the message if they quote it: it may hold a code."""
    words = item.answer.error_text
    if words is None:
        return None
    if item.message.text:
        words = words.replace(item.message.text, QUOTED)
    return storable_text(words, limits.CARRIER_TEXT_CHARS_MAX)
