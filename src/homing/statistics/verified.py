"""What codes cost for each person whom they verified: charges less refunds of all their messages, as in the ledger."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing import errors
from homing.common import ids
from homing.statistics.report import per_conversion
from homing.store import statements
from homing.store.database import Database

RECOUNT_S: Final = 60.0  # between two recounts of the latest hours
LATEST_HOURS: Final = 2
CHANGING_HOURS: Final = 72
"""As long refunds, late receipts and checks may change an hour; it is recounted by the hour."""
KEPT_DAYS: Final = 100
GROUPINGS: Final = ("country", "network", "carrier", "app")

log = structlog.get_logger()


class VerifiedLine(msgspec.Struct, frozen=True):
    """Of one group of verifications' messages; `key` is "" for all. Micro-units of the currency. `carrier_cost_micro`:
    what the carriers cost, where their costs are set; None where an hour was counted before costs were kept.
    """

    key: str
    messages: int
    charge_micro: int
    carrier_cost_micro: int | None
    verified: int

    @property
    def charge_per_verified_micro(self) -> int | None:
        """To the nearest micro-unit; None while nobody is verified."""
        return per_conversion(self.charge_micro, self.verified)

    @property
    def margin_micro(self) -> int | None:
        """Of the operator: what customers were charged less what the carriers cost."""
        return None if self.carrier_cost_micro is None else self.charge_micro - self.carrier_cost_micro


async def read_verified(
    database: Database, by: str, since: datetime, account_id: int | None = None
) -> Sequence[VerifiedLine]:
    """By one of `GROUPINGS`, or in total for "", from the hour of `since` on, the most messages first."""
    rows = await statements.verified.verified_figures(database, by=by, first_hour=_hour(since), account_id=account_id)
    return [VerifiedLine(row.key, row.messages, row.charge_micro, row.carrier_cost_micro, row.verified) for row in rows]


async def recount_verified(database: Database, now: datetime, hours: int) -> None:
    """Counts the latest hours anew, this one included. Raises a `PlatformFailure`."""
    beyond = _hour(now) + 1
    first = beyond - hours
    async with database.transaction() as transaction:
        await statements.verified.verified_hours_remove(transaction, first_hour=first, beyond_hour=beyond)
        await statements.verified.verified_hours_add(
            transaction, first_id=ids.first_id_at(first * 3_600_000), beyond_id=ids.first_id_at(beyond * 3_600_000)
        )


async def recount_changing(database: Database, now: datetime) -> None:
    """The hourly recount of all that may have changed; what is too old is forgotten."""
    await recount_verified(database, now, CHANGING_HOURS)
    await statements.verified.verified_hours_forget(database, before_hour=_hour(now - timedelta(days=KEPT_DAYS)))


async def recount_latest(database: Database, clock: Callable[[], datetime]) -> None:
    """For ever."""
    while True:
        try:
            await recount_verified(database, clock(), LATEST_HOURS)
        except errors.PlatformFailure as failure:
            log.warning("database_unavailable", component="verified", failure=str(failure))
        await asyncio.sleep(RECOUNT_S)


def _hour(at: datetime) -> int:
    return int(at.timestamp()) // 3_600
