"""Ends overdue messages: sent ones without a receipt, or without those of all parts, and ones that were not sent."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from homing import errors, limits
from homing.dialects.base import Dialects
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.observe.logs import is_debug
from homing.reasons import Reason, ReasonCode
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.dispatch import ExpiredMessage, MessageRef, QueueKey

EXPIRY_SWEEP_S: Final = 5.0
OVERDUE_SWEEP_S: Final = 60.0
log = structlog.get_logger()


class ExpirySweep:
    """Ends overdue messages in batches, every few seconds: as delivered if one of their parts is, else as expired.

    A multipart message is due some minutes after the first delivered part, and not at the end of its validity
    (receipts/parts.py).
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
                while await self.sweep_receipts_overdue():
                    pass
                if loop.time() >= overdue_at_s:
                    while await self.sweep_unsent():
                        pass
                    overdue_at_s = loop.time() + OVERDUE_SWEEP_S
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="expiry", failure=str(failure))
            await asyncio.sleep(EXPIRY_SWEEP_S)

    async def sweep_receipts_overdue(self) -> bool:
        """Ends one batch of messages that wait for a receipt. Returns whether more may be due."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            rows = await statements.dispatch.queue_expired(transaction, now=now, rows_max=limits.CLAIM_MESSAGES_MAX)
            if rows:
                # read under the messages' locks, and so with any receipt of a part that is being stored
                delivered = {
                    row.message_id: row.at
                    for row in await statements.receipts.parts_delivered(
                        transaction,
                        keys=[MessageRef(account_id=row.account_id, message_id=row.message_id) for row in rows],
                    )
                }
                await self._end(
                    transaction, rows, [_without_receipt(row, delivered.get(row.message_id), now) for row in rows]
                )
        _log_ended(rows)
        return len(rows) == limits.CLAIM_MESSAGES_MAX

    async def sweep_unsent(self) -> bool:
        """Ends one batch of messages that wait for their carrier. Returns whether more may be due."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            rows = await statements.dispatch.queue_overdue(
                transaction, now=now, rows_max=limits.CLAIM_MESSAGES_MAX, grace=timedelta(seconds=limits.CLAIM_LEASE_S)
            )
            if rows:
                reason = Reason.of(ReasonCode.MESSAGE_NOT_SENT)
                await self._end(transaction, rows, [_expired(row, now, reason) for row in rows])
        _log_ended(rows)
        return len(rows) == limits.CLAIM_MESSAGES_MAX

    async def _end(
        self, transaction: DatabaseConnection, rows: Sequence[ExpiredMessage], changes: Sequence[StateChange]
    ) -> None:
        await apply(transaction, changes, Outbox(self._dialects))
        await statements.messages.queue_remove(
            transaction, keys=[QueueKey(lane=row.lane, message_id=row.message_id) for row in rows]
        )


def _log_ended(rows: Sequence[ExpiredMessage]) -> None:
    if rows and is_debug():
        log.debug("overdue_messages_ended", message_ids=[row.message_id for row in rows])


def _without_receipt(row: ExpiredMessage, delivered_at: datetime | None, now: datetime) -> StateChange:
    """Delivered if a part is, and then without an error text, which would reach the customer; the timeline shows the
    receipts of each part.
    """
    if delivered_at is None:
        return _expired(row, now, Reason.of(ReasonCode.MESSAGE_NO_RECEIPT))
    return StateChange(row.account_id, row.message_id, MessageState.DELIVERED, delivered_at, row.lane)


def _expired(row: ExpiredMessage, now: datetime, reason: Reason) -> StateChange:
    return StateChange(row.account_id, row.message_id, MessageState.EXPIRED, now, row.lane, reason=reason)
