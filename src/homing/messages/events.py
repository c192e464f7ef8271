"""Events of accounts: stored in the transaction of the change that they are about, with a push for each endpoint that
chose them.

Only accounts with a feed have any: those with webhook endpoints, and those that read GET /v1/events. Whoever changes
something learns from the statement that does it which types its account's feed has, so other accounts cost nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from homing.dialects.base import ChangedMessage, Dialects, EndedVerification, EventSubject, InboundMessage
from homing.model import EventType
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.events import NewEvent

MESSAGE_EVENTS: Final[Mapping[MessageState, EventType]] = {
    MessageState.SENT: EventType.MESSAGE_SENT,
    MessageState.DELIVERED: EventType.MESSAGE_DELIVERED,
    MessageState.UNDELIVERABLE: EventType.MESSAGE_FAILED,
    MessageState.EXPIRED: EventType.MESSAGE_FAILED,
    MessageState.REJECTED: EventType.MESSAGE_FAILED,
    MessageState.FAILED: EventType.MESSAGE_FAILED,
    MessageState.UNKNOWN: EventType.MESSAGE_UNKNOWN,
}
EVENTS_KEPT_DAYS: Final = 30  # or as long as the account's texts, where that is shorter
FEED_READ_DAYS: Final = 30  # without a GET /v1/events; then only what endpoints chose is stored
FORGOTTEN_MAX: Final = 20_000  # in one transaction
SUPERSEDING: Final = tuple(sorted(frozenset(MESSAGE_EVENTS.values())))
"""Types of which a later one of the same message makes an earlier one stale."""


def event_of(
    dialects: Dialects,
    type: EventType,
    subject: EventSubject,
    *,
    account_id: int,
    message_id: int | None = None,
    verification_id: int | None = None,
) -> list[NewEvent]:
    """The event of what has happened to `subject`; none where no dialect here words events."""
    wording = dialects.of_events
    if wording is None:
        return []
    return [
        NewEvent(
            account_id=account_id,
            type=type,
            message_id=message_id,
            verification_id=verification_id,
            data=wording.event_data(subject),
        )
    ]


def message_events(dialects: Dialects, messages: Sequence[ChangedMessage]) -> list[NewEvent]:
    """The events of messages in their new states."""
    return [
        event
        for message in messages
        if message.state in MESSAGE_EVENTS
        for event in event_of(
            dialects,
            MESSAGE_EVENTS[message.state],
            message,
            account_id=message.account_id,
            message_id=message.message_id,
        )
    ]


def inbound_events(dialects: Dialects, message: InboundMessage) -> list[NewEvent]:
    """That of an inbound message."""
    return event_of(
        dialects,
        EventType.MESSAGE_INBOUND,
        message,
        account_id=message.account_id,
        message_id=message.inbound_id,
    )


def verification_events(dialects: Dialects, verifications: Sequence[EndedVerification]) -> list[NewEvent]:
    """Those of verifications that have ended."""
    return [
        event
        for ended in verifications
        for event in event_of(
            dialects,
            ended.type,
            ended,
            account_id=ended.account_id,
            verification_id=ended.verification_id,
        )
    ]


async def forget_events(database: Database) -> None:
    """Deletes events that are older than `EVENTS_KEPT_DAYS`, and notes which feeds nobody reads any more."""
    await statements.events.event_feeds_rest(database, days=FEED_READ_DAYS)
    while (
        len(await statements.events.events_forget(database, days=EVENTS_KEPT_DAYS, rows_max=FORGOTTEN_MAX))
        == FORGOTTEN_MAX
    ):
        pass


async def add_events(transaction: DatabaseConnection, dialects: Dialects, events: Sequence[NewEvent]) -> None:
    """Adds events, in their order; those that the account's feed does not have are left out. To be the transaction's
    last statement: it locks the accounts' feeds.
    """
    if not events or dialects.of_events is None:
        return
    await statements.events.events_add(
        transaction,
        account_ids=sorted({event.account_id for event in events}),
        events=events,
        dialect=dialects.of_events.number,
        superseding=SUPERSEDING,
    )
