"""Figures by country, carrier, hour and so on, for the command line and the console."""

import enum
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sqrt
from typing import Final

import msgspec

from homing.common import histogram
from homing.common.confidence import Z_95
from homing.model import PeriodGrain
from homing.statistics.rollup import first_minutes
from homing.store import statements
from homing.store.database import Database

STAT_MINUTES_SPAN_S: Final = 10_800  # longer time ranges are read by hour


class ReportGrouping(enum.Enum):
    """The dimension that figures are grouped by."""

    COUNTRY = "country"
    NETWORK = "network"
    CARRIER = "carrier"
    APP = "app"
    ACCOUNT = "account"
    PREFIX = "prefix"
    SENDER = "sender"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


GRAINS: Final = {
    ReportGrouping.MINUTE: PeriodGrain.MINUTE,
    ReportGrouping.HOUR: PeriodGrain.HOUR,
    ReportGrouping.DAY: PeriodGrain.DAY,
}


class RateWithInterval(msgspec.Struct, frozen=True):
    """A share (0..1) with its 95 % confidence interval."""

    mean: float
    low: float
    high: float


class ReportLine(msgspec.Struct, frozen=True):
    """Figures of one group of messages. Amounts are micro-units; times are medians in seconds, None without data."""

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
    delivered_rate: RateWithInterval | None  # of those sent
    converted_rate: RateWithInterval | None
    receipt_s: float | None
    conversion_s: float | None

    @property
    def cost_per_conversion_micro(self) -> int | None:
        """Of the carrier cost, to the nearest micro-unit; None without conversions."""
        return per_conversion(self.cost_micro, self.converted)


class StatisticsReport(msgspec.Struct, frozen=True):
    """Lines of a time range, which is rounded to whole periods of the grain: it may begin before the requested one."""

    lines: Sequence[ReportLine]
    grain: PeriodGrain
    since_minute: int
    until_minute: int


def rate(hits: int, trials: int) -> RateWithInterval | None:
    """A rate with the 95 % Wilson interval; None without trials. Hits above the number of trials, which late events can
    cause, count as a rate of 1.
    """
    if trials <= 0:
        return None
    z = Z_95
    share = min(1.0, max(0.0, hits / trials))
    spread = z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / trials + spread / trials / 4) / (1 + spread)
    return RateWithInterval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def per_conversion(micro: int, converted: int) -> int | None:
    """An amount's share of each conversion, to the nearest micro-unit; None without conversions."""
    return round(micro / converted) if converted > 0 else None


def grain_for(by: ReportGrouping, since: datetime, until: datetime, now: datetime) -> PeriodGrain:
    """The finest grain that is kept for the whole time range and does not give too many periods to read."""
    if by in GRAINS:
        return GRAINS[by]
    retained, since_minute = first_minutes(now), int(since.timestamp()) // 60
    if until - since <= timedelta(seconds=STAT_MINUTES_SPAN_S) and since_minute >= retained[PeriodGrain.MINUTE]:
        return PeriodGrain.MINUTE
    return PeriodGrain.HOUR if since_minute >= retained[PeriodGrain.HOUR] else PeriodGrain.DAY


async def report(
    database: Database,
    by: ReportGrouping,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    account_id: int | None = None,
) -> StatisticsReport:
    """The figures so far of the messages submitted in [since, until). Raises a `PlatformFailure`."""
    grain = grain_for(by, since, until, now)
    first = int(since.timestamp()) // 60 // grain
    beyond = -(-int(until.timestamp()) // 60 // grain)
    rows = await statements.statistics.stat_report(
        database, by=by.value, grain=grain, first_period=first, beyond_period=beyond, account_id=account_id
    )
    times: dict[tuple[str, str], list[int]] = {}
    for row in await statements.statistics.stat_report_times(
        database, by=by.value, grain=grain, first_period=first, beyond_period=beyond, account_id=account_id
    ):
        times.setdefault((row.key, row.kind), histogram.empty())[row.bucket] = row.n
    lines = [
        msgspec.convert(
            {
                **msgspec.structs.asdict(row),
                "delivered_rate": rate(row.delivered, row.sent),
                "converted_rate": rate(row.converted, row.sent),
                "receipt_s": histogram.quantile(times.get((row.key, "r"), ()), 0.5),
                "conversion_s": histogram.quantile(times.get((row.key, "c"), ()), 0.5),
            },
            ReportLine,
        )
        for row in rows
    ]
    if by in GRAINS:
        lines.sort(key=lambda line: int(line.key))
    return StatisticsReport(lines, grain, first * grain, beyond * grain)
