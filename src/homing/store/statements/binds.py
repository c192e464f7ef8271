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


class LongRoomRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `long_room`."""

    account_id: int
    available_micro: int
    parts: int


class NewLongPart(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `long_put` is given."""

    account_id: int
    part_id: int
    number: str
    sender: str
    reference: int
    total: int
    part: int
    content: bytes
    form: str


class StoredLongPart(msgspec.Struct, frozen=True, gc=False):
    """A row of `long_put`."""

    account_id: int
    part_id: int
    number: str
    sender: str
    reference: int
    total: int
    part: int


class LongSetKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `long_members` is given."""

    account_id: int
    number: str
    sender: str
    reference: int
    total: int


class LongMemberRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `long_members`."""

    account_id: int
    part_id: int
    number: str
    sender: str
    reference: int
    total: int
    part: int
    content: bytes
    form: str
    due_at: datetime


class LongPartKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `long_lease` is given."""

    account_id: int
    part_id: int


class LongPartEnd(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `long_end` is given."""

    account_id: int
    part_id: int
    message_id: int | None
    state: int


class OverdueLongSet(msgspec.Struct, frozen=True, gc=False):
    """A row of `long_overdue`."""

    account_id: int
    number: str
    sender: str
    reference: int
    total: int


class LongPartRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `long_find`."""

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


async def long_lock(db: Executor, *, keys: Sequence[int]) -> None:
    """Whoever adds to a set or ends one holds this first: two processes that store a set's last two parts at once
    must not each miss the other's.
    """
    await execute(db, _SQL["long_lock"], keys)


async def long_room(db: Executor, *, counted_max: int, account_ids: Sequence[int]) -> list[LongRoomRow]:
    """By account, what it can spend and how many of its parts wait for others; no more than `counted_max` of those
    are counted.
    """
    return await fetch_rows(db, _SQL["long_room"], LongRoomRow, counted_max, account_ids)


async def long_put(db: Executor, *, due_at: datetime, parts: Sequence[NewLongPart]) -> list[StoredLongPart]:
    """A part that comes again, because its answer was late, is the one that there is."""
    return await fetch_rows(db, _SQL["long_put"], StoredLongPart, due_at, *columns(parts, 9))


async def long_members(db: Executor, *, sets: Sequence[LongSetKey]) -> list[LongMemberRow]:
    """`ended + 0`: so that the set's other columns are what finds it (docs/decisions/0002-plans-and-indexes.md)."""
    return await fetch_rows(db, _SQL["long_members"], LongMemberRow, *columns(sets, 5))


async def long_lease(db: Executor, *, due_at: datetime, parts: Sequence[LongPartKey]) -> None:
    await execute(db, _SQL["long_lease"], due_at, *columns(parts, 2))


async def long_end(db: Executor, *, parts: Sequence[LongPartEnd]) -> list[int]:
    return await fetch_rows(db, _SQL["long_end"], single(int), *columns(parts, 4))


async def long_overdue(db: Executor, *, now: datetime, rows_max: int) -> list[OverdueLongSet]:
    return await fetch_rows(db, _SQL["long_overdue"], OverdueLongSet, now, rows_max)


async def long_find(db: Executor, *, account_id: int, part_id: int) -> LongPartRow | None:
    return await fetch_row_or_none(db, _SQL["long_find"], LongPartRow, account_id, part_id)


async def long_forget(db: Executor, *, before_id: int) -> None:
    await execute(db, _SQL["long_forget"], before_id)


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
