"""Adds up deltas in two steps, each one transaction: every second deltas are taken and their sums stored as pending
under their cells; twice a minute pending sums are added to minutes, hours and days.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.model import PeriodGrain
from homing.statistics.delta import Delta
from homing.statistics.sums import CellLabels, SumKey, labels_of, sum_by_cell
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.leader_lease import LeaderLease
from homing.store.statements.statistics import NewStatCell, PendingChange, StatCellRow, StatDeltaRow

ROLLUP_BATCH_MAX: Final = 5_000  # deltas of one round
SETTLE_BATCH_MAX: Final = 50_000
ROLLUP_KEYS_MAX: Final = 200_000  # cached ids of cells
RETENTION_DAYS: Final = {PeriodGrain.MINUTE: limits.STAT_MINUTE_DAYS, PeriodGrain.HOUR: limits.STAT_HOUR_DAYS}
"""Days are kept without limit."""


class RollupRound(msgspec.Struct, frozen=True):
    """A committed round: its number, the deltas that it took, and whether there may be more."""

    number: int
    deltas: Sequence[Delta]
    is_more: bool


class Rollup:
    """Takes each delta exactly once, whatever crashes. Works in the process that holds the lease."""

    def __init__(self, database: Database, lease: LeaderLease, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._lease = lease
        self._clock = clock
        self._cell_ids: dict[CellLabels, int] = {}

    async def run_round(self) -> RollupRound | None:
        """Takes deltas; None when another process holds the lease.

        Raises a `PlatformFailure`; the round may then be committed or not, which the next round's number shows.
        """
        async with self._database.transaction() as transaction:
            number = await self._lease.renew(transaction)
            if number is None:
                return None
            rows = await statements.statistics.stat_take(transaction, rows_max=ROLLUP_BATCH_MAX)
            deltas = [delta for row in rows if (delta := _delta(row)).superseded or _is_nonzero(delta)]
            counted = [delta for delta in deltas if not delta.superseded]  # which is known of messages, and not summed
            cell_ids = await self._find_cells(transaction, {labels_of(delta) for delta in counted})
            sums = sum_by_cell(counted, cell_ids)
            if sums:
                await statements.statistics.stat_await(
                    transaction, changes=[_change(key, figures) for key, figures in sums.items()]
                )
        # After the commit: cells that were created in a transaction that was rolled back do not exist.
        if len(self._cell_ids) + len(cell_ids) > ROLLUP_KEYS_MAX:
            self._cell_ids.clear()
        self._cell_ids.update(cell_ids)
        return RollupRound(number, deltas, sum(row.taken for row in rows) == ROLLUP_BATCH_MAX)

    async def settle(self) -> bool:
        """Adds pending sums to minutes, hours and days; whether there may be more. Raises a `PlatformFailure`."""
        kept_from = first_minutes(self._clock())
        async with self._database.transaction() as transaction:
            if await self._lease.renew(transaction, turns=0) is None:
                return False
            taken = await statements.statistics.stat_settle(
                transaction,
                rows_max=SETTLE_BATCH_MAX,
                first_minute=kept_from[PeriodGrain.MINUTE],
                first_hour_minute=kept_from[PeriodGrain.HOUR],
            )
        return taken == SETTLE_BATCH_MAX

    async def _find_cells(self, transaction: DatabaseConnection, labels: set[CellLabels]) -> dict[CellLabels, int]:
        """The ids of cells; new cells are created."""
        cell_ids = {cell: self._cell_ids[cell] for cell in labels if cell in self._cell_ids}
        uncached = sorted(labels - cell_ids.keys())
        if uncached:
            rows = await statements.statistics.stat_cells_find(transaction, cells=list(map(_cell, uncached)))
            cell_ids.update((uncached[row.nth - 1], row.cell_id) for row in rows)
        new = [cell for cell in uncached if cell not in cell_ids]
        if new:
            created = await statements.statistics.stat_cells_make(transaction, cells=list(map(_cell, new)))
            cell_ids.update((_labels(row), row.cell_id) for row in created)
        return cell_ids


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
        superseded=row.superseded,
        superseded_age_s=row.superseded_age_s,
        superseded_receipt=row.superseded_receipt,
        resent=row.resent,
    )


def _change(key: SumKey, figures: Sequence[int]) -> PendingChange:
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


def _cell(labels: CellLabels) -> NewStatCell:
    account_id, app_id, country, network, prefix, carrier_id, sender = labels
    return NewStatCell(
        account_id=account_id,
        app_id=app_id,
        country=country,
        network=network,
        prefix=prefix,
        carrier_id=carrier_id,
        sender=sender,
    )


def _labels(row: StatCellRow) -> CellLabels:
    return row.account_id, row.app_id, row.country, row.network, row.prefix, row.carrier_id, row.sender


def first_minutes(now: datetime) -> dict[PeriodGrain, int]:
    """The first unix minute for which each grain is kept."""
    return {
        grain: int((now - timedelta(days=RETENTION_DAYS[grain])).timestamp()) // 60 if grain in RETENTION_DAYS else 0
        for grain in PeriodGrain
    }


async def delete_expired(database: Database, now: datetime) -> None:
    """Deletes minutes and hours beyond their retention, and returns the disk space of a past backlog. Raises a
    `PlatformFailure`.
    """
    for grain, minute in first_minutes(now).items():
        if minute:
            await statements.statistics.stat_forget(database, grain=int(grain), before_period=minute // grain)
    await statements.statistics.stat_shrink(database)


def _is_nonzero(delta: Delta) -> bool:
    """False where changes cancel out: a message that moved to a carrier and back within a round."""
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
