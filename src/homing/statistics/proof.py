"""Verifies that the stored figures add up to the messages. Reads whole tables: for sessions with FREE_PLANS."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.statistics.rollup import first_minutes
from homing.store import statements
from homing.store.database import Database

STAT_DIFFERENCE_ITEMS_MAX: Final = 200


class StatisticsDifference(msgspec.Struct, frozen=True):
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


async def prove(database: Database, now: datetime, account_id: int | None = None) -> Sequence[StatisticsDifference]:
    """The differences, at most `STAT_DIFFERENCE_ITEMS_MAX` of each grain; empty when everything adds up.

    Each grain is compared with the messages of the time for which it is kept, in one statement, so that concurrent
    changes make no difference. Raises a `PlatformFailure`.
    """
    differences = []
    for grain, first in first_minutes(now).items():
        period = first // grain + 2 if first else 0  # periods that were deleted a moment ago
        rows = await statements.statistics.stat_prove(
            database,
            grain=int(grain),
            first_period=period,
            account_id=account_id,
            rows_max=STAT_DIFFERENCE_ITEMS_MAX,
        )
        differences += [
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
    return differences
