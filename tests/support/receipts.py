"""Messages that wait for their receipts, and the real inbox over a real database, at a time that the test sets."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import asyncpg
from prometheus_client import CollectorRegistry

from homing import limits
from homing.common import ids
from homing.dialects.registry import DIALECTS
from homing.dispatch.expiry import ExpirySweep
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import CarrierReceipt, Outcome, Traffic
from homing.observe.work import WorkMetrics
from homing.receipts.inbox import IncomingReceipt, ReceiptInbox
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database
from homing.store.migrate import migrate
from homing.store.statements.dispatch import NewAttempt, NewPart, QueueKey

NUMBER = "447700900123"
SENDER = "HOMING"
PRICE_MICRO = 20_000
VALIDITY = timedelta(days=1)


@dataclass
class PostRoom:
    """One account, any number of carriers, and two processes that hear receipts of the same carriers."""

    database: Database
    now: datetime
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    inboxes: list[ReceiptInbox] = field(default_factory=list)
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)

    @classmethod
    async def open(cls, dsn: str, now: datetime | None = None) -> Self:
        """`now`: where the clock of inboxes and messages stands; a partition is made for it if it is long ago."""
        await migrate(dsn)
        room = cls(Database(dsn=dsn), now or datetime.now(UTC))
        await room.database.open()
        tally = WorkMetrics(room.registry)
        room.inboxes = [
            ReceiptInbox(database=room.database, clock=room.clock, work_metrics=tally, dialects=DIALECTS)
            for _process in range(2)
        ]
        await room.sql("INSERT INTO account (name, queries_per_s) VALUES ('room', 1)")
        await room.sql("INSERT INTO balance (account_id) VALUES (1)")
        if now:
            first = ids.first_id_at(int((now - timedelta(days=1)).timestamp() * 1000))
            beyond = ids.first_id_at(int((now + timedelta(days=1)).timestamp() * 1000))
            for table in ("message", "attempt", "part", "receipt"):
                await room.sql(
                    f"CREATE TABLE {table}_then PARTITION OF {table} FOR VALUES FROM ({first}) TO ({beyond})"
                )
        return room

    async def close(self) -> None:
        for inbox in self.inboxes:
            await inbox.drained()
        await self.database.close()

    def clock(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def wait_trying(self, seconds: float, process: int = 0) -> None:
        """As a link that runs meanwhile: it looks at parked receipts again and again."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.wait(min(limits.RECEIPT_PARK_RETRY_S_MAX / 4, (end - self.now).total_seconds()))
            await self.retry(process)

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async with self.database.connection() as connection:
            rows: list[asyncpg.Record] = await connection.raw.fetch(statement, *values)
            return rows

    async def carrier(self) -> int:
        """A new one, named after its id."""
        (row,) = await self.sql(
            "INSERT INTO carrier (name, kind, settings) VALUES (gen_random_uuid(), 'simulator', '{}')"
            " RETURNING carrier_id"
        )
        carrier_id: int = row["carrier_id"]
        await self.sql("UPDATE carrier SET name = $1 WHERE carrier_id = $2", f"carrier-{carrier_id}", carrier_id)
        return carrier_id

    async def submit(
        self,
        carrier_id: int,
        number: str = NUMBER,
        *,
        sender: str = SENDER,
        segments: int = 1,
        traffic: Traffic = Traffic.TRANSACTIONAL,
        validity: timedelta = VALIDITY,
    ) -> int:
        """A message that lies in its carrier's lane, paid for."""
        message_id = ids.first_id_at(int(self.now.timestamp() * 1000)) + next(self._ids)
        charge = PRICE_MICRO * segments
        expires_at = self.now + validity
        await self.sql(
            "INSERT INTO message (account_id, message_id, submission_id, dialect, app_id, request_id, number, country,"
            " mcc, mnc, sender, text, encoding, segments, traffic, price_micro, charge_micro, gift_micro, route_id,"
            " carrier_id, expires_at) VALUES"
            " (1, $1, $1, 1, '', '', $2, '', '', '', $3, '', 0, $4, $5, $6, $7, 0, 1, $8, $9)",
            message_id,
            number,
            sender,
            segments,
            int(traffic),
            PRICE_MICRO,
            charge,
            carrier_id,
            expires_at,
        )
        await self.sql(
            "INSERT INTO queue (lane, message_id, account_id, due_at, expires_at) VALUES ($1, $2, 1, $3, $4)",
            carrier_id * limits.LANES_PER_CARRIER + traffic,
            message_id,
            self.now,
            expires_at,
        )
        return message_id

    async def answer(
        self,
        message_id: int,
        carrier_id: int,
        refs: Sequence[str],
        *,
        attempt: int = 1,
        outcome: Outcome = Outcome.ACCEPTED,
        waits: bool = True,
    ) -> None:
        """The carrier's answer, written down by the statements that dispatch uses. `waits`: in lane 0 from now on."""
        (row,) = await self.sql(
            "SELECT lane, traffic FROM queue JOIN message USING (message_id) WHERE message_id = $1", message_id
        )
        first = refs[0] if refs else None
        async with self.database.transaction() as transaction:
            await statements.dispatch.attempts_add(
                transaction,
                carrier_id=carrier_id,
                answered_at=self.now,
                attempts=[
                    NewAttempt(
                        account_id=1,
                        message_id=message_id,
                        attempt=attempt,
                        started_at=self.now,
                        outcome=int(outcome),
                        carrier_ref=first,
                        error_code=None,
                        error_text=None,
                        reason=None,
                    )
                ],
            )
            if len(refs) > 1:
                await statements.dispatch.parts_add(
                    transaction,
                    carrier_id=carrier_id,
                    parts=[
                        NewPart(account_id=1, message_id=message_id, attempt=attempt, part=number, carrier_ref=ref)
                        for number, ref in enumerate(refs, 1)
                    ],
                )
            if not waits:
                return
            await statements.dispatch.queue_await(
                transaction,
                grace=timedelta(seconds=limits.EXPIRY_GRACE_S),
                keys=[QueueKey(lane=row["lane"], message_id=message_id)],
            )
            state = MessageState.SENT if outcome is Outcome.ACCEPTED else MessageState.UNKNOWN
            await apply(
                transaction,
                [StateChange(1, message_id, state, self.now, row["lane"], carrier_id=carrier_id, carrier_ref=first)],
                Outbox(DIALECTS),
            )

    async def sent(self, carrier_id: int, *refs: str, number: str = NUMBER, sender: str = SENDER) -> int:
        """A message that its carrier has taken, under these ids."""
        message_id = await self.submit(carrier_id, number, sender=sender, segments=max(1, len(refs)))
        await self.answer(message_id, carrier_id, refs)
        return message_id

    async def report(
        self,
        carrier_id: int,
        ref: str,
        state: MessageState = MessageState.DELIVERED,
        *,
        number: str | None = NUMBER,
        error: str | None = None,
        at: datetime | None = None,
        process: int = 0,
    ) -> None:
        receipt = CarrierReceipt(ref, int(state), at or self.now, error, f"id:{ref} stat:{state.name}", number)
        await self.take(carrier_id, receipt, process=process)

    async def take(self, carrier_id: int, *receipts: CarrierReceipt, process: int = 0) -> None:
        await self.inboxes[process].store(
            [IncomingReceipt(carrier_id, f"carrier-{carrier_id}", one) for one in receipts]
        )

    async def retry(self, process: int = 0) -> None:
        """What is due is tried."""
        while await self.inboxes[process].retry_due():
            pass

    async def sweep(self) -> None:
        sweep = ExpirySweep(self.database, self.clock, DIALECTS)
        while await sweep.sweep_receipts_overdue():
            pass

    async def message(self, message_id: int) -> asyncpg.Record:
        (row,) = await self.sql("SELECT * FROM message WHERE message_id = $1", message_id)
        return row

    async def state(self, message_id: int) -> MessageState:
        return MessageState((await self.message(message_id))["state"])

    async def receipts(self, message_id: int) -> list[tuple[MessageState, bool]]:
        """What was reported of a message, and whether it changed anything."""
        rows = await self.sql(
            "SELECT state, applied FROM receipt WHERE message_id = $1 ORDER BY receipt_id", message_id
        )
        return [(MessageState(row["state"]), row["applied"]) for row in rows]

    async def parked(self, carrier_id: int) -> list[asyncpg.Record]:
        return await self.sql("SELECT * FROM parked_receipt WHERE carrier_id = $1 ORDER BY parked_id", carrier_id)

    async def waits_until(self, message_id: int) -> datetime | None:
        """When its row in lane 0 is due."""
        rows = await self.sql("SELECT due_at FROM queue WHERE lane = 0 AND message_id = $1", message_id)
        return rows[0]["due_at"] if rows else None

    def counted(self, carrier_id: int, effect: str) -> float:
        """The counter of receipts."""
        labels = {"carrier": f"carrier-{carrier_id}", "effect": effect}
        return self.registry.get_sample_value("homing_receipts_total", labels) or 0.0
