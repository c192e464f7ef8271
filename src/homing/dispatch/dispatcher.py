"""A carrier's outgoing side: claim due messages, submit them in batches, record what the carrier answered."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from homing import errors, limits
from homing.carriers.base import Carrier
from homing.dispatch.answers import Answered, record
from homing.kit.batching import Batcher
from homing.messages.transitions import Event, apply
from homing.model import Answer, Outbound, Outcome, Traffic
from homing.observe.work import WorkTally
from homing.routing.lanes import lane_of
from homing.states import TABLE, State
from homing.store.database import Database, Record
from homing.store.pulse import Pulse

log = structlog.get_logger()


class Dispatcher:
    """Serves a carrier's lanes, transactional before promotional, within the carrier's window.

    A claim is a lease: if this process dies, its messages are due again when the lease ends. The claim is durable
    before the carrier sees the message, so an attempt can be repeated after a crash but never go untold.
    """

    def __init__(
        self,
        database: Database,
        carrier_id: int,
        name: str,
        carrier: Carrier,
        owner: str,
        pulse: Pulse,
        clock: Callable[[], datetime],
        tally: WorkTally,
        chance: random.Random,
        window: int = limits.CARRIER_WINDOW_DEFAULT,
    ) -> None:
        self._database = database
        self._carrier_id = carrier_id
        self._name = name
        self._carrier = carrier
        self._owner = owner
        self._lanes = tuple(lane_of(carrier_id, traffic) for traffic in Traffic)
        self._pulse = pulse
        self._clock = clock
        self._tally = tally
        self._chance = chance
        self._window = window
        self._in_flight = 0
        self._submits: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._records: Batcher[list[Answered], None] = Batcher(
            self._record,
            weight_max=limits.CLAIM_MESSAGES_MAX * 2,
            pending_max=limits.SUBMIT_PENDING_MAX,
            weigh=len,
        )

    async def run(self) -> None:
        """Claims for ever; cancel it to stop taking new work, then await `drained`."""
        while True:
            lanes = await self._pulse.wait("queue", self._lanes)
            try:
                while await self._claim(lanes) == limits.CLAIM_MESSAGES_MAX:
                    pass
            except errors.PlatformFailure as failure:
                log.warning("dispatch_waits", carrier=self._name, failure=str(failure))
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)

    async def drained(self) -> None:
        """Returns when every submitted message's answer is recorded."""
        while self._submits:
            await asyncio.gather(*self._submits, return_exceptions=True)
        await self._records.drained()

    async def _claim(self, lanes: Sequence[int]) -> int:
        """Claims up to a batch from these lanes, in their order, and sends it off; gives how many."""
        while self._in_flight >= self._window:
            self._freed.clear()
            await self._freed.wait()
        room = min(limits.CLAIM_MESSAGES_MAX, self._window - self._in_flight)
        claimed = 0
        for lane in lanes:
            if claimed >= room:
                break
            now = self._clock()
            rows = await self._database.fetch(
                "queue_claim", lane, now, room - claimed, timedelta(seconds=limits.CLAIM_LEASE_S), self._owner
            )
            if rows:
                claimed += len(rows)
                self._start(lane, rows, now)
        return claimed

    def _start(self, lane: int, rows: Sequence[Record], now: datetime) -> None:
        self._in_flight += len(rows)
        task = asyncio.get_running_loop().create_task(self._serve(lane, rows, now))
        self._submits.add(task)
        task.add_done_callback(self._submits.discard)

    async def _serve(self, lane: int, rows: Sequence[Record], now: datetime) -> None:
        try:
            batch = [_outbound(row) for row in rows if row["expires_at"] > now and not _ended(row)]
            late = [row for row in rows if row["expires_at"] <= now or _ended(row)]
            if late:
                await self._expire(lane, late, now)
            if batch:
                answers = await self._submit(batch)
                self._tally.submitted(self._name, answers)
                await self._keep(
                    [Answered(lane, message, answer, now) for message, answer in zip(batch, answers, strict=True)]
                )
        except errors.PlatformFailure as failure:  # the lease ends and the messages are due again
            log.warning("claim_given_back", carrier=self._name, messages=len(rows), failure=str(failure))
        finally:
            self._in_flight -= len(rows)
            self._freed.set()

    async def _submit(self, batch: Sequence[Outbound]) -> Sequence[Answer]:
        try:
            async with asyncio.timeout(limits.CARRIER_SUBMIT_TIMEOUT_S):
                answers = await self._carrier.submit(batch)
            if len(answers) == len(batch):
                return answers
            reason = f"{len(answers)} answers to {len(batch)} messages"
        except Exception as error:
            reason = type(error).__name__
            log.warning("carrier_failed", carrier=self._name, error=reason)
        return [Answer(Outcome.DEFERRED, None, None, reason)] * len(batch)

    async def _keep(self, answered: list[Answered]) -> None:
        """Until it is durable: an answer that is lost makes the message go out twice."""
        while True:
            try:
                await self._records.put(answered)
                return
            except errors.PlatformFailure as failure:
                log.warning("answers_wait", carrier=self._name, messages=len(answered), failure=str(failure))
                if isinstance(failure, errors.StoreFailed) and failure.poison:
                    raise
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)

    async def _expire(self, lane: int, rows: Sequence[Record], now: datetime) -> None:
        events = [
            Event(
                row["account_id"],
                row["message_id"],
                State.EXPIRED,
                now,
                lane,
                None,
                "not sent within its validity",
            )
            for row in rows
        ]
        async with self._database.transaction() as transaction:
            moved = await apply(transaction, events)
            stray = [row["message_id"] for row in rows if row["message_id"] not in moved]
            if stray:  # ended by another way while its row was still here
                await transaction.execute("queue_leave", [lane] * len(stray), stray)

    async def _record(self, batches: Sequence[list[Answered]]) -> Sequence[None]:
        answered = [one for batch in batches for one in batch]
        await record(self._database, self._carrier_id, answered, self._clock(), self._chance)
        return [None] * len(batches)


def _ended(row: Record) -> bool:
    return TABLE[State(row["state"])].final


def _outbound(row: Record) -> Outbound:
    return Outbound(
        row["account_id"],
        row["message_id"],
        row["attempts"],
        row["number"],
        row["sender"],
        row["text"],
        row["encoding"],
        row["segments"],
        row["expires_at"],
    )
