"""Active alarms (store/alarms.py).

Made by tools/sql_bindings.py from sql/alarms.sql.
"""

from datetime import datetime
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


async def alarms(db: Executor, *, alarms_max: int) -> list[AlarmRow]:
    return await fetch_rows(db, _SQL["alarms"], AlarmRow, alarms_max)
