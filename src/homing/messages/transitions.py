"""Changes of a message's state, with their consequences: refund, queue, statistics and pushes, in one transaction.

All changes after the submit are made by `apply`: those of dispatch, receipts, the expiry sweep and cancellation.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homing.dialects.base import ChangedMessage
from homing.i18n.reasons import failure_text
from homing.ledger.postings import refund_messages
from homing.messages.events import MESSAGE_EVENTS, add_events, message_events
from homing.messages.outbox import Outbox
from homing.reasons import Reason, encode_reason
from homing.states import RANKS, TABLE, MessageState
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.dispatch import QueueKey
from homing.store.statements.ledger import Refund
from homing.store.statements.messages import MessageEvent, MovedMessage
from homing.store.statements.verifications import FailedMessage

AWAITING_LANE = 0  # where a sent message waits for its receipt or its expiry


class StateChange(msgspec.Struct, frozen=True):
    """An event that may change a message's state. Of the fields, None leaves what the message has.

    `lane`: the lane of its queue row. A failure is explained by the carrier's `error_text` or our `reason`, and the
    latest of either replaces both. `cost_micro`: the carrier's price for all of its segments.
    """

    account_id: int
    message_id: int
    state: MessageState
    at: datetime
    lane: int = AWAITING_LANE
    error_code: str | None = None
    error_text: str | None = None
    carrier_id: int | None = None
    carrier_ref: str | None = None
    cost_micro: int | None = None
    reason: Reason | None = None


async def apply(transaction: DatabaseConnection, events: Sequence[StateChange], outbox: Outbox) -> set[int]:
    """Applies changes, at most one for each message; returns the IDs of the messages that changed.

    Only a state of a higher rank is applied (states.py). A message that ends undelivered is refunded to the ledger
    accounts that paid for it, once; a final one is removed from the queue; reports are added to `outbox`.
    """
    if not events:
        return set()
    ordered = sorted(events, key=lambda event: (event.account_id, event.message_id))
    moved = await statements.messages.messages_move(
        transaction,
        ranks=RANKS,
        app_reporting=outbox.dialects.app_reporting,
        events=[
            MessageEvent(
                account_id=e.account_id,
                message_id=e.message_id,
                state=int(e.state),
                rank=TABLE[e.state].rank,
                final=TABLE[e.state].final,
                refunded=TABLE[e.state].refunded,
                at=e.at,
                error_code=e.error_code,
                error_text=e.error_text,
                carrier_id=e.carrier_id,
                carrier_ref=e.carrier_ref,
                cost_micro=e.cost_micro,
                reason=None if e.reason is None else encode_reason(e.reason),
            )
            for e in ordered
        ],
    )
    lanes = {event.message_id: event.lane for event in ordered}
    await _apply_consequences(transaction, moved, lanes, outbox)
    return {row.message_id for row in moved}


async def _apply_consequences(
    transaction: DatabaseConnection, moved: Sequence[MovedMessage], lanes: dict[int, int], outbox: Outbox
) -> None:
    refunds = [row for row in moved if row.refund_micro > 0]
    if refunds:
        await refund_messages(
            transaction,
            [
                Refund(
                    account_id=row.account_id,
                    message_id=row.message_id,
                    gift_micro=row.gift_micro,
                    rest_micro=row.refund_micro - row.gift_micro,
                )
                for row in refunds
            ],
        )
    ended = [row.message_id for row in moved if TABLE[MessageState(row.state)].final]
    if ended:
        await statements.messages.queue_remove(
            transaction, keys=[QueueKey(lane=lanes[message_id], message_id=message_id) for message_id in ended]
        )
    changed = [_changed_message(row) for row in moved]
    pushes = [push for message in changed for push in outbox.dialects.of(message.dialect).reports(message)]
    if pushes:
        await outbox.add(transaction, pushes)
    failures = [
        FailedMessage(account_id=row.account_id, message_id=row.message_id, at=row.at)
        for row in moved
        if row.is_resendable
    ]
    if failures:  # after the refunds: whoever sends a code again holds its verification and waits for a balance
        await statements.verifications.verifications_hasten(transaction, failures=failures)
    evented = [
        message
        for message, row in zip(changed, moved, strict=True)
        if row.event_types and MESSAGE_EVENTS.get(message.state) in row.event_types
    ]
    if evented:
        await add_events(transaction, outbox.dialects, message_events(outbox.dialects, evented))


def _changed_message(row: MovedMessage) -> ChangedMessage:
    return ChangedMessage(
        account_id=row.account_id,
        message_id=row.message_id,
        submission_id=row.submission_id,
        dialect=row.dialect,
        app_id=row.app_id,
        number=row.number,
        raw_number=row.raw_number,
        sender=row.sender,
        mcc=row.mcc,
        mnc=row.mnc,
        segments=row.segments,
        reference=row.reference,
        callback_url=row.callback_url,
        report_url=row.report_url,
        registered=row.registered,
        state=MessageState(row.state),
        at=row.at,
        carrier_ref=row.carrier_ref,
        error_code=row.error_code,
        error_text=failure_text(row.error_text, row.reason),
        price_micro=row.price_micro,
        charge_micro=row.charge_micro,
        refund_micro=row.refund_micro,
        beginning=row.beginning,
        parts=row.parts,
        country=row.country,
        sent_at=row.sent_at,
        final_at=row.final_at,
        reason=row.reason,
    )
