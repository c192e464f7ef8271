"""Customers' binds: who is bound, the parts of long messages, and what is delivered to binds.

Made by tools/sql_bindings.py from sql/binds.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("binds")


class NewBind(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `binds_take` is given."""

    account_id: int
    bind_id: int
    kind: int
    system_id: str
    address: str


class BindKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `binds_release` is given."""

    account_id: int
    bind_id: int


class BindOwnerRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `binds_owners`."""

    owner: str
    is_alive: bool


class BindRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `binds_list`."""

    kind: int
    system_id: str
    address: str
    since: datetime
    owner: str


class PartAllowance(msgspec.Struct, frozen=True, gc=False):
    """A row of `part_allowances`."""

    account_id: int
    available_micro: int
    parts: int


class NewSubmittedPart(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `submitted_parts_put` is given."""

    account_id: int
    part_id: int
    number: str
    sender: str
    reference: int
    total: int
    part: int
    content: bytes
    request: str


class PutSubmittedPart(msgspec.Struct, frozen=True, gc=False):
    """A row of `submitted_parts_put`."""

    account_id: int
    part_id: int
    number: str
    sender: str
    reference: int
    total: int
    part: int


class PartSetKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `part_set_members` is given."""

    account_id: int
    number: str
    sender: str
    reference: int
    total: int


class PartSetMember(msgspec.Struct, frozen=True, gc=False):
    """A row of `part_set_members`."""

    account_id: int
    part_id: int
    number: str
    sender: str
    reference: int
    total: int
    part: int
    content: bytes
    request: str
    due_at: datetime


class SubmittedPartKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `submitted_parts_lease` is given."""

    account_id: int
    part_id: int


class SubmittedPartEnd(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `submitted_parts_end` is given."""

    account_id: int
    part_id: int
    message_id: int | None
    state: int


class OverduePartSet(msgspec.Struct, frozen=True, gc=False):
    """A row of `part_sets_overdue`."""

    account_id: int
    number: str
    sender: str
    reference: int
    total: int


class SubmittedPartRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `submitted_part_find`."""

    message_id: int | None
    state: int
    has_ended: bool


class BindRoom(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `deliveries_claim` is given."""

    account_id: int
    room: int


class DeliveryRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `deliveries_claim`."""

    account_id: int
    push_id: int
    message_id: int
    kind: int
    body: str
    attempts: int
    attempts_replayed: int


async def binds_lock(db: Executor, *, account_ids: Sequence[int]) -> None:
    await execute(db, _SQL["binds_lock"], account_ids)


async def binds_take(db: Executor, *, binds: Sequence[NewBind], owner: str) -> list[int]:
    """Under the lock above, as a statement of its own, so that it sees what whoever held the lock before has
    written. A process's binds count while it holds a node number.
    """
    return await fetch_rows(db, _SQL["binds_take"], single(int), *columns(binds, 5), owner)


async def binds_release(db: Executor, *, binds: Sequence[BindKey]) -> None:
    await execute(db, _SQL["binds_release"], *columns(binds, 2))


async def binds_owners(db: Executor) -> list[BindOwnerRow]:
    return await fetch_rows(db, _SQL["binds_owners"], BindOwnerRow)


async def binds_forget(db: Executor, *, owners: Sequence[str]) -> None:
    await execute(db, _SQL["binds_forget"], owners)


async def binds_list(db: Executor, *, account_id: int) -> list[BindRow]:
    return await fetch_rows(db, _SQL["binds_list"], BindRow, account_id)


async def binds_seen(db: Executor, *, seen_at: datetime, account_ids: Sequence[int], resolution: timedelta) -> None:
    await execute(db, _SQL["binds_seen"], seen_at, account_ids, resolution)


async def part_sets_lock(db: Executor, *, keys: Sequence[int]) -> None:
    """Whoever adds to a set or ends one holds this first: two processes that store a set's last two parts at once
    must not each miss the other's.
    """
    await execute(db, _SQL["part_sets_lock"], keys)


async def part_allowances(db: Executor, *, counted_max: int, account_ids: Sequence[int]) -> list[PartAllowance]:
    """By account, what it can spend and how many of its parts wait for others; no more than `counted_max` of those
    are counted.
    """
    return await fetch_rows(db, _SQL["part_allowances"], PartAllowance, counted_max, account_ids)


async def submitted_parts_put(
    db: Executor, *, due_at: datetime, parts: Sequence[NewSubmittedPart]
) -> list[PutSubmittedPart]:
    """A part that comes again, because its answer was late, is the one that there is."""
    return await fetch_rows(db, _SQL["submitted_parts_put"], PutSubmittedPart, due_at, *columns(parts, 9))


async def part_set_members(db: Executor, *, sets: Sequence[PartSetKey]) -> list[PartSetMember]:
    """`ended + 0`: so that the set's other columns are what finds it (docs/decisions/0002-plans-and-indexes.md)."""
    return await fetch_rows(db, _SQL["part_set_members"], PartSetMember, *columns(sets, 5))


async def submitted_parts_lease(db: Executor, *, due_at: datetime, parts: Sequence[SubmittedPartKey]) -> None:
    await execute(db, _SQL["submitted_parts_lease"], due_at, *columns(parts, 2))


async def submitted_parts_end(db: Executor, *, parts: Sequence[SubmittedPartEnd]) -> list[int]:
    return await fetch_rows(db, _SQL["submitted_parts_end"], single(int), *columns(parts, 4))


async def part_sets_overdue(db: Executor, *, now: datetime, rows_max: int) -> list[OverduePartSet]:
    return await fetch_rows(db, _SQL["part_sets_overdue"], OverduePartSet, now, rows_max)


async def submitted_part_find(db: Executor, *, account_id: int, part_id: int) -> SubmittedPartRow | None:
    return await fetch_row_or_none(db, _SQL["submitted_part_find"], SubmittedPartRow, account_id, part_id)


async def submitted_parts_delete_old(db: Executor, *, before_id: int) -> None:
    await execute(db, _SQL["submitted_parts_delete_old"], before_id)


async def deliveries_claim(
    db: Executor, *, rooms: Sequence[BindRoom], now: datetime, rows_max: int, lease: timedelta
) -> list[DeliveryRow]:
    """For each account as many as its binds have `room` for. A receipt waits for the notice that went before it:
    they arrive in their order, whichever binds they take.
    """
    return await fetch_rows(db, _SQL["deliveries_claim"], DeliveryRow, *columns(rooms, 2), now, rows_max, lease)


async def deliveries_give_up(db: Executor, *, due_since: datetime, rows_max: int) -> list[int]:
    """For whom nobody has come: due since `due_since` and not tried since."""
    return await fetch_rows(db, _SQL["deliveries_give_up"], single(int), due_since, rows_max)
