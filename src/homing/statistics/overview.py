"""Figures of a time range: over time, by country and by carrier, from one query."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from homing.model import PeriodGrain
from homing.statistics.report import RateWithInterval, rate
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.statistics import OverviewLine

K = TypeVar("K", str, int)


class PeriodFigures(msgspec.Struct, frozen=True):
    """Figures of the messages of one period, country or carrier. Amounts are micro-units."""

    submitted: int = 0
    sent: int = 0
    delivered: int = 0
    undelivered: int = 0
    converted: int = 0
    refused: int = 0  # attempts, not messages
    cost_micro: int = 0
    revenue_micro: int = 0

    @property
    def under_way(self) -> int:
        """Messages without a final state."""
        return max(0, self.submitted - self.delivered - self.undelivered)

    @property
    def delivered_rate(self) -> RateWithInterval | None:
        """Of the messages sent."""
        return rate(self.delivered, self.sent)

    @property
    def converted_rate(self) -> RateWithInterval | None:
        return rate(self.converted, self.sent)


class TrafficOverview(msgspec.Struct, frozen=True):
    """`periods` has one entry for each whole period of `grain` from unix minute `first_minute` on; `countries` and
    `carriers` (by id) hold those with any messages, largest first.
    """

    grain: PeriodGrain
    first_minute: int
    periods: Sequence[PeriodFigures]
    countries: Mapping[str, PeriodFigures]
    carriers: Mapping[int, PeriodFigures]

    @property
    def total(self) -> PeriodFigures:
        names = PeriodFigures.__struct_fields__
        return PeriodFigures(*(sum(getattr(period, name) for period in self.periods) for name in names))


async def read_overview(
    database: Database, grain: PeriodGrain, periods: int, now: datetime, account_id: int | None = None
) -> TrafficOverview:
    """The last `periods`, the current one included. Raises a `PlatformFailure`."""
    beyond = int(now.timestamp()) // 60 // grain + 1
    first = beyond - periods
    rows = await statements.statistics.stat_overview(
        database, grain=int(grain), first_period=first, beyond_period=beyond, account_id=account_id
    )
    over_time = {row.period: _figures(row) for row in rows if row.period is not None}
    countries = {row.country: _figures(row) for row in rows if row.country is not None}
    carriers = {row.carrier_id: _figures(row) for row in rows if row.carrier_id is not None}
    return TrafficOverview(
        grain,
        first * grain,
        [over_time.get(period, PeriodFigures()) for period in range(first, beyond)],
        _largest_first(countries),
        _largest_first(carriers),
    )


def _figures(row: OverviewLine) -> PeriodFigures:
    return msgspec.convert(row, PeriodFigures, from_attributes=True)


def _largest_first(figures: Mapping[K, PeriodFigures]) -> Mapping[K, PeriodFigures]:
    return dict(sorted(figures.items(), key=lambda pair: -pair[1].submitted))
