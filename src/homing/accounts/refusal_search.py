"""Refused calls as people look for them: listed, the latest first, and counted by reason."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.refusals import RefusedCallRow, RefusedCallSumRow

REFUSED_CALL_ID_MAX: Final = (1 << 63) - 1


class RefusalFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls are looked for: of an account, or (`is_unknown`) of nobody known; None and False: of all."""

    account_id: int | None = None
    is_unknown: bool = False
    dialect: str | None = None
    reason_code: str | None = None
    since: datetime | None = None
    before_id: int = REFUSED_CALL_ID_MAX


class FoundRefusals(msgspec.Struct, frozen=True):
    """`stopped_id`: the search has looked at as many rows as it may, down to this one."""

    rows: Sequence[RefusedCallRow]
    stopped_id: int | None


async def find_refusals(
    database: Database, wanted: RefusalFilter, rows_max: int, looked_max: int = limits.SEARCH_LOOKED_MAX
) -> FoundRefusals:
    """At most `rows_max` rows; a dialect, a reason or a time has no index, so the work has a bound."""
    last_id = None
    if wanted.dialect or wanted.reason_code or wanted.since:
        last_id = await statements.refusals.refused_calls_end(
            database,
            before_id=wanted.before_id,
            account_id=wanted.account_id,
            is_unknown=wanted.is_unknown,
            looked_max=looked_max,
        )
    rows = await statements.refusals.refused_calls_page(
        database,
        before_id=wanted.before_id,
        first_id=last_id or 0,
        account_id=wanted.account_id,
        is_unknown=wanted.is_unknown,
        dialect=wanted.dialect,
        reason_code=wanted.reason_code,
        since=wanted.since,
        rows_max=rows_max,
    )
    return FoundRefusals(rows, None if len(rows) >= rows_max else last_id)


async def count_refusals(database: Database, wanted: RefusalFilter, since: datetime) -> Sequence[RefusedCallSumRow]:
    """Of all calls since the hour of `since`, also those that are not listed one by one; the most frequent first."""
    return await statements.refusals.refused_call_sums(
        database,
        first_hour=int(since.timestamp()) // 3_600,
        account_id=0 if wanted.is_unknown else wanted.account_id,
        dialect=wanted.dialect,
    )
