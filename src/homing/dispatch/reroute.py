"""Messages whose carrier does not take them: looked for every second, and routed again."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from homing import errors, limits
from homing.dispatch.failover import Failover, Reassignment, reassign
from homing.model import Outcome, Traffic
from homing.routing.lanes import lane_of
from homing.store.database import Database, DatabaseConnection, Record

log = structlog.get_logger()
Cursor = tuple[datetime, int]


class RerouteSweep:
    """Moves what has waited too long to another carrier of its route.

    Codes move when their carrier has not taken them for `age_s`, whatever the reason; campaigns only when their carrier
    is down or disabled, because waiting for a carrier's rate is what they are for.
    """

    def __init__(self, database: Database, failover: Failover, clock: Callable[[], datetime], age_s: float) -> None:
        self._database = database
        self._failover = failover
        self._clock = clock
        self._age = timedelta(seconds=age_s)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(limits.REROUTE_SWEEP_S)
            try:
                for row in await self._database.fetch("carriers_by_health"):
                    await self._sweep_carrier(row)
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="reroute", failure=str(failure))

    async def _sweep_carrier(self, carrier: Record) -> None:
        stuck = [Traffic.TRANSACTIONAL, *([Traffic.PROMOTIONAL] if carrier["is_down"] else [])]
        for traffic in stuck:
            lane = lane_of(carrier["carrier_id"], traffic)
            cursor: Cursor | None = None
            for _page in range(limits.REROUTE_PAGES_MAX):
                cursor = await self._sweep_page(carrier, lane, traffic, cursor)
                if cursor is None:
                    break

    async def _sweep_page(self, carrier: Record, lane: int, traffic: Traffic, after: Cursor | None) -> Cursor | None:
        """One transaction; where the next page begins, or None when this was the last."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(
                "queue_overaged", lane, now - self._age, *(after or (None, None)), limits.CLAIM_MESSAGES_MAX
            )
            if not rows:
                return None
            found = await self._failover.alternatives(
                transaction,
                [(row["account_id"], row["message_id"]) for row in rows],
                carrier["carrier_id"],
                even_deferred=carrier["is_down"],
            )
            going = [row for row in rows if row["message_id"] in found and _may_go(row, traffic)]
            if going:
                await self._tell(transaction, carrier, going, now)
                await reassign(
                    transaction,
                    [
                        Reassignment(
                            row["account_id"],
                            row["message_id"],
                            lane,
                            found[row["message_id"]],
                            traffic,
                            now,
                            _uncounted(row),
                        )
                        for row in going
                    ],
                )
                log.warning("messages_rerouted", carrier=carrier["name"], messages=len(going))
        return (rows[-1]["due_at"], rows[-1]["message_id"]) if len(rows) == limits.CLAIM_MESSAGES_MAX else None

    async def _tell(
        self, transaction: DatabaseConnection, carrier: Record, rows: Sequence[Record], now: datetime
    ) -> None:
        """Each move is an attempt on the message's timeline."""
        down = "down" if carrier["is_down"] else "slow"
        await transaction.execute(
            "attempts_add",
            carrier["carrier_id"],
            now,
            [row["account_id"] for row in rows],
            [row["message_id"] for row in rows],
            [row["attempts"] + _uncounted(row) for row in rows],
            [row["due_at"] for row in rows],
            [int(Outcome.UNKNOWN if row["claimed_by"] else Outcome.DEFERRED) for row in rows],
            [None] * len(rows),
            [None] * len(rows),
            [
                "the process that was submitting it died" if row["claimed_by"] else f"the carrier is {down}: not taken"
                for row in rows
            ],
        )


def _uncounted(row: Record) -> int:
    """A claim counts its attempt already; waiting for one is an attempt that came to nothing."""
    return 0 if row["claimed_by"] else 1


def _may_go(row: Record, traffic: Traffic) -> bool:
    """What was claimed may have been sent, and a campaign's message does not go twice."""
    return traffic is Traffic.TRANSACTIONAL or row["claimed_by"] is None
