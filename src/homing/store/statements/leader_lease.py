"""Work that one process does for all, under a lease (store/leader_lease.py).

Made by tools/sql_bindings.py from sql/leader_lease.sql.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from homing.store import queries
from homing.store.rows import Executor, execute, fetch_row_or_none, single

_SQL: Final = queries.load("leader_lease")


async def lease_renew(db: Executor, *, lease: timedelta, turns: int, name: str, owner: str) -> int | None:
    """The owner renews it in the transaction of the work, which is rolled back when another process has taken the
    lease.
    """
    return await fetch_row_or_none(db, _SQL["lease_renew"], single(int), lease, turns, name, owner)


async def lease_take(
    db: Executor, *, name: str, owner: str, lease: timedelta, dead_owners: Sequence[str]
) -> int | None:
    """Takes a lease that is free, has ended or is owned by one of `dead_owners`."""
    return await fetch_row_or_none(db, _SQL["lease_take"], single(int), name, owner, lease, dead_owners)


async def lease_owner(db: Executor, *, name: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["lease_owner"], single(str), name)


async def lease_release(db: Executor, *, name: str, owner: str) -> None:
    await execute(db, _SQL["lease_release"], name, owner)
