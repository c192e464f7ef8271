"""Reads stored cells, to restore the state of listeners at start."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from homing import limits
from homing.model import PeriodGrain
from homing.statistics.delta import Delta
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.statistics import StatisticsCell

PAST_ITEMS_MAX: Final = 100_000


def delta_of(cell: StatisticsCell) -> Delta:
    """The same figures as one delta of the minute in which the period begins, without times."""
    return Delta(
        cell.minute,
        cell.account_id,
        cell.app_id,
        cell.country,
        cell.network,
        cell.prefix,
        cell.carrier_id,
        cell.sender,
        submitted=cell.submitted,
        sent=cell.sent,
        delivered=cell.delivered,
        undelivered=cell.undelivered,
        converted=cell.converted,
        refused=cell.refused,
        cost_micro=cell.cost_micro,
        revenue_micro=cell.revenue_micro,
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
    return await statements.statistics.stat_cells(
        database,
        grain=int(grain),
        first_period=since_minute // grain,
        beyond_period=until_minute // grain,
        account_id=account_id,
        rows_max=items_max,
    )


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
