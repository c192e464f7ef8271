"""Delivers receipts and inbound messages to customers' sessions: claims the outbox's rows of the accounts that are
bound to this process, sends them over any of their receiving sessions, and records the responses.

Rows wait in the outbox's lane -1 until the account binds. They are claimed by account, so that accounts without a bind
cost nothing.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec
import structlog

from homing import errors, limits
from homing.common.backoff import scheduled_s
from homing.common.batching import Batcher
from homing.delivery.bind_pdus import pdus_of
from homing.model import PushKind, PushOutcome
from homing.observe.logs import describe, is_debug
from homing.observe.smpp import SmppMetrics
from homing.observe.work import WorkMetrics
from homing.smpp.connection import SmppConnection
from homing.smpp.open_requests import RequestFailure, ResponseOrFailure
from homing.smpp.pdus import DeliverSm, ResponsePdu
from homing.smpp.statuses import meaning
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.binds import BindRoom, DeliveryRow
from homing.store.statements.pushes import PushResult

BIND_CLAIM_ITEMS_MAX: Final = 1_000
BIND_LINGER_S: Final = 0.02
BIND_LOOK_S_PER_ACCOUNT: Final = 0.00005  # looks for deliveries come this much rarer for each bound account
BIND_LOOK_S_MAX: Final = 1.0
BIND_GIVE_UP_SWEEP_S: Final = 60.0
BIND_KEEP_DAYS: Final = 3  # receipts and inbound messages wait so long for a bind that receives
BIND_WAITS_S: Final = (1, 5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
log = structlog.get_logger()

UNSENT_MS = -1
"""took_ms of a row that was not sent: no attempt, and not counted."""


class ReceivingSession(Protocol):
    """A customer's bound session that takes deliver_sm. `with_tlvs`: its interface version has optional parameters.
    `charset`: what data_coding 0 stands for.
    """

    account_id: int
    connection: SmppConnection
    with_tlvs: bool
    charset: str


class DeliveryAttempt(msgspec.Struct, frozen=True):
    """An attempt that has ended. `due_at`: when the next is due; None: never."""

    row: DeliveryRow
    at: datetime
    took_ms: int
    status: int | None
    answer: str
    outcome: PushOutcome
    due_at: datetime | None


class BindDelivery:
    """`add` and `remove` sessions; `run` delivers to them."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Callable[[], datetime],
        work_metrics: WorkMetrics,
        smpp_metrics: SmppMetrics,
        rng: random.Random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._work_metrics = work_metrics
        self._smpp_metrics = smpp_metrics
        self._rng = rng
        self._sessions: dict[int, deque[ReceivingSession]] = {}
        self._wake_up = asyncio.Event()
        self._filled: set[int] = set()
        """Accounts whose sessions were filled by the last claim: more rows may wait for them."""
        self._records: Batcher[DeliveryAttempt, None] = Batcher(
            self._record,
            weight_max=limits.PUSH_BATCH_MAX,
            pending_max=limits.SUBMIT_PENDING_MAX,
            linger_s=BIND_LINGER_S,
        )

    @property
    def accounts(self) -> list[int]:
        """The accounts with a receiving session."""
        return list(self._sessions)

    def add(self, session: ReceivingSession) -> None:
        """Wakes `run`, a moment later: sessions that bind at the same time share a claim."""
        self._sessions.setdefault(session.account_id, deque()).append(session)
        asyncio.get_running_loop().call_later(BIND_LINGER_S, self._wake_up.set)

    def remove(self, session: ReceivingSession) -> None:
        sessions = self._sessions[session.account_id]
        sessions.remove(session)
        if not sessions:
            del self._sessions[session.account_id]

    async def run(self) -> None:
        """Claims for ever; cancel it to stop."""
        loop = asyncio.get_running_loop()
        give_up_at_s = loop.time()
        while True:
            try:
                if loop.time() >= give_up_at_s:
                    give_up_at_s = loop.time() + BIND_GIVE_UP_SWEEP_S
                    await self._give_up()
                while await self._claim():
                    pass
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="bind_delivery", failure=str(failure))
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)
            await self._pause()

    async def drained(self) -> None:
        """Returns when all results are recorded; to be called once the sessions are closed."""
        await self._records.drained()

    async def _pause(self) -> None:
        """Until the next claim: at once when a session was added or has room again, else longer the more accounts there
        are.
        """
        pause_s = BIND_GIVE_UP_SWEEP_S
        if self._sessions:
            spread_s = len(self._sessions) * BIND_LOOK_S_PER_ACCOUNT
            pause_s = min(limits.DUE_POLL_S + spread_s, BIND_LOOK_S_MAX)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._wake_up.wait()
        self._wake_up.clear()

    async def _claim(self) -> bool:
        """Claims and sends one batch. Returns whether there may be more to send now."""
        rooms = {account_id: room for account_id in self._sessions if (room := self._room(account_id))}
        if not rooms:
            return False
        rows = await statements.binds.deliveries_claim(
            self._database,
            now=self._clock(),
            rows_max=BIND_CLAIM_ITEMS_MAX,
            lease=timedelta(seconds=limits.BIND_LEASE_S),
            rooms=[BindRoom(account_id=account_id, room=room) for account_id, room in rooms.items()],
        )
        claimed: dict[int, int] = {}
        for row in sorted(rows, key=lambda row: int(row.push_id)):
            claimed[row.account_id] = claimed.get(row.account_id, 0) + 1
            self._deliver(row)
        self._filled = {account_id for account_id, count in claimed.items() if count >= rooms[account_id]}
        return len(rows) >= BIND_CLAIM_ITEMS_MAX

    def _room(self, account_id: int) -> int:
        """How many deliveries the account's sessions have room for, at most one claim's."""
        room = 0
        for session in self._sessions[account_id]:
            room += session.connection.room
            if room >= BIND_CLAIM_ITEMS_MAX:
                return BIND_CLAIM_ITEMS_MAX
        return room

    def _session_with_room(self, account_id: int) -> ReceivingSession | None:
        """The account's next session with room, in turn; None when none has room."""
        sessions = self._sessions.get(account_id) or deque()
        for _turn in range(len(sessions)):
            sessions.rotate(-1)
            if sessions[0].connection.room:
                return sessions[0]
        return None

    def _deliver(self, row: DeliveryRow) -> None:
        now = self._clock()
        session = self._session_with_room(row.account_id)
        if session is None:
            self._put(DeliveryAttempt(row, now, UNSENT_MS, None, "", PushOutcome.PENDING, now))
            return
        try:
            pdus = pdus_of(
                PushKind(row.kind),
                row.body,
                row.push_id,
                with_tlvs=session.with_tlvs,
                charset=session.charset,
            )
            connection = session.connection
            PendingDelivery(connection, iter(pdus), lambda answer, s: self._ended(row, connection, now, answer, s)).go()
        except ValueError as error:
            log.warning("delivery_not_encodable", push_id=row.push_id, **describe(error))
            self._put(DeliveryAttempt(row, now, 0, None, "cannot be encoded", PushOutcome.GIVEN_UP, None))

    def _ended(
        self, row: DeliveryRow, connection: SmppConnection, at: datetime, answer: ResponseOrFailure, took_s: float
    ) -> None:
        if row.account_id in self._filled and 2 * connection.room >= connection.session.window_out:
            self._filled.discard(row.account_id)
            self._wake_up.set()
        took_ms = round(took_s * 1000)
        if isinstance(answer, ResponsePdu):
            self._smpp_metrics.count("deliver_sm", answer.status)
            description = meaning(answer.status).name
            if not answer.status:
                self._put(DeliveryAttempt(row, at, took_ms, answer.status, description, PushOutcome.ACKNOWLEDGED, None))
                return
            status: int | None = answer.status & 0x7FFF_FFFF  # the column is a signed integer
        elif answer is RequestFailure.NOT_SENT:
            self._put(DeliveryAttempt(row, at, UNSENT_MS, None, "", PushOutcome.PENDING, self._clock()))
            return
        else:
            status, description = None, answer.value
        wait_s = scheduled_s(row.attempts - row.attempts_replayed, BIND_WAITS_S, self._rng)
        if wait_s is None:
            self._put(DeliveryAttempt(row, at, took_ms, status, description, PushOutcome.GIVEN_UP, None))
            return
        due_at = self._clock() + timedelta(seconds=wait_s)
        self._put(DeliveryAttempt(row, at, took_ms, status, description, PushOutcome.PENDING, due_at))

    def _put(self, attempt: DeliveryAttempt) -> None:
        try:
            self._records.put(attempt).add_done_callback(_retrieve_exception)
        except errors.Overloaded:
            log.warning("delivery_not_recorded", failure="too many results wait")

    async def _record(self, attempts: Sequence[DeliveryAttempt]) -> list[None]:
        try:
            await self._write(attempts)
        except errors.PlatformFailure as failure:
            # They are delivered again when their lease ends: twice rather than never.
            log.warning(
                "database_unavailable", component="bind_delivery_results", count=len(attempts), failure=str(failure)
            )
            raise
        for outcome in PushOutcome:
            self._work_metrics.pushed(
                outcome.name.lower(),
                sum(1 for attempt in attempts if attempt.outcome is outcome and attempt.took_ms != UNSENT_MS),
            )
        if is_debug():
            log.debug("deliveries_sent", deliveries=[_logged(attempt) for attempt in attempts])
        return [None] * len(attempts)

    async def _write(self, attempts: Sequence[DeliveryAttempt]) -> None:
        await statements.pushes.pushes_record(
            self._database,
            results=[
                PushResult(
                    account_id=attempt.row.account_id,
                    push_id=attempt.row.push_id,
                    attempt=attempt.row.attempts,
                    at=attempt.at,
                    took_ms=attempt.took_ms,
                    status=attempt.status,
                    answer=attempt.answer,
                    outcome=int(attempt.outcome),
                    due_at=attempt.due_at,
                    message_id=attempt.row.message_id,
                    webhook_id=0,
                    event_id=None,
                )
                for attempt in attempts
            ],
        )

    async def _give_up(self) -> None:
        since = self._clock() - timedelta(days=BIND_KEEP_DAYS)
        while True:
            rows = await statements.binds.deliveries_give_up(
                self._database, due_since=since, rows_max=BIND_CLAIM_ITEMS_MAX
            )
            self._work_metrics.pushed(PushOutcome.GIVEN_UP.name.lower(), len(rows))
            if len(rows) < BIND_CLAIM_ITEMS_MAX:
                return


def _logged(attempt: DeliveryAttempt) -> dict[str, object]:
    return {
        "push_id": attempt.row.push_id,
        "message_id": attempt.row.message_id,
        "attempt": attempt.row.attempts,
        "status": attempt.status,
        "outcome": attempt.outcome.name.lower(),
    }


class PendingDelivery:
    """Sends one row's PDUs over one session, each when the one before is answered. `on_end` gets the last response, or
    the first that is not ROK, and the seconds that it took.
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
    """The batch's failure is logged already; asyncio would log an exception that is not retrieved."""
    record.exception()
