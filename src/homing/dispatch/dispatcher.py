"""A carrier's outgoing side: claim due messages, submit them in batches, record what the carrier answered."""

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
from homing.dispatch.in_hand import InHand
from homing.dispatch.written_marks import EndedClaim, WrittenMarks
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import Answer, Outbound, Outcome, Traffic, options_of
from homing.observe.logs import describe
from homing.observe.work import WorkMetrics
from homing.reasons import Reason, ReasonCode
from homing.routing.lanes import lane_of
from homing.states import TABLE, MessageState
from homing.store import statements
from homing.store.database import Database
from homing.store.due_poller import DuePoller
from homing.store.owners import is_dead
from homing.store.statements.dispatch import ClaimedMessage, QueueKey

CLAIM_LINGER_S: Final = 0.02  # for a little more room, so that claims are not of one message each
ANSWERS_PENDING_MAX: Final = 20_000  # answered and not yet stored: then no more is claimed
ANSWERS_LINGER_S: Final = 0.02
log = structlog.get_logger()
T = TypeVar("T")

LAPSED = Answer(Outcome.UNKNOWN, reason=Reason.of(ReasonCode.ATTEMPT_CLAIM_LAPSED))
OWNER_DIED = Answer(Outcome.UNKNOWN, reason=Reason.of(ReasonCode.ATTEMPT_PROCESS_DIED))


