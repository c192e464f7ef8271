"""Messages whose time is over: the sent ones of which no receipt came, or not of all parts, and those that nobody
sent.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from homing import errors, limits
from homing.dialects.base import Dialects
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.reasons import Reason, ReasonCode
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.dispatch import ExpiredMessage, MessageRef, QueueKey

EXPIRY_SWEEP_S: Final = 5.0
OVERDUE_SWEEP_S: Final = 60.0
log = structlog.get_logger()


class ExpirySweep:
    """Ends overdue messages, in batches, every few seconds: as expired, or as delivered where a part was.

    Receipts of parts draw a message's time nearer (receipts/parts.py), so that one whose other parts stay silent ends
    minutes after the part that was delivered, and not with its validity.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], dialects: Dialects) -> None:
        self._dialects = dialects
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        overdue_at_s = loop.time()
        while True:
            try:
                while await self.sweep_silent():
                    pass
                if loop.time() >= overdue_at_s:
                    while await self.sweep_unsent():
                        pass
                    overdue_at_s = loop.time() + OVERDUE_SWEEP_S
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="expiry", failure=str(failure))
            await asyncio.sleep(EXPIRY_SWEEP_S)

    async def sweep_silent(self) -> bool:
        """One batch of those that wait for a receipt; whether there may be more."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            rows = await statements.dispatch.queue_expired(transaction, now=now, rows_max=limits.CLAIM_MESSAGES_MAX)
            if rows:
                # read under the messages' locks: a receipt of a part that came a moment ago is seen
                delivered = {
                    row.message_id: row.at
                    for row in await statements.receipts.parts_delivered(
                        transaction,
                        keys=[MessageRef(account_id=row.account_id, message_id=row.message_id) for row in rows],
                    )
                }
                await self._end(transaction, rows, [_silent(row, delivered.get(row.message_id), now) for row in rows])
        return len(rows) == limits.CLAIM_MESSAGES_MAX

    async def sweep_unsent(self) -> bool:
        """One batch of those that wait for their carrier; whether there may be more."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            rows = await statements.dispatch.queue_overdue(
                transaction, now=now, rows_max=limits.CLAIM_MESSAGES_MAX, grace=timedelta(seconds=limits.CLAIM_LEASE_S)
            )
            if rows:
                reason = Reason.of(ReasonCode.MESSAGE_NOT_SENT)
                await self._end(transaction, rows, [_expired(row, now, reason) for row in rows])
        return len(rows) == limits.CLAIM_MESSAGES_MAX

    async def _end(
        self, transaction: DatabaseConnection, rows: Sequence[ExpiredMessage], events: Sequence[StateChange]
    ) -> None:
        await apply(transaction, events, Outbox(self._dialects))
        await statements.messages.queue_leave(
            transaction, keys=[QueueKey(lane=row.lane, message_id=row.message_id) for row in rows]
        )


def _silent(row: ExpiredMessage, delivered_at: datetime | None, now: datetime) -> StateChange:
    """Delivered without a word of explanation: an error text would reach the customer beside the good news, and the
    timeline shows what was reported of each part.
    """
    if delivered_at is None:
        return _expired(row, now, Reason.of(ReasonCode.MESSAGE_NO_RECEIPT))
    return StateChange(row.account_id, row.message_id, MessageState.DELIVERED, delivered_at, row.lane)


def _expired(row: ExpiredMessage, now: datetime, reason: Reason) -> StateChange:
    return StateChange(row.account_id, row.message_id, MessageState.EXPIRED, now, row.lane, reason=reason)
