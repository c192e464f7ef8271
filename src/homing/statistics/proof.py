"""The proof that what is kept adds up to the messages. It reads whole tables: for sessions with FREE_PLANS."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homing import limits
from homing.statistics.rollup import first_minutes
from homing.store.database import Database


class StatisticsDifference(msgspec.Struct, frozen=True):
    """A figure of one cell and period that is not what the messages say; `minute` is where the period begins."""

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


async def prove(database: Database, now: datetime, account_id: int | None = None) -> Sequence[StatisticsDifference]:
    """What does not add up, at most `limits.STAT_DIFFERENCE_ITEMS_MAX` of each grain; nothing: all of it does.

    Each grain is held against the messages of the time for which it is kept. While Homing works it is read in one
    statement a grain, so what changes meanwhile makes no difference.
    """
    found = []
    for grain, first in first_minutes(now).items():
        period = first // grain + 2 if first else 0  # what was dropped a moment ago is not missed
        rows = await database.fetch(
            "stat_prove",
            int(grain),
            period,
            account_id,
            limits.STAT_DIFFERENCE_ITEMS_MAX,
            timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
        )
        found += [StatisticsDifference(int(grain), row[0] * grain, *row[1:]) for row in rows]
    return found
