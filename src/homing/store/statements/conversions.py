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
    """A row comes back for each message that is the account's; `recorded` tells whether this report was the first.
    The credit for a report goes to the last delivered one of the messages to the same number in the same app that
    were sent within an hour of the reported one (`credit_ids`, in ids) and before the person came back. Where none
    is delivered, to the last that is on its way, else to the reported one. Whoever has a credit has it once. When
    the person came back is the customer's word where that lies between the submit and now.  Of a number that has
    more messages than anybody gets (`candidates_max`, since the beginning of the partition; `partition_ids` is its
    ids) those are looked at that come first: a million tests to one number must not make each of their reports read
    them all.
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
