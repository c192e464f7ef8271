"""Reads stored cells, to restore the state of listeners at start."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.model import PeriodGrain
from homing.statistics.delta import Delta
from homing.store import statements
from homing.store.database import Database

PAST_ITEMS_MAX: Final = 100_000


class StatisticsCell(msgspec.Struct, frozen=True, gc=False):
    """One cell in one period: the figures so far of the messages submitted in it.

    `minute` is the unix minute in which the period begins, `grain` its length in minutes. Times are counts by bucket
    (common/histogram.py), () where there are none. Amounts are micro-units.
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
    receipt_times: tuple[int, ...]
    conversion_times: tuple[int, ...]

    def as_delta(self) -> Delta:
        """The same figures as one delta of the minute in which the period begins, without times."""
        return Delta(
            self.minute,
            self.account_id,
            self.app_id,
            self.country,
            self.network,
            self.prefix,
            self.carrier_id,
            self.sender,
            submitted=self.submitted,
            sent=self.sent,
            delivered=self.delivered,
            undelivered=self.undelivered,
            converted=self.converted,
            refused=self.refused,
            cost_micro=self.cost_micro,
            revenue_micro=self.revenue_micro,
        )


async def read_cells(
    database: Database,
    grain: PeriodGrain,
    *,
    since_minute: int,
    until_minute: int,
    account_id: int | None = None,
    items_max: int = PAST_ITEMS_MAX,
) -> list[StatisticsCell]:
    """The cells of the periods that begin in [since, until), rounded down to whole periods, latest first; of one
    account or of all. Beyond `items_max` the oldest are left out. Raises a `PlatformFailure`.
    """
    rows = await statements.statistics.stat_cells(
        database,
        grain=int(grain),
        first_period=since_minute // grain,
        beyond_period=until_minute // grain,
        account_id=account_id,
        rows_max=items_max,
    )
    return [
        StatisticsCell(
            minute=row.minute,
            grain=row.grain,
            account_id=row.account_id,
            app_id=row.app_id,
            country=row.country,
            network=row.network,
            prefix=row.prefix,
            carrier_id=row.carrier_id,
            sender=row.sender,
            submitted=row.submitted,
            sent=row.sent,
            delivered=row.delivered,
            undelivered=row.undelivered,
            converted=row.converted,
            refused=row.refused,
            cost_micro=row.cost_micro,
            revenue_micro=row.revenue_micro,
            receipt_times=tuple(row.receipt_times or ()),
            conversion_times=tuple(row.conversion_times or ()),
        )
        for row in rows
    ]


async def read_history(database: Database, now: datetime) -> Sequence[StatisticsCell]:
    """The cells that a listener starts from, oldest first: the last two to three hours by minute, and the days before
    by hour. No message is in it twice. Raises a `PlatformFailure`.
    """
    now_minute = int(now.timestamp()) // 60
    boundary = (now_minute - limits.PAST_MINUTES_S // 60) // PeriodGrain.HOUR * PeriodGrain.HOUR
    first = now_minute - limits.PAST_HOURS_DAYS * PeriodGrain.DAY
    minutes = await read_cells(
        database, PeriodGrain.MINUTE, since_minute=boundary, until_minute=now_minute + PeriodGrain.HOUR
    )
    hours = await read_cells(
        database, PeriodGrain.HOUR, since_minute=first, until_minute=boundary, items_max=PAST_ITEMS_MAX
    )
    return [*reversed(hours), *reversed(minutes)]
