"""Verifies that the stored figures add up to the messages. Reads whole tables: for sessions with FREE_PLANS."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from homing.statistics.rollup import first_minutes
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.statistics import StatisticsDifference

STAT_DIFFERENCE_ITEMS_MAX: Final = 200


async def prove(database: Database, now: datetime, account_id: int | None = None) -> Sequence[StatisticsDifference]:
    """The differences, at most `STAT_DIFFERENCE_ITEMS_MAX` of each grain; empty when everything adds up.

    Each grain is compared with the messages of the time for which it is kept, in one statement, so that concurrent
    changes make no difference. Raises a `PlatformFailure`.
    """
    differences: list[StatisticsDifference] = []
    for grain, first in first_minutes(now).items():
        period = first // grain + 2 if first else 0  # periods that were deleted a moment ago
        differences += await statements.statistics.stat_prove(
            database,
            grain=int(grain),
            first_period=period,
            account_id=account_id,
            rows_max=STAT_DIFFERENCE_ITEMS_MAX,
        )
    return differences