class Dispatcher:
    """Serves a carrier's lanes, transactional before promotional, as the carrier has room.

    A claim is a lease: if this process dies, its messages are due again when the lease ends or when another process
    takes over the carrier. The claim is durable before the carrier sees the message, so an attempt can be repeated
    after a crash but never go untold: a message that comes back from a claim that lapsed counts as tried, with an
    unknown end.
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
        in_hand: InHand,
        marks: WrittenMarks,
        dialects: Dialects,
    ) -> None:
        """`in_hand`: what this process has of the carrier, also by a dispatcher before this one. `marks`: what may have
        left the process, of all its carriers.
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
        self._in_hand = in_hand
        self._marks = marks
        self._breaker = CarrierBreaker()
        self._under_way = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pending: list[AnsweredMessage] = []
        self._writer: asyncio.Task[None] | None = None
        self._written = asyncio.Event()

    @property
    def breaker_is_closed(self) -> bool:
        return self._breaker.is_closed

    async def run(self) -> None:
        """Claims for ever; cancel it to stop taking new work, then await `drained`."""
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
        while self._writer:
            await asyncio.gather(self._writer, return_exceptions=True)

    async def _claim(self, lanes: Sequence[int]) -> bool:
        """Claims what there is room for from these lanes, in order, and sends it off; whether there may be more."""
        room = await self._room()
        claimed = 0
        for lane in lanes:
            if claimed >= room:
                break
            # Shielded: a claim that is cut short by our own stopping would look like one whose process died.
            claimed += await asyncio.shield(self._watched(self._take(lane, room - claimed)))
        return claimed >= room

    async def _take(self, lane: int, room: int) -> int:
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

    def _watched(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """A task that `drained` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _room(self) -> int:
        """Waits until the carrier, the breaker and the answers that are still to be stored leave room."""
        while True:
            while len(self._pending) >= ANSWERS_PENDING_MAX:
                self._written.clear()
                await self._written.wait()
            await self._carrier.until_room()
            allowed = self._breaker.room(time.monotonic(), self._under_way)
            if allowed == 0:
                await asyncio.sleep(max(limits.DUE_POLL_S, self._breaker.rest_s(time.monotonic())))
                continue
            if allowed is None and self._under_way:
                await asyncio.sleep(CLAIM_LINGER_S)
            room = min(self._carrier.room(), limits.CLAIM_MESSAGES_MAX, allowed or limits.CLAIM_MESSAGES_MAX)
            if room > 0:
                return room

    async def _start(self, lane: int, rows: Sequence[ClaimedMessage], now: datetime) -> None:
        traffic = lane % limits.LANES_PER_CARRIER
        fit, late = [], []
        for row in rows:
            if row.message_id in self._in_hand:
                # Ours, and its claim has ended only because the database was away: its answer comes, or waits to be
                # stored. It must not go twice; the claim that it has just been given covers the rest of its way.
                continue
            if row.expires_at <= now or TABLE[MessageState(row.state)].final:
                late.append(row)
                continue
            message = _outbound(row, traffic)
            if row.lapsed_of is not None and self._may_have_left(row):
                before = _outbound(row, traffic, row.attempts - 1)
                goes_again = traffic == Traffic.TRANSACTIONAL
                lapsed = OWNER_DIED if is_dead(row.lapsed_of, self._owner) else LAPSED
                self._keep(AnsweredMessage(lane, before, lapsed, row.lapsed_since or now, goes_again))
                if not goes_again:
                    continue
            self._in_hand.take(message.message_id)
            fit.append(message)
        if fit:
            self._under_way += len(fit)
            self._watched(self._submit(lane, fit, now))
        if late:
            await self._expire(lane, late, now)

    async def _submit(self, lane: int, batch: Sequence[Outbound], started_at: datetime) -> None:
        """Hands a batch over; what the carrier leaves unanswered may have gone."""
        waiting = {message.message_id: message for message in batch}

        def answered(message: Outbound, answer: Answer) -> None:
            if waiting.pop(message.message_id, None) is not None:
                self._heard(lane, message, answer, started_at)

        reason = Reason.of(ReasonCode.ATTEMPT_NO_ANSWER)
        try:
            async with asyncio.timeout(limits.CARRIER_SUBMIT_TIMEOUT_S):
                await self._carrier.submit(batch, answered, self._leaving)
        except Exception as error:
            text = storable_text(repr(error), limits.CARRIER_TEXT_CHARS_MAX)
            reason = Reason.of(ReasonCode.ATTEMPT_CARRIER_FAILED, error=text)
            log.warning("carrier_failed", carrier=self._name, **describe(error), text=text)
        finally:
            for message in list(waiting.values()):
                has_left = self._marks.is_marked(message.message_id, message.attempt)
                answered(message, Answer(Outcome.UNKNOWN if has_left else Outcome.DEFERRED, reason=reason))

    def _leaving(self, messages: Sequence[Outbound]) -> None:
        self._marks.mark([(message.message_id, message.attempt) for message in messages])

    def _may_have_left(self, row: ClaimedMessage) -> bool:
        """Whether the claim of a row that has lapsed may have been carried out. One that certainly was not leaves no
        attempt: the message goes as if it had never been claimed.
        """
        owner, claimed_at = row.lapsed_of, row.lapsed_since
        if (
            owner is None
            or claimed_at is None
            or self._marks.may_have_left(EndedClaim(row.message_id, owner, claimed_at))
        ):
            return True
        log.info("claim_expired_unsent", carrier=self._name, message_id=row.message_id, owner=row.lapsed_of)
        return False

    def _heard(self, lane: int, message: Outbound, answer: Answer, started_at: datetime) -> None:
        self._under_way -= 1
        if self._breaker.heard(answer.outcome, time.monotonic()):
            state = "closed" if self._breaker.is_closed else "open"
            why = answer.error_text if answer.reason is None else answer.reason.code
            log.warning(
                "breaker_changed",
                carrier=self._name,
                breaker=state,
                answer=why,
            )
            self._health_changed()
        self._keep(AnsweredMessage(lane, message, answer, started_at))

    def _keep(self, answered: AnsweredMessage) -> None:
        self._pending.append(answered)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        """Stores answers, those of a few milliseconds together, until there are no more."""
        try:
            while self._pending:
                await asyncio.sleep(ANSWERS_LINGER_S)
                batch = self._pending[: limits.CLAIM_MESSAGES_MAX]
                self._work_metrics.submitted(self._name, [one.answer for one in batch])
                refused = await self._store(batch)
                for one in batch:
                    if not one.is_retried:
                        self._in_hand.let_go(one.message.message_id)
                    if one.message.message_id not in refused:
                        self._marks.erase(one.message.message_id, one.message.attempt)
                del self._pending[: len(batch)]
                self._written.set()
        finally:
            self._writer = None

    async def _store(self, batch: Sequence[AnsweredMessage]) -> set[int]:
        """Until it is durable: an answer that is lost makes the message go out twice. The messages whose answers the
        database does not take.
        """
        refused: set[int] = set()

        def refuse(answered: AnsweredMessage) -> None:
            refused.add(answered.message.message_id)
            log.error("answer_refused", carrier=self._name, message_id=answered.message.message_id)

        await until_durable(
            self._recorder.record,
            batch,
            on_failure=self._wait_with,
            on_refused=refuse,
            pause_s=limits.DISPATCH_ERROR_PAUSE_S,
        )
        return refused

    def _wait_with(self, batch: Sequence[AnsweredMessage], failure: errors.PlatformFailure) -> None:
        log.warning(
            "database_unavailable",
            component="carrier_answers",
            carrier=self._name,
            messages=len(batch),
            failure=str(failure),
        )

    async def _expire(self, lane: int, rows: Sequence[ClaimedMessage], now: datetime) -> None:
        events = [
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
            moved = await apply(transaction, events, Outbox(self._dialects))
            stray = [row.message_id for row in rows if row.message_id not in moved]
            if stray:  # ended by another way while its row was still here
                await statements.messages.queue_leave(
                    transaction, keys=[QueueKey(lane=lane, message_id=message_id) for message_id in stray]
                )


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
