"""The audit log (audit.py). Triggers write the rows of changed settings (0007_console.sql).

Made by tools/sql_bindings.py from sql/audit.sql.
"""

from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, execute, fetch_rows

_SQL: Final = queries.load("audit")


class AuditRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `audit_page`."""

    audit_id: int
    at: datetime
    change: int
    actor: str
    address: str
    kind: str
    act: str
    account: str | None
    subject: str
    before: str | None
    after: str | None


async def audit_actor(db: Executor, *, actor: str, address: str) -> None:
    await execute(db, _SQL["audit_actor"], actor, address)


async def audit_record(
    db: Executor, *, kind: str, act: str, account_id: int | None, subject: str, before: str | None, after: str | None
) -> None:
    await execute(db, _SQL["audit_record"], kind, act, account_id, subject, before, after)


async def audit_page(
    db: Executor, *, before_id: int | None, account_id: int | None, actor: str | None, kind: str | None, rows_max: int
) -> list[AuditRow]:
    """The latest rows below `before_id`."""
    return await fetch_rows(db, _SQL["audit_page"], AuditRow, before_id, account_id, actor, kind, rows_max)
