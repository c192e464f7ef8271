"""The outbox: pushes are added, claimed and recorded, and listed for people (delivery/pushes.py). Lists return the
latest `rows_max` below push `before_id` (null: from the latest on), of one account (`account_id`) or all, with the last
answer.

Made by tools/sql_bindings.py from sql/pushes.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
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


class PushTime(msgspec.Struct, frozen=True, gc=False):
    """A row of `push_from`."""

    push_id: int
    created_at: datetime


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


class BusyAccount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `pushes_claim` is given."""

    account_id: int
    room: int


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
    webhook_id: int
    event_id: int | None


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
    webhook_id: int
    event_id: int | None


async def pushes_recent(db: Executor, *, before_id: int | None, rows_max: int, account_id: int | None) -> list[PushRow]:
    return await fetch_rows(db, _SQL["pushes_recent"], PushRow, before_id, rows_max, account_id)


async def pushes_given_up(
    db: Executor, *, before_id: int | None, rows_max: int, account_id: int | None
) -> list[PushRow]:
    return await fetch_rows(db, _SQL["pushes_given_up"], PushRow, before_id, rows_max, account_id)


async def pushes_failing(
    db: Executor, *, looked_max: int, account_id: int | None, before_id: int | None, rows_max: int
) -> list[PushRow]:
    """Pushes that failed and will be retried. Waits grow with each attempt, so the one due last has failed most
    often: of each lane `looked_max` are read from that end.
    """
    return await fetch_rows(db, _SQL["pushes_failing"], PushRow, looked_max, account_id, before_id, rows_max)


async def pushes_given_up_count(db: Executor, *, counted_max: int, account_id: int | None) -> GivenUpPushes:
    """How many pushes are given up, counted up to `counted_max`, and the latest one's ID."""
    return await fetch_row(db, _SQL["pushes_given_up_count"], GivenUpPushes, counted_max, account_id)


async def pushes_replay(db: Executor, *, latest_id: int, rows_max: int, account_id: int | None) -> list[int]:
    """Replays the latest `rows_max` pushes that are given up, from push `latest_id` down."""
    return await fetch_rows(db, _SQL["pushes_replay"], single(int), latest_id, rows_max, account_id)


async def push_from(db: Executor, *, account_id: int, push_id: int) -> PushTime | None:
    """The first push of an account from an id on. Ids and times rise together, but for what was added at the same
    moment.
    """
    return await fetch_row_or_none(db, _SQL["push_from"], PushTime, account_id, push_id)


async def push_last(db: Executor, *, account_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["push_last"], single(int), account_id)


async def pushes_replay_span(
    db: Executor,
    *,
    account_id: int,
    first_id: int,
    beyond_id: int,
    since: datetime,
    until: datetime,
    outcomes: Sequence[int],
    rows_max: int,
) -> list[int]:
    """Replays an account's finished pushes of a time, the earliest first, at most `rows_max`; those of webhook
    endpoints are replayed as events. `outcomes`: those that they had.
    """
    return await fetch_rows(
        db,
        _SQL["pushes_replay_span"],
        single(int),
        account_id,
        first_id,
        beyond_id,
        since,
        until,
        outcomes,
        rows_max,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def push_find(db: Executor, *, push_id: int) -> PushKeyRow | None:
    return await fetch_row_or_none(db, _SQL["push_find"], PushKeyRow, push_id)


async def push_replay(db: Executor, *, account_id: int, push_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["push_replay"], single(int), account_id, push_id)


async def pushes_add(db: Executor, *, pushes: Sequence[OutboxPush]) -> None:
    await execute(db, _SQL["pushes_add"], *columns(pushes, 7))


async def pushes_add_claimed(db: Executor, *, due_at: datetime, pushes: Sequence[OutboxPush]) -> list[ClaimedPushKey]:
    """As above, for pushes that this process posts at once: they are added as claimed, until `due_at`."""
    return await fetch_rows(db, _SQL["pushes_add_claimed"], ClaimedPushKey, due_at, *columns(pushes, 7))


async def pushes_claim(
    db: Executor,
    *,
    lane: int,
    now: datetime,
    full_account_ids: Sequence[int],
    full_webhook_ids: Sequence[int],
    held_push_ids: Sequence[int],
    rows_max: int,
    busy: Sequence[BusyAccount],
    recipient_max: int,
    lease: timedelta,
) -> list[ClaimedPush]:
    """Claims due pushes of a lane. A message's pushes are posted one after the other: one waits while an earlier one
    is claimed or due, in any process, or was never posted. A push that has failed and has a later one of its message
    is superseded instead, unless it is being replayed. Receipts for SMPP, alerts and most events are never
    superseded. Endpoints do not wait for each other, and their pushes are in the order of the events: one of an old
    event may be younger (webhook_replay). The address of a push to one is the endpoint's present one, "" where it is
    disabled or removed. The body is "" where it is no longer kept. `full_account_ids`, `full_webhook_ids`: accounts
    whose own addresses, and endpoints that have their share of places. A claim takes no more for one recipient than
    `recipient_max`, and of an account of `busy` no more than its `room`; what is beyond stays due. `held_push_ids`:
    pushes that this process is posting; they do not lapse when the clock is stepped forwards.
    """
    return await fetch_rows(
        db,
        _SQL["pushes_claim"],
        ClaimedPush,
        lane,
        now,
        full_account_ids,
        full_webhook_ids,
        held_push_ids,
        rows_max,
        *columns(busy, 2),
        recipient_max,
        lease,
    )


async def pushes_record(db: Executor, *, results: Sequence[PushResult]) -> None:
    """Records attempts. A failed push whose message has a later one is superseded, so that a late "Acknowledged"
    cannot follow "Delivered"; but not receipts for SMPP, since a message that came in parts has one for each. A
    negative `took_ms`: nothing was sent, since the address rests or the push cannot be signed: the attempt does not
    count, and nothing is superseded.
    """
    await execute(db, _SQL["pushes_record"], *columns(results, 12))
