"""Statements of sql/observe.sql.

Made by tools/sql_bindings.py from sql/observe.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, many, one, single

_SQL: Final = queries.load("observe")


class DepthRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `depths`."""

    kind: str
    waiting: int


class DueLane(msgspec.Struct, frozen=True, gc=False):
    """A row of `lanes_due`."""

    source: str
    lane: int


async def depths(db: Executor) -> list[DepthRow]:
    return await many(db, _SQL["depths"], DepthRow)


async def lanes_due(
    db: Executor, *, queue_lanes: Sequence[int], now: datetime, push_lanes: Sequence[int]
) -> list[DueLane]:
    return await many(db, _SQL["lanes_due"], DueLane, queue_lanes, now, push_lanes)


async def is_superuser(db: Executor) -> bool:
    return await one(db, _SQL["is_superuser"], single(bool))
