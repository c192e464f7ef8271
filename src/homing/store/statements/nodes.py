"""Statements of sql/nodes.sql.

Made by tools/sql_bindings.py from sql/nodes.sql.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, execute, many, one, one_or_none, single

_SQL: Final = queries.load("nodes")


class ProcessRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `processes`."""

    owner: str
    leased_until: datetime
    is_alive: bool
    works: list[str]


class MigrationRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `migrations_applied`."""

    number: int
    name: str
    applied_at: datetime


class DatabaseFacts(msgspec.Struct, frozen=True, gc=False):
    """A row of `database_facts`."""

    version: str
    bytes: int
    started_at: datetime
    accounts_with_retention: int
    retention_min: int | None
    retention_max: int | None


async def node_take(db: Executor, *, owner: str, lease: timedelta, nodes: int) -> int | None:
    return await one_or_none(db, _SQL["node_take"], single(int), owner, lease, nodes)


async def node_renew(db: Executor, *, lease: timedelta, owner: str) -> int | None:
    return await one_or_none(db, _SQL["node_renew"], single(int), lease, owner)


async def node_release(db: Executor, *, owner: str) -> None:
    await execute(db, _SQL["node_release"], owner)


async def processes(db: Executor, *, gone_after: timedelta) -> list[ProcessRow]:
    """Who is at work, by what they hold under a lease that has not been over for long (`gone_after`)."""
    return await many(db, _SQL["processes"], ProcessRow, gone_after)


async def migrations_applied(db: Executor) -> list[MigrationRow]:
    return await many(db, _SQL["migrations_applied"], MigrationRow)


async def database_facts(db: Executor) -> DatabaseFacts:
    return await one(db, _SQL["database_facts"], DatabaseFacts)
