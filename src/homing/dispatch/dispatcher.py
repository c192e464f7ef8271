"""Claims a carrier's due messages, submits them in batches, and has the answers recorded."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from homing import errors, limits
from homing.carriers.base import Carrier
from homing.common.durable import until_durable
from homing.common.storable_text import storable_text
from homing.dialects.base import Dialects
from homing.dispatch.answers import AnsweredMessage, AnswerRecorder
from homing.dispatch.breaker import CarrierBreaker
from homing.dispatch.in_flight import InFlightMessages
from homing.dispatch.written_marks import EndedClaim, WrittenMarks
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import Answer, Outbound, Outcome, Traffic, options_of
from homing.observe.logs import describe, is_debug
from homing.observe.work import WorkMetrics
from homing.reasons import Reason, ReasonCode
from homing.routing.lanes import lane_of
from homing.states import TABLE, MessageState
from homing.store import statements
from homing.store.database import Database
from homing.store.due_poller import DuePoller
from homing.store.owners import is_dead
from homing.store.statements.dispatch import ClaimedMessage, QueueKey

CLAIM_LINGER_S: Final = 0.02  # for more room, so that a claim is for more than one message
ANSWERS_PENDING_MAX: Final = 20_000  # answers that are not recorded yet; beyond it nothing is claimed
ANSWERS_LINGER_S: Final = 0.02
log = structlog.get_logger()
T = TypeVar("T")

CLAIM_LAPSED = Answer(Outcome.UNKNOWN, reason=Reason.of(ReasonCode.ATTEMPT_CLAIM_LAPSED))
OWNER_DIED = Answer(Outcome.UNKNOWN, reason=Reason.of(ReasonCode.ATTEMPT_PROCESS_DIED))


class Dispatcher:
    """Serves a carrier's lanes, transactional before promotional messages, as the carrier has room.

    A claim is a lease: if this process dies, its messages are due again when the lease ends or another process takes
    the carrier over. The claim is durable before the message is submitted, so an attempt may be repeated after a crash
    but is always recorded: a message whose claim has lapsed gets an attempt with an unknown outcome, unless it
    certainly was not written to the carrier (`WrittenMarks`).
    """

    def __init__(
        self,
        *,
        database: Database,
        carrier_id: int,
        name: str,
        carrier: Carrier,
        owner: str,
        due_poller: DuePoller,
        clock: Callable[[], datetime],
        work_metrics: WorkMetrics,
        recorder: AnswerRecorder,
        health_changed: Callable[[], None],
        in_flight: InFlightMessages,
        marks: WrittenMarks,
        dialects: Dialects,
    ) -> None:
        """`in_flight`: of this process and carrier, shared with earlier dispatchers. `marks`: of all carriers of this
        process. `health_changed` is called when the breaker opens or closes.
        """
        self._dialects = dialects
        self._database = database
        self._name = name
        self._carrier = carrier
        self._owner = owner
        self._lanes = tuple(lane_of(carrier_id, traffic) for traffic in Traffic)
        self._due_poller = due_poller
        self._clock = clock
        self._work_metrics = work_metrics
        self._recorder = recorder
        self._health_changed = health_changed
        self._in_flight = in_flight
        self._marks = marks
        self._breaker = CarrierBreaker()
        self._submitting = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unrecorded: list[AnsweredMessage] = []
        self._recording_task: asyncio.Task[None] | None = None
        self._recorded = asyncio.Event()

    @property
    def breaker_is_closed(self) -> bool:
        return self._breaker.is_closed

    async def run(self) -> None:
        """Never returns; cancel it to stop claiming, then await `drained`."""
        while True:
            lanes = await self._due_poller.wait("queue", self._lanes)
            try:
                while await self._claim(lanes):
                    pass
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="dispatch", carrier=self._name, failure=str(failure))
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)

    async def drained(self) -> None:
        """Returns when every submitted message's answer is recorded."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._recording_task:
            await asyncio.gather(self._recording_task, return_exceptions=True)

    async def _claim(self, lanes: Sequence[int]) -> bool:
        """Claims messages from these lanes, in order, as many as there is room for. Returns whether more may be due."""
        room = await self._wait_for_room()
        claimed = 0
        for lane in lanes:
            if claimed >= room:
                break
            # Shielded: a claim that is interrupted by cancellation would look like that of a process that died.
            claimed += await asyncio.shield(self._tracked(self._claim_lane(lane, room - claimed)))
        return claimed >= room

    async def _claim_lane(self, lane: int, room: int) -> int:
        now = self._clock()
        rows = await statements.dispatch.queue_claim(
            self._database,
            lane=lane,
            now=now,
            rows_max=room,
            lease=timedelta(seconds=limits.CLAIM_LEASE_S),
            owner=self._owner,
        )
        if rows:
            await self._start(lane, rows, now)
        return len(rows)

    def _tracked(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Starts a task that `drained` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _wait_for_room(self) -> int:
        """Waits until the carrier, the breaker and the number of unrecorded answers allow a claim; of how many
        messages.
        """
        while True:
            while len(self._unrecorded) >= ANSWERS_PENDING_MAX:
                self._recorded.clear()
                await self._recorded.wait()
            await self._carrier.until_room()
            allowed = self._breaker.claimable(time.monotonic(), self._submitting)
            if allowed == 0:
                await asyncio.sleep(max(limits.DUE_POLL_S, self._breaker.open_for_s(time.monotonic())))
                continue
            if allowed is None and self._submitting:
                await asyncio.sleep(CLAIM_LINGER_S)
            room = min(self._carrier.room(), limits.CLAIM_MESSAGES_MAX, allowed or limits.CLAIM_MESSAGES_MAX)
            if room > 0:
                return room

    async def _start(self, lane: int, rows: Sequence[ClaimedMessage], now: datetime) -> None:
        traffic = lane % limits.LANES_PER_CARRIER
        to_submit, expired, accepted = [], [], []
        for row in rows:
            if row.message_id in self._in_flight:
                # Its claim has ended only because the database was unavailable: its answer is still to come, or to be
                # recorded. It must not be submitted twice; the new claim covers it until then.
                continue
            if row.expires_at <= now or TABLE[MessageState(row.state)].final:
                expired.append(row)
                continue
            if row.state != MessageState.QUEUED:
                accepted.append(row)  # by another carrier, whose answer came after its claim had lapsed
                continue
            message = _outbound(row, traffic)
            if row.previous_owner is not None and self._may_have_left(row):
                lapsed_attempt = _outbound(row, traffic, row.attempts - 1)
                is_submitted_again = traffic == Traffic.TRANSACTIONAL
                lapsed_answer = OWNER_DIED if is_dead(row.previous_owner, self._owner) else CLAIM_LAPSED
                self._queue_answer(
                    AnsweredMessage(
                        lane, lapsed_attempt, lapsed_answer, row.previous_claimed_at or now, is_submitted_again
                    )
                )
                if not is_submitted_again:
                    continue
            self._in_flight.add(message.message_id)
            to_submit.append(message)
        if is_debug():
            message_ids = [message.message_id for message in to_submit]
            log.debug("messages_claimed", carrier=self._name, lane=lane, message_ids=message_ids, expired=len(expired))
        if to_submit:
            self._submitting += len(to_submit)
            self._tracked(self._submit(lane, to_submit, now))
        if expired:
            await self._expire(lane, expired, now)
        if accepted:  # their receipts are awaited; a code is no longer in the text
            await statements.dispatch.queue_await(
                self._database,
                grace=timedelta(seconds=limits.EXPIRY_GRACE_S),
                keys=[QueueKey(lane=lane, message_id=row.message_id) for row in accepted],
            )

    async def _submit(self, lane: int, batch: Sequence[Outbound], started_at: datetime) -> None:
        """Submits a batch. Messages that the carrier leaves unanswered count as unknown if they may have been sent."""
        waiting = {message.message_id: message for message in batch}

        def on_answer(message: Outbound, answer: Answer) -> None:
            if waiting.pop(message.message_id, None) is not None:
                self._on_answer(lane, message, answer, started_at)

        reason = Reason.of(ReasonCode.ATTEMPT_NO_ANSWER)
        try:
            async with asyncio.timeout(limits.CARRIER_SUBMIT_TIMEOUT_S):
                await self._carrier.submit(batch, on_answer, self._before_write)
        except Exception as error:
            text = storable_text(shown_error(error), limits.CARRIER_TEXT_CHARS_MAX)
            reason = Reason.of(ReasonCode.ATTEMPT_CARRIER_FAILED, error=text)
            log.warning("carrier_failed", carrier=self._name, **describe(error))
        finally:
            for message in list(waiting.values()):
                may_have_left = self._marks.is_marked(message.message_id, message.attempt)
                on_answer(message, Answer(Outcome.UNKNOWN if may_have_left else Outcome.DEFERRED, reason=reason))

    def _before_write(self, messages: Sequence[Outbound]) -> None:
        self._marks.mark([(message.message_id, message.attempt) for message in messages])

    def _may_have_left(self, row: ClaimedMessage) -> bool:
        """Whether a message may have been submitted under its lapsed claim. If it certainly was not, it gets no attempt
        and is submitted as if it had not been claimed before.
        """
        owner, claimed_at = row.previous_owner, row.previous_claimed_at
        if (
            owner is None
            or claimed_at is None
            or self._marks.may_have_left(EndedClaim(row.message_id, owner, claimed_at))
        ):
            return True
        log.info("claim_expired_unsent", carrier=self._name, message_id=row.message_id, owner=row.previous_owner)
        return False

    def _on_answer(self, lane: int, message: Outbound, answer: Answer, started_at: datetime) -> None:
        self._submitting -= 1
        if self._breaker.count_answer(answer.outcome, time.monotonic()):
            log.warning(
                "breaker_changed",
                carrier=self._name,
                breaker="closed" if self._breaker.is_closed else "open",
                answer=answer.error_code if answer.reason is None else answer.reason.code,
            )
            self._health_changed()
        self._queue_answer(AnsweredMessage(lane, message, answer, started_at))

    def _queue_answer(self, answered: AnsweredMessage) -> None:
        self._unrecorded.append(answered)
        if self._recording_task is None:
            self._recording_task = asyncio.get_running_loop().create_task(self._record_answers())

    async def _record_answers(self) -> None:
        """Records answers in batches, each of some milliseconds, until there are no more."""
        try:
            while self._unrecorded:
                await asyncio.sleep(ANSWERS_LINGER_S)
                batch = self._unrecorded[: limits.CLAIM_MESSAGES_MAX]
                self._work_metrics.submitted(self._name, [answered.answer for answered in batch])
                refused = await self._record_batch(batch)
                if is_debug():
                    log.debug("answers_recorded", carrier=self._name, answers=[_logged(answered) for answered in batch])
                for answered in batch:
                    if not answered.is_retried:
                        self._in_flight.discard(answered.message.message_id)
                    if answered.message.message_id not in refused:
                        self._marks.erase(answered.message.message_id, answered.message.attempt)
                del self._unrecorded[: len(batch)]
                self._recorded.set()
        finally:
            self._recording_task = None

    async def _record_batch(self, batch: Sequence[AnsweredMessage]) -> set[int]:
        """Retries until the answers are durable: after a lost answer the message would be sent twice. Returns the
        messages whose answers the database refuses.
        """
        refused: set[int] = set()

        def refuse(answered: AnsweredMessage) -> None:
            refused.add(answered.message.message_id)
            log.error("answer_refused", carrier=self._name, message_id=answered.message.message_id)

        await until_durable(
            self._recorder.record,
            batch,
            on_failure=self._on_unavailable,
            on_refused=refuse,
            pause_s=limits.DISPATCH_ERROR_PAUSE_S,
        )
        return refused

    def _on_unavailable(self, batch: Sequence[AnsweredMessage], failure: errors.PlatformFailure) -> None:
        log.warning(
            "database_unavailable",
            component="carrier_answers",
            carrier=self._name,
            messages=len(batch),
            failure=str(failure),
        )

    async def _expire(self, lane: int, rows: Sequence[ClaimedMessage], now: datetime) -> None:
        changes = [
            StateChange(
                row.account_id,
                row.message_id,
                MessageState.EXPIRED,
                now,
                lane,
                reason=Reason.of(ReasonCode.MESSAGE_NOT_SENT),
            )
            for row in rows
        ]
        async with self._database.transaction() as transaction:
            moved_ids = await apply(transaction, changes, Outbox(self._dialects))
            already_final = [row.message_id for row in rows if row.message_id not in moved_ids]
            if already_final:  # another process ended them before this row was locked
                await statements.messages.queue_remove(
                    transaction, keys=[QueueKey(lane=lane, message_id=message_id) for message_id in already_final]
                )


def shown_error(error: Exception) -> str:
    """What a timeline shows of an unexpected error. Others' texts than the system's and our own can quote the message
    that was being sent, or another of its batch.
    """
    return repr(error) if isinstance(error, (OSError, errors.HomingError)) else type(error).__name__


def _logged(answered: AnsweredMessage) -> dict[str, object]:
    return {
        "message_id": answered.message.message_id,
        "attempt": answered.message.attempt,
        "outcome": answered.answer.outcome.name.lower(),
        "carrier_ref": answered.answer.carrier_ref,
    }


def _outbound(row: ClaimedMessage, traffic: int, attempt: int | None = None) -> Outbound:
    return Outbound(
        row.account_id,
        row.message_id,
        row.attempts if attempt is None else attempt,
        row.number,
        row.sender,
        row.text,
        row.encoding,
        row.segments,
        row.expires_at,
        traffic,
        options_of(row.notes),
    )
