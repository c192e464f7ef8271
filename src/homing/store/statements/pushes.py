"""The outbox: pushes as they are owed, claimed and recorded, and as people look at them (delivery/pushes.py). Of each
list the latest `rows_max` below push `before_id` (null: of all), of one account (`account_id`) or all, with the last
answer.

Made by tools/sql_bindings.py from sql/pushes.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("pushes")


class PushRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `pushes_recent`, `pushes_given_up`, `pushes_failing`."""

    account_id: int
    push_id: int
    message_id: int
    dialect: int
    kind: int
    url: str
    created_at: datetime
    due_at: datetime | None
    attempts: int
    outcome: int
    account: str
    answered_at: datetime | None
    status: int | None
    answer: str | None


class GivenUpPushes(msgspec.Struct, frozen=True, gc=False):
    """A row of `pushes_given_up_count`."""

    pushes: int
    latest_id: int | None


class PushKeyRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `push_find`."""

    account_id: int
    push_id: int
    message_id: int
    outcome: int
    due_at: datetime | None


class OutboxPush(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `pushes_add`, `pushes_add_claimed` is given."""

    account_id: int
    lane: int
    message_id: int
    dialect: int
    kind: int
    url: str
    body: str


class ClaimedPushKey(msgspec.Struct, frozen=True, gc=False):
    """A row of `pushes_add_claimed`."""

    message_id: int
    push_id: int


class ClaimedPush(msgspec.Struct, frozen=True, gc=False):
    """A row of `pushes_claim`."""

    account_id: int
    push_id: int
    message_id: int
    dialect: int
    kind: int
    url: str
    body: str
    attempts: int
    attempts_replayed: int


class PushResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `pushes_record` is given."""

    account_id: int
    push_id: int
    attempt: int
    at: datetime
    took_ms: int
    status: int | None
    answer: str
    outcome: int
    due_at: datetime | None
    message_id: int


async def pushes_recent(db: Executor, *, before_id: int | None, rows_max: int, account_id: int | None) -> list[PushRow]:
    return await fetch_rows(db, _SQL["pushes_recent"], PushRow, before_id, rows_max, account_id)


async def pushes_given_up(
    db: Executor, *, before_id: int | None, rows_max: int, account_id: int | None
) -> list[PushRow]:
    return await fetch_rows(db, _SQL["pushes_given_up"], PushRow, before_id, rows_max, account_id)


async def pushes_failing(
    db: Executor, *, looked_max: int, account_id: int | None, before_id: int | None, rows_max: int
) -> list[PushRow]:
    """Those that failed and will be tried again. The waits grow from try to try, so that what is due last has failed
    most: `looked_max` of each lane are looked at, from that end.
    """
    return await fetch_rows(db, _SQL["pushes_failing"], PushRow, looked_max, account_id, before_id, rows_max)


async def pushes_given_up_count(db: Executor, *, counted_max: int, account_id: int | None) -> GivenUpPushes:
    """How many have been given up, counted up to `counted_max`, and the latest of them."""
    return await fetch_row(db, _SQL["pushes_given_up_count"], GivenUpPushes, counted_max, account_id)


async def pushes_replay(db: Executor, *, latest_id: int, rows_max: int, account_id: int | None) -> list[int]:
    """The latest `rows_max` of those given up, from push `latest_id` down."""
    return await fetch_rows(db, _SQL["pushes_replay"], single(int), latest_id, rows_max, account_id)


async def push_find(db: Executor, *, push_id: int) -> PushKeyRow | None:
    return await fetch_row_or_none(db, _SQL["push_find"], PushKeyRow, push_id)


async def push_replay(db: Executor, *, account_id: int, push_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["push_replay"], single(int), account_id, push_id)


async def pushes_add(db: Executor, *, pushes: Sequence[OutboxPush]) -> None:
    await execute(db, _SQL["pushes_add"], *columns(pushes, 7))


async def pushes_add_claimed(db: Executor, *, due_at: datetime, pushes: Sequence[OutboxPush]) -> list[ClaimedPushKey]:
    """As above, by the process that posts them at once: claimed as they are written, until `due_at`."""
    return await fetch_rows(db, _SQL["pushes_add_claimed"], ClaimedPushKey, due_at, *columns(pushes, 7))


async def pushes_claim(
    db: Executor,
    *,
    lane: int,
    now: datetime,
    full_account_ids: Sequence[int],
    held_push_ids: Sequence[int],
    rows_max: int,
    lease: timedelta,
) -> list[ClaimedPush]:
    """A message's pushes go one after the other: one waits while an earlier one is in somebody's hands or is due
    itself, in whatever process. One that was tried before, and has a later one beside it, is stale, and goes no
    more; unless somebody asked for it again. SMPP's receipts and alerts are each for itself. `full_account_ids`:
    accounts that have their share. `held_push_ids`: what the process has in its hands: a clock that is stepped
    forwards does not make it lapse.
    """
    return await fetch_rows(
        db, _SQL["pushes_claim"], ClaimedPush, lane, now, full_account_ids, held_push_ids, rows_max, lease
    )


async def pushes_record(db: Executor, *, results: Sequence[PushResult]) -> None:
    """A failed push whose message has a later one is stale: a late "Acknowledged" may not follow "Delivered". SMPP's
    receipts are all final; a message that came in parts has several, and each is for itself. took_ms below zero: the
    address was resting, nothing was sent, and the attempt does not count.
    """
    await execute(db, _SQL["pushes_record"], *columns(results, 10))
