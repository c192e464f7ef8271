"""Cancels a message that has not been submitted to a carrier, on the customer's request."""

from datetime import datetime
from typing import Final

from homing.dialects.base import Dialects
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.reasons import Reason, ReasonCode
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database

CANCELLED: Final = Reason.of(ReasonCode.MESSAGE_CANCELLED)


async def cancel_message(
    database: Database, account_id: int, message_id: int, now: datetime, dialects: Dialects
) -> bool:
    """Cancels a message that is queued, not claimed, and certainly at no carrier: it fails and is refunded, in one
    transaction. Returns False when it is too late.
    """
    async with database.transaction() as transaction:
        lane = await statements.messages.queue_cancel(transaction, account_id=account_id, message_id=message_id)
        if lane is None:
            return False
        event = StateChange(account_id, message_id, MessageState.FAILED, now, lane, reason=CANCELLED)
        return message_id in await apply(transaction, [event], Outbox(dialects))
