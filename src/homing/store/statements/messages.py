"""Statements of sql/messages.sql.

Made by tools/sql_bindings.py from sql/messages.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row, fetch_row_or_none, fetch_rows, single
from homing.store.statements.dispatch import MessageRef, QueueKey

_SQL: Final = queries.load("messages")


class MessageRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `messages_by_id`, `message_by_reference`, `message_by_carrier_ref`."""

    account_id: int
    message_id: int
    submission_id: int
    dialect: int
    app_id: str
    request_id: str
    raw_number: str | None
    number: str
    country: str
    mcc: str
    mnc: str
    sender: str
    text: str
    encoding: int
    segments: int
    traffic: int
    reference: str | None
    callback_url: str | None
    price_micro: int
    charge_micro: int
    gift_micro: int
    refund_micro: int
    route_id: int
    carrier_id: int
    notes: str | None
    state: int
    expires_at: datetime
    sent_at: datetime | None
    final_at: datetime | None
    carrier_ref: str | None
    error_code: str | None
    error_text: str | None
    registered: int | None
    carrier_cost_micro: int | None
    reason: str | None
    submitted_at: datetime
    state_seen: int


class FinishedMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `messages_finished`."""

    message_id: int
    number: str
    state: int
    final_at: datetime | None


class FinishedCounts(msgspec.Struct, frozen=True, gc=False):
    """A row of `messages_finished_count`."""

    looked: int
    last_id: int | None
    delivered: int
    failed: int


class InboundPageRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `inbound_page`."""

    number: str
    recipient: str
    received_at: datetime
    content: str
    mcc: str
    mnc: str
    operator: str


class InboundListRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `inbound_before`."""

    inbound_id: int
    app_id: str
    number: str
    recipient: str
    content: str
    received_at: datetime
    mcc: str
    mnc: str
    operator: str


class MessageEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `messages_move` is given."""

    account_id: int
    message_id: int
    state: int
    rank: int
    final: bool
    refunded: bool
    at: datetime
    error_code: str | None
    error_text: str | None
    carrier_id: int | None
    carrier_ref: str | None
    cost_micro: int | None
    reason: str | None


class MovedMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `messages_move`."""

    account_id: int
    message_id: int
    dialect: int
    app_id: str
    raw_number: str | None
    number: str
    mcc: str
    mnc: str
    segments: int
    reference: str | None
    callback_url: str | None
    price_micro: int
    charge_micro: int
    gift_micro: int
    refund_micro: int
    state: int
    carrier_ref: str | None
    error_code: str | None
    error_text: str | None
    reason: str | None
    at: datetime
    registered: int | None
    sender: str
    submission_id: int
    beginning: str | None
    parts: str | None
    report_url: str | None
    country: str
    sent_at: datetime | None
    final_at: datetime | None
    event_types: list[str] | None
    is_resendable: bool | None


class CancellableMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `queue_cancel`."""

    message_id: int
    lane: int


async def messages_by_id(db: Executor, *, keys: Sequence[MessageRef]) -> list[MessageRow]:
    """`account_id + 0` and `message_id + 0` keep the planner from walking the primary key where the number, the
    reference or the carrier's id is what finds a handful of rows (docs/decisions/0002-plans-and-indexes.md).
    """
    return await fetch_rows(db, _SQL["messages_by_id"], MessageRow, *columns(keys, 2))


async def message_by_reference(db: Executor, *, reference: str, account_id: int) -> MessageRow | None:
    return await fetch_row_or_none(db, _SQL["message_by_reference"], MessageRow, reference, account_id)


async def message_by_carrier_ref(db: Executor, *, carrier_ref: str, account_id: int) -> MessageRow | None:
    return await fetch_row_or_none(db, _SQL["message_by_carrier_ref"], MessageRow, carrier_ref, account_id)


async def message_latest_to_number(db: Executor, *, number: str, account_id: int, app_id: str) -> int | None:
    return await fetch_row_or_none(db, _SQL["message_latest_to_number"], single(int), number, account_id, app_id)


