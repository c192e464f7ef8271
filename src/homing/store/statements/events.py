"""Events of accounts (messages/events.py): what happened, kept for a time, and pushed to the endpoints that chose it.

Made by tools/sql_bindings.py from sql/events.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row_or_none, fetch_rows, nullable, single

_SQL: Final = queries.load("events")


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `events_add` is given."""

    account_id: int
    type: str
    message_id: int | None
    verification_id: int | None
    data: str


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """An event, as its owner reads it: `body` is the JSON that is pushed."""

    event_id: int
    type: str
    body: str


class FeedBalance(msgspec.Struct, frozen=True, gc=False):
    """A row of `feeds_balances`."""

    account_id: int
    available_micro: int
    day_micro: int
    is_low: bool


async def events_add(
    db: Executor, *, account_ids: Sequence[int], events: Sequence[NewEvent], dialect: int, superseding: Sequence[str]
) -> None:
    """Adds events in their order, and a push for each endpoint that chose them; only those types that the account's
    feed has. Feeds are locked first, in one order and until the commit: so ids are given out in the order of the
    commits, and whoever reads an account's events by id misses none. `subject_id`: what pushes are ordered by; null:
    nothing.
    """
    await execute(db, _SQL["events_add"], account_ids, *columns(events, 5), dialect, superseding)


async def event_find(db: Executor, *, account_id: int, event_id: int) -> EventRow | None:
    return await fetch_row_or_none(db, _SQL["event_find"], EventRow, account_id, event_id)


async def events_latest(
    db: Executor,
    *,
    account_id: int,
    before_id: int,
    first_id: int,
    looked_max: int,
    types: Sequence[str] | None,
    rows_max: int,
) -> list[EventRow]:
    """The latest below an id, of those that `looked_max` have among them: an account may have many of other types."""
    return await fetch_rows(
        db, _SQL["events_latest"], EventRow, account_id, before_id, first_id, looked_max, types, rows_max
    )


async def events_earliest(
    db: Executor,
    *,
    account_id: int,
    after_id: int,
    before_id: int,
    looked_max: int,
    types: Sequence[str] | None,
    rows_max: int,
) -> list[EventRow]:
    """The earliest above an id and below another."""
    return await fetch_rows(
        db, _SQL["events_earliest"], EventRow, account_id, after_id, before_id, looked_max, types, rows_max
    )


async def events_latest_end(
    db: Executor, *, account_id: int, before_id: int, first_id: int, looked_max: int
) -> int | None:
    """Where a look at `looked_max` events ends; none: it sees them all."""
    return await fetch_row_or_none(
        db, _SQL["events_latest_end"], single(int), account_id, before_id, first_id, looked_max
    )


async def events_earliest_end(
    db: Executor, *, account_id: int, after_id: int, before_id: int, looked_max: int
) -> int | None:
    return await fetch_row_or_none(
        db, _SQL["events_earliest_end"], single(int), account_id, after_id, before_id, looked_max
    )


async def event_first_at(db: Executor, *, account_id: int, since: datetime) -> int | None:
    """The first event from a time on: an account's ids are in the order of their times."""
    return await fetch_row_or_none(db, _SQL["event_first_at"], single(int), account_id, since)


async def events_of_message(db: Executor, *, message_id: int, account_id: int, rows_max: int) -> list[EventRow]:
    return await fetch_rows(db, _SQL["events_of_message"], EventRow, message_id, account_id, rows_max)


async def events_of_verification(
    db: Executor, *, verification_id: int, account_id: int, rows_max: int
) -> list[EventRow]:
    return await fetch_rows(db, _SQL["events_of_verification"], EventRow, verification_id, account_id, rows_max)


async def event_feed_refresh(db: Executor, *, account_id: int, is_read: bool, all_types: Sequence[str]) -> None:
    """What an account's feed has: all types while it is read, else those that its endpoints chose. The caller holds
    the account's lock.
    """
    await execute(db, _SQL["event_feed_refresh"], account_id, is_read, all_types)


async def event_feed_read_at(db: Executor, *, account_id: int) -> datetime | None:
    return await fetch_row_or_none(db, _SQL["event_feed_read_at"], nullable(datetime), account_id)


async def event_feeds_rest(db: Executor, *, days: int) -> None:
    """Feeds that nobody has read for long have what endpoints chose again. One that is locked waits for the next
    time: who locks several does it in their order (events_add).
    """
    await execute(db, _SQL["event_feeds_rest"], days, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def feeds_balances(db: Executor, *, after_hour: int, type: str) -> list[FeedBalance]:
    """Accounts whose feeds have a type, and whose money has come to be less than the last day's spending, or is
    enough again. `after_hour`: the hour before that day.
    """
    return await fetch_rows(
        db, _SQL["feeds_balances"], FeedBalance, after_hour, type, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def feed_note_balance(db: Executor, *, is_low: bool, account_id: int) -> int | None:
    """None: another process was first."""
    return await fetch_row_or_none(db, _SQL["feed_note_balance"], single(int), is_low, account_id)


async def feeds_of_type(db: Executor, *, type: str) -> list[int]:
    return await fetch_rows(db, _SQL["feeds_of_type"], single(int), type)


async def feed_note_quota(db: Executor, *, app_id: str, began: str, account_id: int) -> int | None:
    """None: the account was warned of this day of the quota."""
    return await fetch_row_or_none(db, _SQL["feed_note_quota"], single(int), app_id, began, account_id)


async def events_forget(db: Executor, *, days: int, rows_max: int) -> list[int]:
    """Events are kept for `days`, and no longer than the account's texts; one that is being pushed stays."""
    return await fetch_rows(
        db, _SQL["events_forget"], single(int), days, rows_max, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )
