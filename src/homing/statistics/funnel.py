"""Sent, delivered, converted: of a span, by country, network, carrier and app."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.model import PeriodGrain
from homing.statistics.reading import shows_conversions
from homing.statistics.report import RateWithInterval, rate
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.statistics import FunnelLine

RECENT_DAYS: Final = 1
"""Before today: what an app's traffic is judged by, as `homing app list` does."""


class FunnelStep(msgspec.Struct, frozen=True):
    """What became of some messages. Rates are of those sent, with Wilson's interval at 95 %."""

    key: str
    sent: int
    delivered: int
    converted: int
    revenue_micro: int

    @property
    def delivered_rate(self) -> RateWithInterval | None:
        return rate(self.delivered, self.sent)

    @property
    def converted_rate(self) -> RateWithInterval | None:
        return rate(self.converted, self.sent)


class Funnel(msgspec.Struct, frozen=True):
    """`by`: "country", "network" (MCC and MNC as digits), "carrier" (its id) and "app" (its id), the largest first."""

    total: FunnelStep
    by: Mapping[str, Sequence[FunnelStep]]


class AppReportingFigures(msgspec.Struct, frozen=True):
    """Whether an app's messages are to lead to conversions: as declared, else (None) as its last days show."""

    app_id: str
    name: str
    account: str
    declared: bool | None
    shown: bool | None


async def read_funnel(
    database: Database, grain: PeriodGrain, periods: int, now: datetime, account_id: int | None = None
) -> Funnel:
    """Of the last so many periods, the current one included."""
    beyond = int(now.timestamp()) // 60 // grain + 1
    rows = await statements.statistics.stat_funnel(
        database, grain=int(grain), first_period=beyond - periods, beyond_period=beyond, account_id=account_id
    )
    steps: dict[str, list[FunnelStep]] = {"country": [], "network": [], "carrier": [], "app": []}
    total = FunnelStep("", 0, 0, 0, 0)
    for row in rows:
        step = _step(row)
        if row.by == "all":
            total = step
        elif step.sent or step.delivered or step.converted:
            steps[row.by].append(step)
    return Funnel(total, {by: sorted(found, key=lambda one: (-one.sent, one.key)) for by, found in steps.items()})


async def read_reporting(
    database: Database, app_ids: Sequence[str], now: datetime, account_id: int | None = None
) -> Mapping[str, AppReportingFigures]:
    """By app_id, of those that there are."""
    day = int(now.timestamp()) // 86_400 - RECENT_DAYS
    rows = await statements.statistics.apps_reporting(
        database, app_ids=list(app_ids), first_day=day, account_id=account_id
    )
    return {
        row.app_id: AppReportingFigures(
            row.app_id,
            row.name,
            row.account,
            row.expects_conversions,
            shows_conversions(row.sent, row.converted),
        )
        for row in rows
    }


def _step(row: FunnelLine) -> FunnelStep:
    return FunnelStep(row.key, row.sent or 0, row.delivered or 0, row.converted or 0, row.revenue_micro or 0)
