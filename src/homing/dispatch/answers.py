"""What a carrier answered, written down: the attempts, where each message goes next, and what it gives back."""

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

ATTEMPTS_MAX: Final = 5  # after an answer that was lost: each may have reached the person
DEFERRALS_MAX: Final = 1_000  # certainly unsent, so it is the validity that ends them
RETRY_FIRST_S: Final = 5.0
RETRY_S_MAX: Final = 300.0


class AnsweredMessage(msgspec.Struct, frozen=True):
    """One message's answer, and the lane it was claimed from. `is_retried`: it is already under way again, and only the
    attempt is to be told.
    """

    lane: int
    message: Outbound
    answer: Answer
    started_at: datetime
    is_retried: bool = False


class AnswerRecorder:
    """Writes a carrier's answers, many in one transaction, and decides what follows from each.

    Accepted: the message waits for its receipt. Refused: it goes by the next carrier of its route that has not had it,
    unless the number itself is wrong; when there is none it ends and is refunded. Deferred: a code goes by the next
    carrier at once, a campaign's message waits and comes again, longer each time. Unknown, since the answer was lost: a
    code goes again after a while, by another carrier where there is one; a campaign's message waits for a receipt.
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

    async def record(self, answered: Sequence[AnsweredMessage]) -> None:
        """Durable when it returns. Raises a `PlatformFailure` when it is not."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            await self._add_attempts(transaction, answered, now)
            settled = [one for one in answered if not one.is_retried]
            moves = await self._moves(transaction, settled, now)
            if moves:
                await reassign(transaction, moves)
            moved = {one.message_id for one in moves}
            again = [one for one in settled if one.message.message_id not in moved and _comes_again(one)]
            if again:
                await self._defer(transaction, again, now)
            waiting = moved | {one.message.message_id for one in again}
            await self._end(transaction, [one for one in settled if one.message.message_id not in waiting], now)

    async def _moves(
        self, transaction: DatabaseConnection, answered: Sequence[AnsweredMessage], now: datetime
    ) -> list[Reassignment]:
        """Where the messages go that another carrier may take."""
        asked = [one for one in answered if _may_move(one)]
        if not asked:
            return []
        found = await self._failover.alternatives(
            transaction, [(one.message.account_id, one.message.message_id) for one in asked], self._carrier_id
        )
        return [
            Reassignment(
                one.message.account_id,
                one.message.message_id,
                one.lane,
                row,
                one.message.traffic,
                now + self._unknown_retry if one.answer.outcome is Outcome.UNKNOWN else now,
            )
            for one in asked
            if (row := found.get(one.message.message_id)) is not None
        ]

    async def _defer(self, transaction: DatabaseConnection, answered: Sequence[AnsweredMessage], now: datetime) -> None:
        await statements.dispatch.queue_defer(
            transaction,
            deferrals=[
                QueueDeferral(lane=one.lane, message_id=one.message.message_id, due_at=now + self._wait(one))
                for one in answered
            ],
        )

    def _wait(self, one: AnsweredMessage) -> timedelta:
        if one.answer.outcome is Outcome.UNKNOWN:
            return self._unknown_retry
        return timedelta(seconds=doubling_s(one.message.attempt, RETRY_FIRST_S, RETRY_S_MAX, self._rng))

    async def _end(self, transaction: DatabaseConnection, answered: Sequence[AnsweredMessage], now: datetime) -> None:
        """Those that have left, as far as we know, and those that never will."""
        gone = [one for one in answered if one.answer.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)]
        if gone:
            await statements.dispatch.queue_await(
                transaction,
                grace=timedelta(seconds=limits.EXPIRY_GRACE_S),
                keys=[QueueKey(lane=one.lane, message_id=one.message.message_id) for one in gone],
            )
        await apply(transaction, [self._event(one, now) for one in answered], Outbox(self._dialects))

    def _event(self, one: AnsweredMessage, now: datetime) -> StateChange:
        answer, message = one.answer, one.message
        return StateChange(
            message.account_id,
            message.message_id,
            STATES[answer.outcome],
            now,
            one.lane,
            answer.error_code,
            _words(answer),
            self._carrier_id,
            answer.carrier_ref,
            self._failover.cost(self._carrier_id, message) if answer.outcome is Outcome.ACCEPTED else None,
            answer.reason,
        )

    async def _add_attempts(
        self, transaction: DatabaseConnection, answered: Sequence[AnsweredMessage], now: datetime
    ) -> None:
        await statements.dispatch.attempts_add(
            transaction,
            carrier_id=self._carrier_id,
            answered_at=now,
            attempts=[
                NewAttempt(
                    account_id=one.message.account_id,
                    message_id=one.message.message_id,
                    attempt=one.message.attempt,
                    started_at=one.started_at,
                    outcome=int(one.answer.outcome),
                    carrier_ref=one.answer.carrier_ref,
                    error_code=one.answer.error_code,
                    error_text=_words(one.answer),
                    reason=None if one.answer.reason is None else encode_reason(one.answer.reason),
                )
                for one in answered
            ],
        )
        parts = [
            (one.message, number, carrier_ref)
            for one in answered
            if len(one.answer.part_refs) > 1
            for number, carrier_ref in enumerate(one.answer.part_refs, 1)
        ]
        if parts:
            await statements.dispatch.parts_add(
                transaction,
                carrier_id=self._carrier_id,
                parts=[
                    NewPart(
                        account_id=message.account_id,
                        message_id=message.message_id,
                        attempt=message.attempt,
                        part=number,
                        carrier_ref=carrier_ref,
                    )
                    for message, number, carrier_ref in parts
                ],
            )


STATES: Final = {
    Outcome.ACCEPTED: MessageState.SENT,
    Outcome.REFUSED: MessageState.REJECTED,
    Outcome.DEFERRED: MessageState.FAILED,
    Outcome.UNKNOWN: MessageState.UNKNOWN,
}
"""What becomes of a message that stays with its answer."""


def _may_move(one: AnsweredMessage) -> bool:
    match one.answer.outcome:
        case Outcome.REFUSED:
            return one.answer.error_code != INVALID_DESTINATION
        case Outcome.DEFERRED:
            return one.message.traffic == Traffic.TRANSACTIONAL and one.message.attempt < DEFERRALS_MAX
        case Outcome.UNKNOWN:
            return one.message.traffic == Traffic.TRANSACTIONAL and one.message.attempt < ATTEMPTS_MAX
        case _:
            return False


def _comes_again(one: AnsweredMessage) -> bool:
    """Whether a message that no other carrier takes comes to this one again."""
    match one.answer.outcome:
        case Outcome.DEFERRED:
            return one.message.attempt < DEFERRALS_MAX
        case Outcome.UNKNOWN:
            return one.message.traffic == Traffic.TRANSACTIONAL and one.message.attempt < ATTEMPTS_MAX
        case _:
            return False


def _words(answer: Answer) -> str | None:
    return None if answer.error_text is None else storable_text(answer.error_text, limits.CARRIER_TEXT_CHARS_MAX)
