"""What changed of messages, taken out and added up (statistics/rollup.py), and read (statistics/history.py).

Made by tools/sql_bindings.py from sql/statistics.sql.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row, fetch_rows, single

_SQL: Final = queries.load("statistics")


class StatDeltaRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `stat_take`."""

    minute: int
    account_id: int
    app_id: str
    country: str
    network: str
    block: str
    carrier_id: int
    sender: str
    submitted: int
    sent: int
    delivered: int
    undelivered: int
    converted: int
    refused: int
    cost_micro: int
    revenue_micro: int
    receipt_bucket: int
    conversion_bucket: int
    resent: bool
    superseded: int
    superseded_age_s: int
    superseded_receipt: int
    taken: int


class NewStatCell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `stat_cells_find`, `stat_cells_make` is given."""

    account_id: int
    app_id: str
    country: str
    network: str
    prefix: str
    carrier_id: int
    sender: str


class FoundCell(msgspec.Struct, frozen=True, gc=False):
    """A row of `stat_cells_find`."""

    cell_id: int
    nth: int


class StatCellRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `stat_cells_make`."""

    account_id: int
    app_id: str
    country: str
    network: str
    prefix: str
    carrier_id: int
    sender: str
    cell_id: int


class PendingChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `stat_await` is given."""

    account_id: int
    minute: int
    cell_id: int
    receipt_bucket: int
    conversion_bucket: int
    submitted: int
    sent: int
    delivered: int
    undelivered: int
    converted: int
    refused: int
    cost_micro: int
    revenue_micro: int


class StatisticsCell(msgspec.Struct, frozen=True, gc=False):
    """One cell in one period: the figures so far of the messages submitted in it. `minute` is the unix minute in
    which the period begins, `grain` its length in minutes. Times are counts by bucket (common/histogram.py), empty
    where there are none. Amounts are micro-units.
    """

    minute: int
    grain: int
    account_id: int
    app_id: str
    country: str
    network: str
    prefix: str
    carrier_id: int
    sender: str
    submitted: int
    sent: int
    delivered: int
    undelivered: int
    converted: int
    refused: int
    cost_micro: int
    revenue_micro: int
    receipt_times: list[int]
    conversion_times: list[int]


class StatReportRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `stat_report`."""

    key: str
    submitted: int
    sent: int
    delivered: int
    undelivered: int
    converted: int
    refused: int
    cost_micro: int
    revenue_micro: int
    margin_micro: int


class ReportTimes(msgspec.Struct, frozen=True, gc=False):
    """A row of `stat_report_times`."""

    key: str
    kind: str
    bucket: int
    n: int


class OverviewLine(msgspec.Struct, frozen=True, gc=False):
    """A row of `stat_overview`."""

    period: int | None
    country: str | None
    carrier_id: int | None
    submitted: int
    sent: int
    delivered: int
    undelivered: int
    converted: int
    refused: int
    cost_micro: int
    revenue_micro: int


class FunnelLine(msgspec.Struct, frozen=True, gc=False):
    """A row of `stat_funnel`."""

    by: str
    key: str
    sent: int | None
    delivered: int | None
    converted: int | None
    revenue_micro: int | None


class ReportingApp(msgspec.Struct, frozen=True, gc=False):
    """A row of `apps_reporting`."""

    app_id: str
    name: str
    account_id: int
    account: str
    expects_conversions: bool | None
    sent: int
    converted: int


class StatPulse(msgspec.Struct, frozen=True, gc=False):
    """A row of `stat_pulse`."""

    submitted: int | None
    sent: int | None
    delivered: int | None
    undelivered: int | None
    converted: int | None
    refused: int | None


class StatisticsDifference(msgspec.Struct, frozen=True, gc=False):
    """A figure of one cell and period that differs from the messages. `minute`: the unix minute in which it begins."""

    grain: int
    minute: int
    account_id: int
    app_id: str
    country: str
    network: str
    prefix: str
    carrier_id: int
    sender: str
    figure: str
    recorded: int
    counted: int


async def stat_take(db: Executor, *, rows_max: int) -> list[StatDeltaRow]:
    """The oldest deltas first, since rows are added at the end. Another process that has taken some of them
    meanwhile keeps them.
    """
    return await fetch_rows(db, _SQL["stat_take"], StatDeltaRow, rows_max)


async def stat_cells_find(db: Executor, *, cells: Sequence[NewStatCell]) -> list[FoundCell]:
    return await fetch_rows(db, _SQL["stat_cells_find"], FoundCell, *columns(cells, 7))


