"""Adding up what changed, in two steps: deltas are taken out every second, told to those who listen and put by under
their cells; what has gathered is added to minutes, hours and days twice a minute. Each step is one transaction.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.model import PeriodGrain
from homing.statistics.delta import Delta
from homing.statistics.sums import CellNames, add_up, names_of
from homing.store.database import Database, DatabaseConnection
from homing.store.leader_lease import LeaderLease

KEPT_DAYS: Final = {PeriodGrain.MINUTE: limits.STAT_MINUTE_DAYS, PeriodGrain.HOUR: limits.STAT_HOUR_DAYS}
"""Days are kept for ever."""
DELTA_FIELDS: Final = len(Delta.__struct_fields__)


class RollupTurn(msgspec.Struct, frozen=True):
    """One round: its number, the deltas that it took out, and whether there may be more."""

    number: int
    deltas: Sequence[Delta]
    is_more: bool


class Rollup:
    """Takes deltas out once each, whatever crashes; the process that has the duty does it for all."""

    def __init__(self, database: Database, duty: LeaderLease, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._duty = duty
        self._clock = clock
        self._cells: dict[CellNames, int] = {}

    async def turn(self) -> RollupTurn | None:
        """Takes deltas out; None when the duty is another's. Raises a `PlatformFailure`: then it may have happened or
        not, which the next one's number tells.
        """
        async with self._database.transaction() as transaction:
            number = await self._duty.renew(transaction)
            if number is None:
                return None
            rows = await transaction.fetch("stat_take", limits.ROLLUP_BATCH_MAX)
            deltas = [delta for row in rows if _says(delta := Delta(*row[:DELTA_FIELDS]))]
            cells = await self._numbers(transaction, {names_of(delta) for delta in deltas})
            sums = add_up(deltas, cells)
            if sums:
                await transaction.execute(
                    "stat_await", *zip(*sums.keys(), strict=True), *zip(*sums.values(), strict=True)
                )
        # Not before: cells that were made in a transaction that came to nothing have no numbers.
        if len(self._cells) + len(cells) > limits.ROLLUP_KEYS_MAX:
            self._cells.clear()
        self._cells.update(cells)
        return RollupTurn(number, deltas, sum(row["taken"] for row in rows) == limits.ROLLUP_BATCH_MAX)

    async def settle(self) -> bool:
        """Adds up what has been taken out; whether there may be more."""
        kept_from = first_minutes(self._clock())
        async with self._database.transaction() as transaction:
            if await self._duty.renew(transaction, turns=0) is None:
                return False
            (row,) = await transaction.fetch(
                "stat_settle",
                limits.SETTLE_BATCH_MAX,
                kept_from[PeriodGrain.MINUTE],
                kept_from[PeriodGrain.HOUR],
                timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
            )
        return bool(row["taken"] == limits.SETTLE_BATCH_MAX)

    async def _numbers(self, transaction: DatabaseConnection, wanted: set[CellNames]) -> dict[CellNames, int]:
        found = {names: self._cells[names] for names in wanted if names in self._cells}
        unknown = sorted(wanted - found.keys())
        if unknown:
            rows = await transaction.fetch("stat_cells_find", *zip(*unknown, strict=True))
            found.update((unknown[row["nth"] - 1], row["cell_id"]) for row in rows)
        new = [names for names in unknown if names not in found]
        if new:
            rows = await transaction.fetch("stat_cells_make", *zip(*new, strict=True))
            found.update((tuple(row)[:-1], row["cell_id"]) for row in rows)
        return found


def first_minutes(now: datetime) -> dict[PeriodGrain, int]:
    """The first minute for which each grain is kept."""
    return {
        grain: int((now - timedelta(days=KEPT_DAYS[grain])).timestamp()) // 60 if grain in KEPT_DAYS else 0
        for grain in PeriodGrain
    }


async def forget_old(database: Database, now: datetime) -> None:
    """Drops the minutes and hours that are not kept any longer, and gives back what a backlog took."""
    for grain, minute in first_minutes(now).items():
        if minute:
            await database.execute("stat_forget", int(grain), minute // grain, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)
    await database.execute("stat_shrink", timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


def _says(delta: Delta) -> bool:
    """Whether anything is left of a delta: a message that went to a carrier and back within a round changes nothing."""
    return bool(
        delta.submitted
        or delta.sent
        or delta.delivered
        or delta.undelivered
        or delta.converted
        or delta.refused
        or delta.cost_micro
        or delta.revenue_micro
    )
