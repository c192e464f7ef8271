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
from homing.statistics.sums import CellNames, Key, add_up, names_of
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.leader_lease import LeaderLease
from homing.store.statements.statistics import NewStatCell, PendingChange, StatCellRow, StatDeltaRow

ROLLUP_BATCH_MAX: Final = 5_000  # deltas of one round
SETTLE_BATCH_MAX: Final = 50_000
ROLLUP_KEYS_MAX: Final = 200_000  # of which a process remembers the numbers


KEPT_DAYS: Final = {PeriodGrain.MINUTE: limits.STAT_MINUTE_DAYS, PeriodGrain.HOUR: limits.STAT_HOUR_DAYS}
"""Days are kept for ever."""


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
            rows = await statements.statistics.stat_take(transaction, rows_max=ROLLUP_BATCH_MAX)
            deltas = [delta for row in rows if _says(delta := _delta(row))]
            cells = await self._numbers(transaction, {names_of(delta) for delta in deltas})
            sums = add_up(deltas, cells)
            if sums:
                await statements.statistics.stat_await(
                    transaction, changes=[_change(key, figures) for key, figures in sums.items()]
                )
        # Not before: cells that were made in a transaction that came to nothing have no numbers.
        if len(self._cells) + len(cells) > ROLLUP_KEYS_MAX:
            self._cells.clear()
        self._cells.update(cells)
        return RollupTurn(number, deltas, sum(row.taken for row in rows) == ROLLUP_BATCH_MAX)

    async def settle(self) -> bool:
        """Adds up what has been taken out; whether there may be more."""
        kept_from = first_minutes(self._clock())
        async with self._database.transaction() as transaction:
            if await self._duty.renew(transaction, turns=0) is None:
                return False
            taken = await statements.statistics.stat_settle(
                transaction,
                rows_max=SETTLE_BATCH_MAX,
                first_minute=kept_from[PeriodGrain.MINUTE],
                first_hour_minute=kept_from[PeriodGrain.HOUR],
            )
        return taken == SETTLE_BATCH_MAX

    async def _numbers(self, transaction: DatabaseConnection, wanted: set[CellNames]) -> dict[CellNames, int]:
        found = {names: self._cells[names] for names in wanted if names in self._cells}
        unknown = sorted(wanted - found.keys())
        if unknown:
            rows = await statements.statistics.stat_cells_find(transaction, cells=list(map(_cell, unknown)))
            found.update((unknown[row.nth - 1], row.cell_id) for row in rows)
        new = [names for names in unknown if names not in found]
        if new:
            made = await statements.statistics.stat_cells_make(transaction, cells=list(map(_cell, new)))
            found.update((_names(row), row.cell_id) for row in made)
        return found


def _delta(row: StatDeltaRow) -> Delta:
    return Delta(
        minute=row.minute,
        account_id=row.account_id,
        app_id=row.app_id,
        country=row.country,
        network=row.network,
        block=row.block,
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
        receipt_bucket=row.receipt_bucket,
        conversion_bucket=row.conversion_bucket,
    )


def _change(key: Key, figures: Sequence[int]) -> PendingChange:
    account_id, minute, cell_id, receipt_bucket, conversion_bucket = key
    submitted, sent, delivered, undelivered, converted, refused, cost_micro, revenue_micro = figures
    return PendingChange(
        account_id=account_id,
        minute=minute,
        cell_id=cell_id,
        receipt_bucket=receipt_bucket,
        conversion_bucket=conversion_bucket,
        submitted=submitted,
        sent=sent,
        delivered=delivered,
        undelivered=undelivered,
        converted=converted,
        refused=refused,
        cost_micro=cost_micro,
        revenue_micro=revenue_micro,
    )


def _cell(names: CellNames) -> NewStatCell:
    account_id, app_id, country, network, prefix, carrier_id, sender = names
    return NewStatCell(
        account_id=account_id,
        app_id=app_id,
        country=country,
        network=network,
        prefix=prefix,
        carrier_id=carrier_id,
        sender=sender,
    )


def _names(row: StatCellRow) -> CellNames:
    return row.account_id, row.app_id, row.country, row.network, row.prefix, row.carrier_id, row.sender


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
            await statements.statistics.stat_forget(database, grain=int(grain), before_period=minute // grain)
    await statements.statistics.stat_shrink(database)


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
