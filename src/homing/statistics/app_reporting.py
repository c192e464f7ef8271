"""Whether an app reports conversions, as declared or by its recent traffic."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import statements
from homing.store.database import Database

RECENT_DAYS: Final = 1
"""Days before today that count, as in `homing app list`."""


class AppReportingFigures(msgspec.Struct, frozen=True):
    """`declared`: as the app's settings say; None: not set. `shown`: as its recent traffic shows; None: too little."""

    app_id: str
    name: str
    account: str
    declared: bool | None
    shown: bool | None


async def read_reporting(
    database: Database, app_ids: Sequence[str], now: datetime, account_id: int | None = None
) -> Mapping[str, AppReportingFigures]:
    """By app_id, of those that exist. Raises a `PlatformFailure`."""
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


def shows_conversions(sent: int, converted: int) -> bool | None:
    """Whether an app's messages and conversions of some days show that it reports; None: too few messages."""
    if converted >= max(limits.REPORTING_MESSAGES_MIN, sent / limits.REPORTING_MESSAGES_PER_CONVERSION_MAX):
        return True
    return False if sent >= limits.REPORTING_MESSAGES_PER_CONVERSION_MAX else None
