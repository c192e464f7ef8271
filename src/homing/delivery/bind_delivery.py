"""Receipts and inbound messages to customers' binds: claimed for the accounts that are bound here, sent over any of
their binds that receive, and done when the customer has answered.

Rows wait in the outbox's lane -1 until a bind comes. They are looked for by account, so that whoever has no bind costs
nothing.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import structlog

from homing import errors, limits
from homing.common.backoff import scheduled_s
from homing.common.batching import Batcher
from homing.delivery.bind_pdus import pdus_of
from homing.model import PushKind, PushOutcome
from homing.observe.logs import describe
from homing.observe.smpp import SmppMetrics
from homing.observe.work import WorkMetrics
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import DeliverSm, ResponsePdu
from homing.smpp.session import RequestFailure, ResponseOrFailure
from homing.smpp.statuses import meaning
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.binds import BindRoom, DeliveryRow
from homing.store.statements.pushes import PushResult

log = structlog.get_logger()

UNSENT_MS = -1
"""In place of the time an attempt took: it was none, and does not count."""


class ReceivingSession(Protocol):
    """A customer's bound session that takes deliver_sm. `with_tlvs`: its interface version has optional parameters.
    `charset`: what data_coding 0 stands for.
    """

    account_id: int
    connection: SmppConnection
    with_tlvs: bool
    charset: str


class DeliveryAttempt(msgspec.Struct, frozen=True):
    """An attempt that has ended, and when the next is due (None: no more)."""

    row: DeliveryRow
    at: datetime
    took_ms: int
    status: int | None
    answer: str
    outcome: PushOutcome
    due_at: datetime | None


class BindDelivery:
    """`joined` and `left` tell which binds there are; `run` serves them."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        tally: WorkMetrics,
        smpp_tally: SmppMetrics,
        chance: random.Random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._tally = tally
        self._smpp_tally = smpp_tally
        self._chance = chance
        self._receivers: dict[int, deque[ReceivingSession]] = {}
        self._wanted = asyncio.Event()
        self._hungry: set[int] = set()
        """Accounts whose binds were filled by the last claim: more may wait for them."""
        self._records: Batcher[DeliveryAttempt, None] = Batcher(
            self._record,
            weight_max=limits.PUSH_BATCH_MAX,
            pending_max=limits.SUBMIT_PENDING_MAX,
            linger_s=limits.BIND_LINGER_S,
        )

    @property
    def accounts(self) -> list[int]:
        """Those with a bind that receives."""
        return list(self._receivers)

    def joined(self, receiver: ReceivingSession) -> None:
        """What waits for the account is looked for at once; binds that come close together share a look."""
        self._receivers.setdefault(receiver.account_id, deque()).append(receiver)
        asyncio.get_running_loop().call_later(limits.BIND_LINGER_S, self._wanted.set)

    def left(self, receiver: ReceivingSession) -> None:
        receivers = self._receivers[receiver.account_id]
        receivers.remove(receiver)
        if not receivers:
            del self._receivers[receiver.account_id]

    async def run(self) -> None:
        """For ever; cancel it to take nothing more."""
        loop = asyncio.get_running_loop()
        give_up_at_s = loop.time()
        while True:
            try:
                if loop.time() >= give_up_at_s:
                    give_up_at_s = loop.time() + limits.BIND_GIVE_UP_SWEEP_S
                    await self._give_up()
                while await self._claim():
                    pass
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="bind_delivery", failure=str(failure))
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)
            await self._rest()

    async def drained(self) -> None:
        """Call it when the binds are closed: then every delivery has ended."""
        await self._records.drained()

    async def _rest(self) -> None:
        """Until the next look: at once when a bind has come or has room for what waits, else rarer the more accounts
        there are to look for.
        """
        pause_s = limits.BIND_GIVE_UP_SWEEP_S
        if self._receivers:
            spread_s = len(self._receivers) * limits.BIND_LOOK_S_PER_ACCOUNT
            pause_s = min(limits.PULSE_S + spread_s, limits.BIND_LOOK_S_MAX)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._wanted.wait()
        self._wanted.clear()

    async def _claim(self) -> bool:
        """One batch; whether there may be more that can be sent now."""
        rooms = {account_id: room for account_id in self._receivers if (room := self._room(account_id))}
        if not rooms:
            return False
        rows = await statements.binds.deliveries_claim(
            self._database,
            now=self._clock(),
            rows_max=limits.BIND_CLAIM_ITEMS_MAX,
            lease=timedelta(seconds=limits.BIND_LEASE_S),
            rooms=[BindRoom(account_id=account_id, room=room) for account_id, room in rooms.items()],
        )
        taken: dict[int, int] = {}
        for row in sorted(rows, key=lambda row: int(row.push_id)):
            taken[row.account_id] = taken.get(row.account_id, 0) + 1
            self._deliver(row)
        self._hungry = {account_id for account_id, count in taken.items() if count >= rooms[account_id]}
        return len(rows) >= limits.BIND_CLAIM_ITEMS_MAX

    def _room(self, account_id: int) -> int:
        """How many deliveries the account's binds have room for, as far as one claim goes."""
        room = 0
        for one in self._receivers[account_id]:
            room += one.connection.room
            if room >= limits.BIND_CLAIM_ITEMS_MAX:
                return limits.BIND_CLAIM_ITEMS_MAX
        return room

    def _receiver(self, account_id: int) -> ReceivingSession | None:
        """The account's binds take turns; None when none has room."""
        receivers = self._receivers.get(account_id) or deque()
        for _one in range(len(receivers)):
            receivers.rotate(-1)
            if receivers[0].connection.room:
                return receivers[0]
        return None

    def _deliver(self, row: DeliveryRow) -> None:
        now = self._clock()
        receiver = self._receiver(row.account_id)
        if receiver is None:
            self._put(DeliveryAttempt(row, now, UNSENT_MS, None, "", PushOutcome.PENDING, now))
            return
        try:
            pdus = pdus_of(
                PushKind(row.kind),
                row.body,
                row.push_id,
                with_tlvs=receiver.with_tlvs,
                charset=receiver.charset,
            )
            connection = receiver.connection
            PendingDelivery(connection, iter(pdus), lambda answer, s: self._ended(row, connection, now, answer, s)).go()
        except ValueError as error:
            log.warning("delivery_impossible", push_id=row.push_id, **describe(error))
            self._put(DeliveryAttempt(row, now, 0, None, "it makes no message", PushOutcome.GIVEN_UP, None))

    def _ended(
        self, row: DeliveryRow, connection: SmppConnection, at: datetime, answer: ResponseOrFailure, took_s: float
    ) -> None:
        if row.account_id in self._hungry and 2 * connection.room >= connection.session.window_out:
            self._hungry.discard(row.account_id)
            self._wanted.set()
        took_ms = round(took_s * 1000)
        if isinstance(answer, ResponsePdu):
            self._smpp_tally.count("deliver_sm", answer.status)
            said = meaning(answer.status).name
            if not answer.status:
                self._put(DeliveryAttempt(row, at, took_ms, answer.status, said, PushOutcome.ACKNOWLEDGED, None))
                return
            status: int | None = answer.status & 0x7FFF_FFFF  # as it is stored; none that is used is beyond
        elif answer is RequestFailure.NOT_SENT:
            self._put(DeliveryAttempt(row, at, UNSENT_MS, None, "", PushOutcome.PENDING, self._clock()))
            return
        else:
            status, said = None, answer.value
        wait_s = scheduled_s(row.attempts - row.attempts_replayed, limits.BIND_WAITS_S, self._chance)
        if wait_s is None:
            self._put(DeliveryAttempt(row, at, took_ms, status, said, PushOutcome.GIVEN_UP, None))
            return
        due_at = self._clock() + timedelta(seconds=wait_s)
        self._put(DeliveryAttempt(row, at, took_ms, status, said, PushOutcome.PENDING, due_at))

    def _put(self, done: DeliveryAttempt) -> None:
        try:
            self._records.put(done).add_done_callback(_retrieve_exception)
        except errors.Overloaded:
            log.warning("delivery_not_recorded", failure="too many wait")

    async def _record(self, done: Sequence[DeliveryAttempt]) -> list[None]:
        try:
            await self._write(done)
        except errors.PlatformFailure as failure:
            # They are due again when their lease ends: the customer gets them twice rather than never.
            log.warning(
                "database_unavailable", component="bind_delivery_results", count=len(done), failure=str(failure)
            )
            raise
        for outcome in PushOutcome:
            self._tally.pushed(
                outcome.name.lower(), sum(1 for one in done if one.outcome is outcome and one.took_ms != UNSENT_MS)
            )
        return [None] * len(done)

    async def _write(self, done: Sequence[DeliveryAttempt]) -> None:
        await statements.pushes.pushes_record(
            self._database,
            results=[
                PushResult(
                    account_id=one.row.account_id,
                    push_id=one.row.push_id,
                    attempt=one.row.attempts,
                    at=one.at,
                    took_ms=one.took_ms,
                    status=one.status,
                    answer=one.answer,
                    outcome=int(one.outcome),
                    due_at=one.due_at,
                    message_id=one.row.message_id,
                )
                for one in done
            ],
        )

    async def _give_up(self) -> None:
        since = self._clock() - timedelta(days=limits.BIND_KEEP_DAYS)
        while True:
            rows = await statements.binds.deliveries_give_up(
                self._database, due_since=since, rows_max=limits.BIND_CLAIM_ITEMS_MAX
            )
            self._tally.pushed(PushOutcome.GIVEN_UP.name.lower(), len(rows))
            if len(rows) < limits.BIND_CLAIM_ITEMS_MAX:
                return


class PendingDelivery:
    """One row's PDUs over one bind, one after the other: the next goes when the one before is answered. `on_end` gets
    the last answer, or the first that is not ok, and how many seconds it all took.
    """

    __slots__ = ("_began_s", "_connection", "_on_end", "_pdus")

    def __init__(
        self, connection: SmppConnection, pdus: Iterator[DeliverSm], on_end: Callable[[ResponseOrFailure, float], None]
    ) -> None:
        self._connection = connection
        self._pdus = pdus
        self._on_end = on_end
        self._began_s = time.monotonic()

    def go(self) -> None:
        """Raises UnencodablePdu."""
        self._connection.send(next(self._pdus), self._answered)

    def _answered(self, answer: ResponseOrFailure) -> None:
        if isinstance(answer, ResponsePdu) and not answer.status:
            following = next(self._pdus, None)
            if following is not None:
                self._connection.send(following, self._answered)
                return
        self._on_end(answer, time.monotonic() - self._began_s)


def _retrieve_exception(record: "asyncio.Future[None]") -> None:
    """The batch's failure has been told; an exception that nobody looks at would be told once more."""
    record.exception()
