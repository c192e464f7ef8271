"""Statements of sql/dispatch.sql.

Made by tools/sql_bindings.py from sql/dispatch.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_rows, single

_SQL: Final = queries.load("dispatch")


class ClaimedMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `queue_claim`."""

    account_id: int
    message_id: int
    attempts: int
    expires_at: datetime
    previous_owner: str | None
    previous_claimed_at: datetime | None
    number: str
    sender: str
    text: str
    encoding: int
    segments: int
    state: int
    notes: str | None


class NewAttempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `attempts_add` is given."""

    account_id: int
    message_id: int
    attempt: int
    started_at: datetime
    outcome: int
    carrier_ref: str | None
    error_code: str | None
    error_text: str | None
    reason: str | None


class NewPart(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `parts_add` is given."""

    account_id: int
    message_id: int
    attempt: int
    part: int
    carrier_ref: str


class QueueKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `queue_await`, `queue_remove`, `queue_await_parts` is given."""

    lane: int
    message_id: int


class QueueDeferral(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `queue_defer` is given."""

    lane: int
    message_id: int
    due_at: datetime


class MessageRef(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `reroute_facts`, `messages_by_id`, `parts_lock`, `parts_delivered`, `messages_listed` is given."""

    account_id: int
    message_id: int


class RerouteFacts(msgspec.Struct, frozen=True, gc=False):
    """A row of `reroute_facts`."""

    account_id: int
    message_id: int
    app_id: str
    sender: str
    traffic: int
    number: str
    country: str
    mcc: str
    mnc: str
    price_micro: int
    notes: str | None
    tried: list[int]
    tried_not_deferred: list[int]


class QueueMove(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `queue_move` is given."""

    lane: int
    message_id: int
    to_lane: int
    due_at: datetime
    uncounted_attempts: int


class MessageReroute(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `messages_reroute` is given."""

    account_id: int
    message_id: int
    carrier_id: int


class OveragedMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `queue_overaged`."""

    account_id: int
    message_id: int
    due_at: datetime
    attempts: int
    claimed_by: str | None


class CarrierHealthRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `carriers_by_health`."""

    carrier_id: int
    name: str
    is_down: bool


class CarrierHealthReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `carriers_renew` is given."""

    carrier_id: int
    is_up: bool
    detail: str


class CarrierOwnerRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `carriers_owned`."""

    carrier_id: int
    owner: str
    is_lapsed: bool


class ExpiredMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `queue_expired`, `queue_overdue`."""

    account_id: int
    message_id: int
    lane: int


class EnabledCarrier(msgspec.Struct, frozen=True, gc=False):
    """A row of `carriers_enabled`."""

    carrier_id: int
    name: str
    kind: str
    settings: str


class OutstandingRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `carrier_outstanding`."""

    carrier_ref: str
    number: str
    sender: str
    sent_at: datetime


async def queue_claim(
    db: Executor, *, lane: int, now: datetime, rows_max: int, lease: timedelta, owner: str
) -> list[ClaimedMessage]:
    """Claims due messages of one lane: `due_at` becomes the end of the lease, when they are due again.
    `previous_owner` and `previous_claimed_at`: of a claim that ended without an answer.
    """
    return await fetch_rows(db, _SQL["queue_claim"], ClaimedMessage, lane, now, rows_max, lease, owner)


async def attempts_add(db: Executor, *, carrier_id: int, answered_at: datetime, attempts: Sequence[NewAttempt]) -> None:
    """Adds attempts. An attempt that was added with an unknown outcome, since its claim lapsed, gets its answer when
    that comes after all. Statistics count an attempt as refused unless it was accepted, and no longer if that
    changes.
    """
    await execute(db, _SQL["attempts_add"], carrier_id, answered_at, *columns(attempts, 9))


async def parts_add(db: Executor, *, carrier_id: int, parts: Sequence[NewPart]) -> None:
    await execute(db, _SQL["parts_add"], carrier_id, *columns(parts, 5))


async def queue_await(db: Executor, *, grace: timedelta, keys: Sequence[QueueKey]) -> None:
    """Submitted messages wait for their receipts in a lane of their own, due when their validity and the grace are
    over.
    """
    await execute(db, _SQL["queue_await"], grace, *columns(keys, 2))


async def queue_defer(db: Executor, *, deferrals: Sequence[QueueDeferral]) -> None:
    await execute(db, _SQL["queue_defer"], *columns(deferrals, 3))


async def reroute_facts(db: Executor, *, keys: Sequence[MessageRef]) -> list[RerouteFacts]:
    """What a message is routed by, and the carriers of its attempts: `tried` all, `tried_not_deferred` without those
    that deferred it.
    """
    return await fetch_rows(db, _SQL["reroute_facts"], RerouteFacts, *columns(keys, 2))


async def queue_move(db: Executor, *, moves: Sequence[QueueMove]) -> None:
    await execute(db, _SQL["queue_move"], *columns(moves, 5))


async def messages_reroute(db: Executor, *, moves: Sequence[MessageReroute]) -> None:
    """Assigns queued messages to other carriers, in statistics too. `route_id` stays as it was chosen at accept: the
    timeline shows it, and the attempts show the rest. A message that has left this state by a late answer or receipt
    keeps its carrier.
    """
    await execute(db, _SQL["messages_reroute"], *columns(moves, 3))


async def queue_overaged(
    db: Executor,
    *,
    lane: int,
    due_to: datetime,
    after_due_at: datetime | None,
    after_message_id: int | None,
    rows_max: int,
) -> list[OveragedMessage]:
    """A lane's messages that have been due since before `due_to`, the next page after (`after_due_at`,
    `after_message_id`).
    """
    return await fetch_rows(
        db, _SQL["queue_overaged"], OveragedMessage, lane, due_to, after_due_at, after_message_id, rows_max
    )


async def carriers_by_health(db: Executor) -> list[CarrierHealthRow]:
    return await fetch_rows(db, _SQL["carriers_by_health"], CarrierHealthRow)


async def claims_release(db: Executor, *, lanes: Sequence[int], owner: str) -> None:
    """Makes messages due that a carrier's previous owner has claimed."""
    await execute(db, _SQL["claims_release"], lanes, owner)


async def carriers_renew(
    db: Executor, *, lease: timedelta, reports: Sequence[CarrierHealthReport], owner: str
) -> list[int]:
    """Renews this process's leases and stores the carriers' health. Returns the carriers that it still owns."""
    return await fetch_rows(db, _SQL["carriers_renew"], single(int), lease, *columns(reports, 3), owner)


async def carriers_take(
    db: Executor, *, owner: str, lease: timedelta, carrier_ids: Sequence[int], dead_owners: Sequence[str]
) -> list[int]:
    """Takes carriers without an owner, or whose owner's lease has ended or process is known to be dead
    (`dead_owners`). Returns those taken.
    """
    return await fetch_rows(db, _SQL["carriers_take"], single(int), owner, lease, carrier_ids, dead_owners)


async def carriers_owned(db: Executor) -> list[CarrierOwnerRow]:
    return await fetch_rows(db, _SQL["carriers_owned"], CarrierOwnerRow)


async def carrier_release(db: Executor, *, carrier_ids: Sequence[int], owner: str) -> None:
    await execute(db, _SQL["carrier_release"], carrier_ids, owner)


async def links_alive(db: Executor) -> list[str]:
    return await fetch_rows(db, _SQL["links_alive"], single(str))


async def queue_expired(db: Executor, *, now: datetime, rows_max: int) -> list[ExpiredMessage]:
    """Messages whose receipt is overdue. Locks the message and not its queue row: receipts lock the message first
    and then delete the row, and the other order would deadlock.
    """
    return await fetch_rows(db, _SQL["queue_expired"], ExpiredMessage, now, rows_max)


async def queue_overdue(db: Executor, *, now: datetime, grace: timedelta, rows_max: int) -> list[ExpiredMessage]:
    """Messages past their validity in a lane that no process serves, as of a disabled carrier. After an outage of
    the database the answer of a claim that has just lapsed may still be in a process's memory: `grace` is left for
    it to be stored.
    """
    return await fetch_rows(db, _SQL["queue_overdue"], ExpiredMessage, now, grace, rows_max)


async def carriers_enabled(db: Executor) -> list[EnabledCarrier]:
    return await fetch_rows(db, _SQL["carriers_enabled"], EnabledCarrier)


async def carrier_outstanding(db: Executor, *, carrier_id: int, rows_max: int) -> list[OutstandingRow]:
    return await fetch_rows(db, _SQL["carrier_outstanding"], OutstandingRow, carrier_id, rows_max)