async def stat_cells_make(db: Executor, *, cells: Sequence[NewStatCell]) -> list[StatCellRow]:
    return await fetch_rows(db, _SQL["stat_cells_make"], StatCellRow, *columns(cells, 7))


async def stat_await(db: Executor, *, changes: Sequence[PendingChange]) -> None:
    await execute(db, _SQL["stat_await"], *columns(changes, 13))


async def stat_settle(db: Executor, *, rows_max: int, first_minute: int, first_hour_minute: int) -> int:
    """Adds what waits to its minutes (from `first_minute` on), hours (from the minute `first_hour_minute` on) and
    days; how many rows that were.
    """
    return await fetch_row(
        db,
        _SQL["stat_settle"],
        single(int),
        rows_max,
        first_minute,
        first_hour_minute,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def stat_forget(db: Executor, *, grain: int, before_period: int) -> None:
    await execute(db, _SQL["stat_forget"], grain, before_period, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def stat_shrink(db: Executor) -> None:
    """After a backlog the tables that are read whole every second give their pages back. Not by autovacuum, which
    would ask for the lock that this takes every few seconds.
    """
    await execute(db, _SQL["stat_shrink"], timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def stat_cells(
    db: Executor, *, grain: int, first_period: int, beyond_period: int, account_id: int | None, rows_max: int
) -> list[StatisticsCell]:
    return await fetch_rows(
        db,
        _SQL["stat_cells"],
        StatisticsCell,
        grain,
        first_period,
        beyond_period,
        account_id,
        rows_max,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def stat_report(
    db: Executor, *, by: str, grain: int, first_period: int, beyond_period: int, account_id: int | None
) -> list[StatReportRow]:
    """Figures by what `by` names, of periods of a grain (`grain`) from one (`first_period`) to before another
    (`beyond_period`), of one account or all.
    """
    return await fetch_rows(
        db,
        _SQL["stat_report"],
        StatReportRow,
        by,
        grain,
        first_period,
        beyond_period,
        account_id,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def stat_report_times(
    db: Executor, *, by: str, grain: int, first_period: int, beyond_period: int, account_id: int | None
) -> list[ReportTimes]:
    """As above: how many times lie in each bucket, of what kind (r: to the receipt, c: to the conversion)."""
    return await fetch_rows(
        db,
        _SQL["stat_report_times"],
        ReportTimes,
        by,
        grain,
        first_period,
        beyond_period,
        account_id,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )


async def stat_overview(
    db: Executor, *, grain: int, first_period: int, beyond_period: int, account_id: int | None
) -> list[OverviewLine]:
    """Figures by period, by country and by carrier (`account_id`: of one account or all), in one reading; each line
    is apart by one of the three, and the others are null. Added up by all three first, since that leaves few rows to
    be added up three times.
    """
    return await fetch_rows(db, _SQL["stat_overview"], OverviewLine, grain, first_period, beyond_period, account_id)


async def stat_funnel(
    db: Executor, *, grain: int, first_period: int, beyond_period: int, account_id: int | None
) -> list[FunnelLine]:
    """Figures by country, network, carrier and app, and of all (`account_id`: of one account or all), in one
    reading; each line is apart by one of them, named in `by`.
    """
    return await fetch_rows(db, _SQL["stat_funnel"], FunnelLine, grain, first_period, beyond_period, account_id)


async def apps_reporting(
    db: Executor, *, first_day: int, account_id: int | None, app_ids: Sequence[str]
) -> list[ReportingApp]:
    """Apps by their ids (`app_ids`), with what is declared of them, and what their last days show since the day
    `first_day`; of one account (`account_id`) or all.
    """
    return await fetch_rows(db, _SQL["apps_reporting"], ReportingApp, first_day, account_id, app_ids)


async def stat_pulse(db: Executor, *, first_minute: int) -> StatPulse:
    """Whether anything has happened lately: it differs when it has."""
    return await fetch_row(db, _SQL["stat_pulse"], StatPulse, first_minute)


async def stat_prove(
    db: Executor, *, grain: int, first_period: int, account_id: int | None, rows_max: int
) -> list[StatisticsDifference]:
    """What is kept (and still to be added up) in periods of a grain (`grain`) from one (`first_period`) on, against
    what messages, attempts and conversions say, cell by cell. Times are compared by their number and their weights:
    each by its bucket's place.
    """
    return await fetch_rows(
        db,
        _SQL["stat_prove"],
        StatisticsDifference,
        grain,
        first_period,
        account_id,
        rows_max,
        timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
    )
