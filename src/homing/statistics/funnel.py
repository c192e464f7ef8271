"""Messages sent, delivered and converted in a time range, by country, network, carrier and app."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from homing.model import PeriodGrain
from homing.statistics.report import RateWithInterval, per_conversion, rate
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.statistics import FunnelLine


class FunnelStep(msgspec.Struct, frozen=True):
    """Figures of one group of messages. Rates are of those sent, with the 95 % Wilson interval."""

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

    @property
    def charge_per_conversion_micro(self) -> int | None:
        """Charges less refunds; None without conversions."""
        return per_conversion(self.revenue_micro, self.converted)


class Funnel(msgspec.Struct, frozen=True):
    """`by`: "country", "network" (MCC and MNC as digits), "carrier" (its id) and "app" (its id), largest first."""

    total: FunnelStep
    by: Mapping[str, Sequence[FunnelStep]]


async def read_funnel(
    database: Database, grain: PeriodGrain, periods: int, now: datetime, account_id: int | None = None
) -> Funnel:
    """The funnel of the last `periods`, the current one included. Raises a `PlatformFailure`."""
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
    return Funnel(total, {by: sorted(by_key, key=lambda step: (-step.sent, step.key)) for by, by_key in steps.items()})


def _step(row: FunnelLine) -> FunnelStep:
    return FunnelStep(row.key, row.sent or 0, row.delivered or 0, row.converted or 0, row.revenue_micro or 0)
