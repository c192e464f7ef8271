"""The proof that what is kept adds up to the messages. It reads whole tables: for sessions with FREE_PLANS."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.statistics.rollup import first_minutes
from homing.store import statements
from homing.store.database import Database

STAT_DIFFERENCE_ITEMS_MAX: Final = 200


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
    """What does not add up, at most `STAT_DIFFERENCE_ITEMS_MAX` of each grain; nothing: all of it does.

    Each grain is held against the messages of the time for which it is kept. While Homing works it is read in one
    statement a grain, so what changes meanwhile makes no difference.
    """
    found = []
    for grain, first in first_minutes(now).items():
        period = first // grain + 2 if first else 0  # what was dropped a moment ago is not missed
        rows = await statements.statistics.stat_prove(
            database,
            grain=int(grain),
            first_period=period,
            account_id=account_id,
            rows_max=STAT_DIFFERENCE_ITEMS_MAX,
        )
        found += [
            StatisticsDifference(
                grain=grain,
                minute=row.period * grain,
                account_id=row.account_id,
                app_id=row.app_id,
                country=row.country,
                network=row.network,
                prefix=row.prefix,
                carrier_id=row.carrier_id,
                sender=row.sender,
                figure=row.name,
                recorded=row.recorded,
                counted=row.counted,
            )
            for row in rows
        ]
    return found
