"""Figures of a span at a glance: over time, by country and by carrier, from one reading."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from homing.model import PeriodGrain
from homing.statistics.report import RateWithInterval, rate
from homing.store.database import Database, Record

K = TypeVar("K", str, int)


class PeriodFigures(msgspec.Struct, frozen=True):
    """What became of some messages."""

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
        return max(0, self.submitted - self.delivered - self.undelivered)

    @property
    def delivered_rate(self) -> RateWithInterval | None:
        """Of those that a carrier took."""
        return rate(self.delivered, self.sent)

    @property
    def converted_rate(self) -> RateWithInterval | None:
        return rate(self.converted, self.sent)


class TrafficOverview(msgspec.Struct, frozen=True):
    """`periods` has one entry for each whole period of `grain` from unix minute `first_minute` on; `countries` and
    `carriers` (by id) hold those with any messages, the largest first.
    """

    grain: PeriodGrain
    first_minute: int
    periods: Sequence[PeriodFigures]
    countries: Mapping[str, PeriodFigures]
    carriers: Mapping[int, PeriodFigures]

    @property
    def total(self) -> PeriodFigures:
        names = PeriodFigures.__struct_fields__
        return PeriodFigures(*(sum(getattr(one, name) for one in self.periods) for name in names))


async def read_overview(
    database: Database, grain: PeriodGrain, periods: int, now: datetime, account_id: int | None = None
) -> TrafficOverview:
    """The last so many periods, the current one included."""
    beyond = int(now.timestamp()) // 60 // grain + 1
    first = beyond - periods
    rows = await database.fetch("stat_overview", int(grain), first, beyond, account_id)
    over_time = {row["period"]: _figures(row) for row in rows if row["is_period"]}
    countries = {row["country"]: _figures(row) for row in rows if row["is_country"]}
    carriers = {row["carrier_id"]: _figures(row) for row in rows if not row["is_period"] and not row["is_country"]}
    return TrafficOverview(
        grain,
        first * grain,
        [over_time.get(period, PeriodFigures()) for period in range(first, beyond)],
        _largest_first(countries),
        _largest_first(carriers),
    )


def _figures(row: Record) -> PeriodFigures:
    return PeriodFigures(*(row[name] for name in PeriodFigures.__struct_fields__))


def _largest_first(figures: Mapping[K, PeriodFigures]) -> Mapping[K, PeriodFigures]:
    return dict(sorted(figures.items(), key=lambda pair: -pair[1].submitted))
