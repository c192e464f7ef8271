"""Statements of sql/observe.sql.

Made by tools/sql_bindings.py from sql/observe.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, fetch_row, fetch_rows, single

_SQL: Final = queries.load("observe")


class DepthRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `depths`."""

    kind: str
    waiting: int


class DueLane(msgspec.Struct, frozen=True, gc=False):
    """A row of `lanes_due`."""

    source: str
    lane: int


class ProcessRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `processes`."""

    owner: str
    leased_until: datetime
    is_alive: bool
    leases: list[str]


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


async def depths(db: Executor) -> list[DepthRow]:
    return await fetch_rows(db, _SQL["depths"], DepthRow)


async def lanes_due(
    db: Executor, *, queue_lanes: Sequence[int], now: datetime, push_lanes: Sequence[int]
) -> list[DueLane]:
    return await fetch_rows(db, _SQL["lanes_due"], DueLane, queue_lanes, now, push_lanes)


async def is_superuser(db: Executor) -> bool:
    return await fetch_row(db, _SQL["is_superuser"], single(bool))


async def processes(db: Executor, *, gone_after: timedelta) -> list[ProcessRow]:
    """Processes by the leases that they hold, those that ended less than `gone_after` ago included."""
    return await fetch_rows(db, _SQL["processes"], ProcessRow, gone_after)


async def migrations_applied(db: Executor) -> list[MigrationRow]:
    return await fetch_rows(db, _SQL["migrations_applied"], MigrationRow)


async def database_facts(db: Executor) -> DatabaseFacts:
    return await fetch_row(db, _SQL["database_facts"], DatabaseFacts)
