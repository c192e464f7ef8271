"""Lock-outs after wrong passwords, shared by all processes (api/http/auth_guard.py).

Made by tools/sql_bindings.py from sql/passwords.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("passwords")


class NewPasswordLock(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `password_locks_add` is given."""

    network: str
    name: str
    dialect: int
    left_s: float


class PasswordLockRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `password_locks_add`."""

    network: str
    name: str
    dialect: int
    is_new: bool


class PasswordLockLeft(msgspec.Struct, frozen=True, gc=False):
    """A row of `password_locks`."""

    network: str
    name: str
    left_s: float


class KnownPassword(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `password_known_add` is given."""

    network: str
    name: str


async def password_locks_add(db: Executor, *, locks: Sequence[NewPasswordLock]) -> list[PasswordLockRow]:
    """Gives those that were not there: old ones are forgotten after a day."""
    return await fetch_rows(db, _SQL["password_locks_add"], PasswordLockRow, *columns(locks, 4))


async def password_locks(db: Executor, *, rows_max: int) -> list[PasswordLockLeft]:
    return await fetch_rows(db, _SQL["password_locks"], PasswordLockLeft, rows_max)


async def password_locks_count(db: Executor) -> int:
    """Networks that were locked within an hour."""
    return await fetch_row(db, _SQL["password_locks_count"], single(int))


async def password_known_add(db: Executor, *, pairs: Sequence[KnownPassword]) -> None:
    """Entries that were not used for a quarter are deleted."""
    await execute(db, _SQL["password_known_add"], *columns(pairs, 2))


async def password_known(db: Executor, *, network: str, name: str) -> datetime | None:
    return await fetch_row_or_none(db, _SQL["password_known"], single(datetime), network, name)
