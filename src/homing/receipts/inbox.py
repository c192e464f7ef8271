"""Receipts from carriers: matched to their messages, applied once, kept for ever.

A receipt can come before the answer to its submit is stored, or never match at all. Those are parked, tried again for
some minutes, and then stay in a list that people can see.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from homing import errors, limits
from homing.kit import ids
from homing.kit.batching import Batcher
from homing.messages.transitions import Event, apply
from homing.model import CarrierReceipt
from homing.observe.work import WorkTally
from homing.states import State
from homing.store.database import Connection, Database

log = structlog.get_logger()


class Arrived(msgspec.Struct, frozen=True):
    """A receipt with the carrier it came by; `parked_id` when it has waited before."""

    carrier_id: int
    carrier: str
    receipt: CarrierReceipt
    parked_id: int | None = None


class ReceiptInbox:
    """Takes receipts of all carriers and applies them, many in one transaction."""

    def __init__(self, database: Database, clock: Callable[[], datetime], tally: WorkTally) -> None:
        self._database = database
        self._clock = clock
        self._tally = tally
        self._parked = asyncio.Event()
        self._batches: Batcher[Sequence[Arrived], None] = Batcher(
            self._store,
            weight_max=limits.RECEIPTS_BATCH_MAX,
            pending_max=limits.RECEIPTS_PENDING_MAX,
            linger_s=limits.RECEIPTS_LINGER_S,
            weigh=len,
        )

    async def take(self, arrived: Sequence[Arrived]) -> None:
        """Returns when the receipts are durable. Raises a `PlatformFailure` when they are not."""
        await self._batches.put(arrived)

    async def drained(self) -> None:
        await self._batches.drained()

    async def retry_parked(self) -> None:
        """Tries parked receipts again for ever: soon after one was parked, then less and less often."""
        pause_s = limits.RECEIPT_PARK_RETRY_S_MAX
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._parked.wait(), pause_s)
            if self._parked.is_set():
                self._parked.clear()
                pause_s = limits.RECEIPT_PARK_RETRY_S
                await asyncio.sleep(pause_s)
            try:
                await self._retry_once()
            except errors.PlatformFailure as failure:
                log.warning("parked_receipts_wait", failure=str(failure))
            pause_s = min(pause_s * 2, limits.RECEIPT_PARK_RETRY_S_MAX)

    async def _retry_once(self) -> None:
        give_up_before = self._clock() - timedelta(seconds=limits.RECEIPT_PARK_S_MAX)
        given_up = await self._database.fetch("parked_give_up", give_up_before)
        if given_up:
            log.warning("receipts_unmatched", count=len(given_up))
        rows = await self._database.fetch("parked_waiting", limits.RECEIPTS_BATCH_MAX)
        if rows:
            await self._store(
                [
                    [
                        Arrived(
                            row["carrier_id"],
                            row["carrier"],
                            CarrierReceipt(
                                row["carrier_ref"],
                                row["state"],
                                row["received_at"],
                                row["error_code"],
                                row["raw"],
                            ),
                            row["parked_id"],
                        )
                        for row in rows
                    ]
                ]
            )

    async def _store(self, batches: Sequence[Sequence[Arrived]]) -> list[None]:
        for arrived in _one_per_reference([one for batch in batches for one in batch]):
            async with self._database.transaction() as transaction:
                await self._apply(transaction, arrived)
        return [None] * len(batches)

    async def _apply(self, transaction: Connection, arrived: Sequence[Arrived]) -> None:
        """Receipts of different references: those that match move their messages, the others are parked."""
        floor_id = ids.first_id_at(int((self._clock() - timedelta(days=limits.RECEIPT_MATCH_DAYS)).timestamp() * 1000))
        rows = await transaction.fetch(
            "receipts_match",
            [one.carrier_id for one in arrived],
            [one.receipt.carrier_ref for one in arrived],
            floor_id,
        )
        owners = {(row["carrier_id"], row["carrier_ref"]): (row["account_id"], row["message_id"]) for row in rows}
        matched = [(one, owners[_key(one)]) for one in arrived if _key(one) in owners]
        parked = [one for one in arrived if _key(one) not in owners and one.parked_id is None]
        moved = await apply(
            transaction, [_event(one, account_id, message_id) for one, (account_id, message_id) in matched]
        )
        if matched:
            await self._keep(transaction, matched, moved)
        if parked:
            await _park(transaction, parked)
            self._parked.set()
        self._count(matched, parked, moved)

    async def _keep(
        self, transaction: Connection, matched: Sequence[tuple[Arrived, tuple[int, int]]], moved: set[int]
    ) -> None:
        await transaction.execute(
            "receipts_add",
            [account_id for _one, (account_id, _message_id) in matched],
            [message_id for _one, (_account_id, message_id) in matched],
            [one.carrier_id for one, _owner in matched],
            [one.receipt.carrier_ref for one, _owner in matched],
            [one.receipt.received_at for one, _owner in matched],
            [one.receipt.state for one, _owner in matched],
            [one.receipt.error_code for one, _owner in matched],
            [_raw(one) for one, _owner in matched],
            [message_id in moved for _one, (_account_id, message_id) in matched],
        )
        waited = [one.parked_id for one, _owner in matched if one.parked_id is not None]
        if waited:
            await transaction.execute("parked_leave", waited)

    def _count(
        self, matched: Sequence[tuple[Arrived, tuple[int, int]]], parked: Sequence[Arrived], moved: set[int]
    ) -> None:
        for name in {one.carrier for one, _owner in matched} | {one.carrier for one in parked}:
            mine = [owner[1] in moved for one, owner in matched if one.carrier == name]
            self._tally.received(name, "applied", sum(mine))
            self._tally.received(name, "repeated", len(mine) - sum(mine))
            self._tally.received(name, "parked", sum(1 for one in parked if one.carrier == name))


def _key(one: Arrived) -> tuple[int, str]:
    return one.carrier_id, one.receipt.carrier_ref


def _raw(one: Arrived) -> str:
    """A receipt's text as it can be kept: PostgreSQL refuses NUL, and a hostile carrier's text has no end."""
    return one.receipt.raw[: limits.RECEIPT_TEXT_CHARS_MAX].replace("\0", "")


def _event(one: Arrived, account_id: int, message_id: int) -> Event:
    receipt = one.receipt
    failed = receipt.error_code not in (None, "0", "000")
    return Event(
        account_id,
        message_id,
        State(receipt.state),
        receipt.received_at,
        error_code=receipt.error_code if failed else None,
        error_text=State(receipt.state).name.capitalize() if failed else None,
    )


def _one_per_reference(arrived: Sequence[Arrived]) -> list[list[Arrived]]:
    """In rounds, so that no round has two receipts of one message and their order is kept."""
    rounds: list[list[Arrived]] = []
    depth: dict[tuple[int, str], int] = {}
    for one in arrived:
        level = depth.get(_key(one), 0)
        depth[_key(one)] = level + 1
        if level == len(rounds):
            rounds.append([])
        rounds[level].append(one)
    return rounds


async def _park(transaction: Connection, parked: Sequence[Arrived]) -> None:
    await transaction.execute(
        "parked_add",
        [one.carrier_id for one in parked],
        [one.receipt.carrier_ref for one in parked],
        [one.receipt.received_at for one in parked],
        [one.receipt.state for one in parked],
        [one.receipt.error_code for one in parked],
        [_raw(one) for one in parked],
    )
