"""Cancels messages that have not been submitted to a carrier, on the customer's request."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from homing.dialects.base import Dialects
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.reasons import Reason, ReasonCode
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database, DatabaseConnection

CANCELLED: Final = Reason.of(ReasonCode.MESSAGE_CANCELLED)


async def cancel_message(
    database: Database, account_id: int, message_id: int, now: datetime, dialects: Dialects
) -> bool:
    """Cancels a message that is queued, not claimed, and certainly at no carrier: it fails and is refunded, in one
    transaction. Returns False when it is too late.
    """
    async with database.transaction() as transaction:
        return message_id in await cancel_messages(transaction, account_id, [message_id], now, dialects)


async def cancel_messages(
    transaction: DatabaseConnection, account_id: int, message_ids: Sequence[int], now: datetime, dialects: Dialects
) -> Collection[int]:
    """As `cancel_message`, within a transaction. Returns those that were cancelled."""
    rows = await statements.messages.queue_cancel(transaction, account_id=account_id, message_ids=message_ids)
    if not rows:
        return ()
    changes = [
        StateChange(account_id, row.message_id, MessageState.FAILED, now, row.lane, reason=CANCELLED) for row in rows
    ]
    return await apply(transaction, changes, Outbox(dialects))
