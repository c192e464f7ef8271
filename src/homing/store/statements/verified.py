"""Codes' cost and the people whom they verified, by the hour (statistics/verified.py).

Made by tools/sql_bindings.py from sql/verified.sql.
"""

from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, execute, fetch_rows

_SQL: Final = queries.load("verified")


class VerifiedRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `verified_figures`."""

    key: str
    messages: int
    charge_micro: int
    carrier_cost_micro: int | None
    verified: int


class ReportedRateRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `reported_rates`."""

    report_id: int
    reported_at: datetime
    account: str
    app_id: str
    mcc: str
    converted: str
    sent: str
    rate: str
    called_at: str


async def verified_hours_remove(db: Executor, *, first_hour: int, beyond_hour: int) -> None:
    await execute(db, _SQL["verified_hours_remove"], first_hour, beyond_hour, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def verified_hours_add(db: Executor, *, first_id: int, beyond_id: int) -> None:
    """Adds up the verifications of an id range, which are those of whole hours. Of a verified person the message
    counts that has the conversion's credit, or else the latest.
    """
    await execute(db, _SQL["verified_hours_add"], first_id, beyond_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def verified_figures(db: Executor, *, by: str, first_hour: int, account_id: int | None) -> list[VerifiedRow]:
    """By what `by` names, from an hour on, of one account or all."""
    return await fetch_rows(db, _SQL["verified_figures"], VerifiedRow, by, first_hour, account_id)


async def verified_hours_forget(db: Executor, *, before_hour: int) -> None:
    await execute(db, _SQL["verified_hours_forget"], before_hour, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def reported_rates(db: Executor, *, account_id: int | None, rows_max: int) -> list[ReportedRateRow]:
    """What customers counted themselves, the latest first."""
    return await fetch_rows(db, _SQL["reported_rates"], ReportedRateRow, account_id, rows_max)
