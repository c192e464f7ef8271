"""Refused calls (accounts/refusal_log.py): listed, and summed by the hour.

Made by tools/sql_bindings.py from sql/refusals.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("refusals")


class NewRefusedCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `refused_calls_add` is given."""

    at: datetime
    account_id: int | None
    dialect: str
    call: str
    code: str
    reason: str
    key: str
    app_id: str
    address: str
    request_id: str
    calls: int
    messages: int
    is_rest: bool


class NewRefusedCallSum(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `refused_call_sums_add` is given."""

    account_id: int
    hour: int
    dialect: str
    reason_code: str
    calls: int
    messages: int


class RefusedCallRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `refused_calls_page`."""

    refused_call_id: int
    at: datetime
    account: str | None
    dialect: str
    call: str
    code: str
    reason: str
    key: str
    app_id: str
    address: str
    request_id: str
    calls: int
    messages: int
    is_rest: bool


class RefusedCallSumRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `refused_call_sums`."""

    reason_code: str
    calls: int
    messages: int


async def refused_calls_add(db: Executor, *, calls: Sequence[NewRefusedCall]) -> None:
    await execute(db, _SQL["refused_calls_add"], *columns(calls, 13))


async def refused_call_sums_add(db: Executor, *, sums: Sequence[NewRefusedCallSum]) -> None:
    """In one order, so that processes do not wait for each other in a circle."""
    await execute(db, _SQL["refused_call_sums_add"], *columns(sums, 6))


async def refused_calls_page(
    db: Executor,
    *,
    before_id: int,
    first_id: int,
    account_id: int | None,
    is_unknown: bool,
    dialect: str | None,
    reason_code: str | None,
    since: datetime | None,
    rows_max: int,
) -> list[RefusedCallRow]:
    """The latest rows below `before_id` and not below `first_id`: of an account, or (`is_unknown`) of none that is
    known.
    """
    return await fetch_rows(
        db,
        _SQL["refused_calls_page"],
        RefusedCallRow,
        before_id,
        first_id,
        account_id,
        is_unknown,
        dialect,
        reason_code,
        since,
        rows_max,
    )


async def refused_calls_end(
    db: Executor, *, before_id: int, account_id: int | None, is_unknown: bool, looked_max: int
) -> int | None:
    """Where a search that looks at so many rows ends."""
    return await fetch_row_or_none(
        db, _SQL["refused_calls_end"], single(int), before_id, account_id, is_unknown, looked_max
    )


async def refused_call_sums(
    db: Executor, *, first_hour: int, account_id: int | None, dialect: str | None
) -> list[RefusedCallSumRow]:
    """From an hour on, by reason: of an account or of all."""
    return await fetch_rows(db, _SQL["refused_call_sums"], RefusedCallSumRow, first_hour, account_id, dialect)


async def refused_calls_forget(db: Executor, *, rows_max: int, before: datetime) -> None:
    """The oldest beyond `rows_max` rows, and all from before `before`."""
    await execute(db, _SQL["refused_calls_forget"], rows_max, before, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def refused_call_sums_forget(db: Executor, *, before_hour: int) -> None:
    await execute(db, _SQL["refused_call_sums_forget"], before_hour, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)
