"""Work that one process does for all, under a lease (store/leader_lease.py).

Made by tools/sql_bindings.py from sql/leader_lease.sql.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from homing.store import queries
from homing.store.rows import Executor, execute, one_or_none, single

_SQL: Final = queries.load("leader_lease")


async def duty_renew(db: Executor, *, lease: timedelta, turns: int, name: str, owner: str) -> int | None:
    """Whoever has it renews it in the transaction of its work: another that has taken it over makes the work come to
    nothing.
    """
    return await one_or_none(db, _SQL["duty_renew"], single(int), lease, turns, name, owner)


async def duty_take(db: Executor, *, name: str, owner: str, lease: timedelta, dead_owners: Sequence[str]) -> int | None:
    """Free: nobody's, or of an owner whose lease has ended or who is known to be dead (`dead_owners`)."""
    return await one_or_none(db, _SQL["duty_take"], single(int), name, owner, lease, dead_owners)


async def duty_owner(db: Executor, *, name: str) -> str | None:
    return await one_or_none(db, _SQL["duty_owner"], single(str), name)


async def duty_release(db: Executor, *, name: str, owner: str) -> None:
    await execute(db, _SQL["duty_release"], name, owner)
