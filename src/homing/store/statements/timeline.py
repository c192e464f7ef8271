"""What is stored of a message. Read by account and then by ID, so that each look-up is one probe of a key in an
account, whatever the size of the tables.

Made by tools/sql_bindings.py from sql/timeline.sql.
"""

from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, fetch_row_or_none, fetch_rows

_SQL: Final = queries.load("timeline")


class TimelineMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_message`."""

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
    account: str
    app: str | None
    carrier: str | None
    route_country: str | None
    route_network: str | None
    route_prefix: str | None
    route_priority: int | None
    route_weight: int | None
    route_carrier: str | None


class CarrierName(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_carriers`."""

    carrier_id: int
    name: str


class TimelineAttempt(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_attempts`."""

    attempt: int
    started_at: datetime
    answered_at: datetime
    outcome: int
    carrier_ref: str | None
    error_code: str | None
    error_text: str | None
    reason: str | None
    carrier: str | None


class TimelineReceipt(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_receipts`."""

    received_at: datetime
    state: int
    error_code: str | None
    raw: str
    applied: bool
    carrier: str | None


class TimelinePart(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_parts`."""

    attempt: int
    part: int
    carrier_ref: str
    state: int
    error_code: str | None
    reported_at: datetime | None


class TimelinePush(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_pushes`."""

    push_id: int
    dialect: int
    kind: int
    url: str
    created_at: datetime
    due_at: datetime | None
    attempts: int
    outcome: int


class TimelinePushAttempt(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_push_attempts`."""

    push_id: int
    attempt: int
    at: datetime
    took_ms: int
    status: int | None
    answer: str
    is_for_bind: bool
    attempts: int
    outcome: int


class TimelineConversion(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_conversion`."""

    message_id: int
    recorded_at: datetime | None
    reported_at: datetime | None
    dialect: int | None
    credited_to: int | None
    credited_at: datetime | None
    credited_by: int | None


class TimelineQueue(msgspec.Struct, frozen=True, gc=False):
    """A row of `timeline_queue`."""

    lane: int
    due_at: datetime
    expires_at: datetime
    attempts: int
    claimed_by: str | None
    carrier: str | None


async def timeline_message(db: Executor, *, message_id: int) -> TimelineMessage | None:
    return await fetch_row_or_none(db, _SQL["timeline_message"], TimelineMessage, message_id)


async def timeline_carriers(db: Executor) -> list[CarrierName]:
    return await fetch_rows(db, _SQL["timeline_carriers"], CarrierName)


async def timeline_attempts(db: Executor, *, account_id: int, message_id: int) -> list[TimelineAttempt]:
    return await fetch_rows(db, _SQL["timeline_attempts"], TimelineAttempt, account_id, message_id)


async def timeline_receipts(db: Executor, *, account_id: int, message_id: int) -> list[TimelineReceipt]:
    return await fetch_rows(db, _SQL["timeline_receipts"], TimelineReceipt, account_id, message_id)


async def timeline_parts(db: Executor, *, account_id: int, message_id: int) -> list[TimelinePart]:
    return await fetch_rows(db, _SQL["timeline_parts"], TimelinePart, account_id, message_id)


async def timeline_pushes(db: Executor, *, account_id: int, message_id: int) -> list[TimelinePush]:
    return await fetch_rows(db, _SQL["timeline_pushes"], TimelinePush, account_id, message_id)


async def timeline_push_attempts(db: Executor, *, account_id: int, message_id: int) -> list[TimelinePushAttempt]:
    return await fetch_rows(db, _SQL["timeline_push_attempts"], TimelinePushAttempt, account_id, message_id)


async def timeline_conversion(db: Executor, *, account_id: int, message_id: int) -> TimelineConversion | None:
    return await fetch_row_or_none(db, _SQL["timeline_conversion"], TimelineConversion, account_id, message_id)


async def timeline_queue(db: Executor, *, traffic: int, message_id: int) -> list[TimelineQueue]:
    """The queue's key begins with the lane: the message is in lane 0, or in the lane of its traffic class of one
    carrier.
    """
    return await fetch_rows(db, _SQL["timeline_queue"], TimelineQueue, traffic, message_id)
