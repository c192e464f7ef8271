"""The latest time of all processes (store/clock_watch.py).

Made by tools/sql_bindings.py from sql/clock.sql.
"""

from datetime import datetime
from typing import Final

from homing.store import queries
from homing.store.rows import Executor, execute, fetch_row_or_none, single

_SQL: Final = queries.load("clock")


async def clock_latest(db: Executor) -> datetime | None:
    return await fetch_row_or_none(db, _SQL["clock_latest"], single(datetime))


async def clock_advance(db: Executor, *, latest_at: datetime) -> None:
    await execute(db, _SQL["clock_advance"], latest_at)