async def messages_finished(
    db: Executor,
    *,
    account_id: int,
    app_id: str,
    first_id: int,
    beyond_id: int,
    states: Sequence[int],
    offset: int,
    rows_max: int,
) -> list[FinishedMessage]:
    """A page of an app's finished messages by submit time, which is the order of their IDs: from `first_id` on,
    below `beyond_id`. Only a first page has an offset.
    """
    return await fetch_rows(
        db,
        _SQL["messages_finished"],
        FinishedMessage,
        account_id,
        app_id,
        first_id,
        beyond_id,
        states,
        offset,
        rows_max,
    )


async def messages_finished_count(
    db: Executor,
    *,
    app_id: str,
    delivered: int,
    final_states: Sequence[int],
    account_id: int,
    first_id: int,
    beyond_id: int,
    looked_max: int,
) -> FinishedCounts:
    """Counts the messages of a span, finished or not, up to `looked_max`, and those of an app among them that are in
    state `delivered` or in another of `final_states`.
    """
    return await fetch_row(
        db,
        _SQL["messages_finished_count"],
        FinishedCounts,
        app_id,
        delivered,
        final_states,
        account_id,
        first_id,
        beyond_id,
        looked_max,
    )


async def inbound_count(db: Executor, *, account_id: int, app_id: str, since: datetime, until: datetime) -> int:
    return await fetch_row(db, _SQL["inbound_count"], single(int), account_id, app_id, since, until)


async def inbound_page(
    db: Executor, *, account_id: int, app_id: str, since: datetime, until: datetime, offset: int, rows_max: int
) -> list[InboundPageRow]:
    return await fetch_rows(
        db, _SQL["inbound_page"], InboundPageRow, account_id, app_id, since, until, offset, rows_max
    )


async def inbound_before(
    db: Executor, *, account_id: int, before_id: int, first_id: int, rows_max: int
) -> list[InboundListRow]:
    """An account's latest inbound messages below an ID, which are times."""
    return await fetch_rows(db, _SQL["inbound_before"], InboundListRow, account_id, before_id, first_id, rows_max)


async def messages_move(
    db: Executor, *, events: Sequence[MessageEvent], ranks: Sequence[int], app_reporting: Sequence[int]
) -> list[MovedMessage]:
    """Applies events to messages and returns those that moved. A message moves to states of a higher rank only;
    `ranks`: each state's rank, by the state's number. Statistics are counted in the same statement. An unsent
    message gets the carrier of its event. One that is delivered without a submit answer was accepted all the same;
    its cost is the carrier's present price. A code goes out of the text with the message. What left only after its
    code had left again in another message says nothing of a carrier. `event_types`: of the account's feed; looking
    them up for each message costs the database 2 us of 57, and once for a batch, by a join or an array, no less.
    `is_resendable`: it has failed, and its app sends likely lost codes again.
    """
    return await fetch_rows(db, _SQL["messages_move"], MovedMessage, *columns(events, 13), ranks, app_reporting)


async def queue_remove(db: Executor, *, keys: Sequence[QueueKey]) -> None:
    await execute(db, _SQL["queue_remove"], *columns(keys, 2))


async def queue_cancel(db: Executor, *, account_id: int, message_ids: Sequence[int]) -> list[CancellableMessage]:
    """Locks the queue rows of those messages that can be cancelled: queued, not claimed, and certainly at no carrier
    (a submit whose answer was lost may have been sent).
    """
    return await fetch_rows(db, _SQL["queue_cancel"], CancellableMessage, account_id, message_ids)


async def retention_blank(db: Executor, *, receipt_days: int) -> None:
    """Deletes the texts of messages past their account's retention, and the raw text of their receipts, which can
    quote them. The account of an unmatched receipt is not known: for those the shortest retention of all accounts
    holds. Receipts arrive for up to `receipt_days` days, also after the message's text is deleted.
    """
    await execute(db, _SQL["retention_blank"], receipt_days, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)
