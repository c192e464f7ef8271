"""What wants somebody's attention now (console/alerts.py).

Made by tools/sql_bindings.py from sql/attention.sql.
"""

from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, fetch_row, fetch_rows, single

_SQL: Final = queries.load("attention")


class FailedPushesRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `attention_pushes`."""

    account: str
    pushes: int
    last_at: datetime


class VerdictCounts(msgspec.Struct, frozen=True, gc=False):
    """A row of `attention_verdicts`."""

    may_block: int
    ranges: int


class LowBalanceRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `attention_balances`."""

    account: str
    available_micro: int
    day_micro: int


async def attention_pushes(db: Executor, *, account_id: int | None, rows_max: int) -> list[FailedPushesRow]:
    """Pushes that were given up within a day, by account."""
    return await fetch_rows(db, _SQL["attention_pushes"], FailedPushesRow, account_id, rows_max)


async def attention_unmatched(db: Executor, *, counted_max: int) -> int:
    """Receipts that were given up within a day; no more than `counted_max` are counted."""
    return await fetch_row(db, _SQL["attention_unmatched"], single(int), counted_max)


async def attention_unmatched_inbound(db: Executor, *, counted_max: int) -> int:
    """Replies of which no account was found within a day; no more than `counted_max` are counted."""
    return await fetch_row(db, _SQL["attention_unmatched_inbound"], single(int), counted_max)


async def attention_verdicts(db: Executor, *, account_id: int | None) -> VerdictCounts:
    """Ranges and networks with a verdict in force: those that may be blocked, and all."""
    return await fetch_row(db, _SQL["attention_verdicts"], VerdictCounts, account_id)


async def attention_fakes(db: Executor) -> list[str]:
    return await fetch_rows(db, _SQL["attention_fakes"], single(str))


async def attention_balances(
    db: Executor, *, after_hour: int, account_id: int | None, rows_max: int
) -> list[LowBalanceRow]:
    """Accounts that cannot pay for another day like the last one, the soonest first. `after_hour`: the hour before
    it.
    """
    return await fetch_rows(db, _SQL["attention_balances"], LowBalanceRow, after_hour, account_id, rows_max)
