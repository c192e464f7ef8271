"""Statements of sql/conversions.sql.

Made by tools/sql_bindings.py from sql/conversions.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, fetch_rows

_SQL: Final = queries.load("conversions")


class ReportedConversion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `conversions_record` is given."""

    account_id: int
    message_id: int
    dialect: int
    reported_at: datetime | None


class ConversionRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `conversions_record`."""

    account_id: int
    message_id: int
    recorded: bool


async def conversions_record(
    db: Executor,
    *,
    now: datetime,
    reports: Sequence[ReportedConversion],
    credit_ids: int,
    partition_ids: int,
    candidates_max: int,
) -> list[ConversionRow]:
    """Records conversions; returns a row for each reported message of the account. `recorded`: this report was its
    first. The conversion is credited to one message: of those to the same number in the same app, sent within an
    hour of the reported one (`credit_ids`, in IDs) and before the conversion, the last delivered one; if none is
    delivered, the last one on its way; else the reported one. A message is credited once. The time of the conversion
    is `reported_at` if that lies between the submit and now. Of a number with many messages (`candidates_max`, since
    the beginning of the partition; `partition_ids`: the IDs of one partition) only the first ones read are
    candidates: a million tests to one number must not make each report read all of them. An address requested a
    code's first message, whichever of them is credited.
    """
    return await fetch_rows(
        db,
        _SQL["conversions_record"],
        ConversionRow,
        now,
        *columns(reports, 4),
        credit_ids,
        partition_ids,
        candidates_max,
    )
