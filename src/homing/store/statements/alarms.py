"""Active alarms (store/alarms.py).

Made by tools/sql_bindings.py from sql/alarms.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, execute, fetch_rows

_SQL: Final = queries.load("alarms")


class AlarmRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `alarms`."""

    component: str
    code: str
    subject: str
    detail: str
    raised_at: datetime
    last_at: datetime
    times: int


async def alarm_raise(db: Executor, *, component: str, code: str, subject: str, detail: str) -> None:
    await execute(db, _SQL["alarm_raise"], component, code, subject, detail)


async def alarm_clear(db: Executor, *, component: str, code: str | None, subject: str | None) -> None:
    """Clears all alarms of a component, or those of a code and a subject."""
    await execute(db, _SQL["alarm_clear"], component, code, subject)


async def alarms(
    db: Executor, *, repeated_codes: Sequence[str], repeated_within: timedelta, alarms_max: int
) -> list[AlarmRow]:
    """Of codes that a process repeats while its fault lasts (`repeated_codes`), those of a process that has gone are
    over.
    """
    return await fetch_rows(db, _SQL["alarms"], AlarmRow, repeated_codes, repeated_within, alarms_max)
