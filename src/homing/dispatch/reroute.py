"""Messages whose carrier does not take them: looked for every second, and routed again."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from homing import errors, limits
from homing.dispatch.failover import Failover, Reassignment, reassign
from homing.model import Outcome, Traffic
from homing.reasons import Reason, ReasonCode, encode_reason
from homing.routing.lanes import lane_of
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.dispatch import CarrierHealthRow, NewAttempt, OveragedMessage

REROUTE_SWEEP_S: Final = 1.0
REROUTE_PAGES_MAX: Final = 20  # of a lane, in one sweep
log = structlog.get_logger()
Cursor = tuple[datetime, int]


class RerouteSweep:
    """Moves what has waited too long to another carrier of its route.

    Codes move when their carrier has not taken them for `age_s`, whatever the reason; campaigns only when their carrier
    is down or disabled, because waiting for a carrier's rate is what they are for.
    """

    def __init__(self, *, database: Database, failover: Failover, clock: Callable[[], datetime], age_s: float) -> None:
        self._database = database
        self._failover = failover
        self._clock = clock
        self._age = timedelta(seconds=age_s)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(REROUTE_SWEEP_S)
            try:
                for row in await statements.dispatch.carriers_by_health(self._database):
                    await self._sweep_carrier(row)
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="reroute", failure=str(failure))

    async def _sweep_carrier(self, carrier: CarrierHealthRow) -> None:
        stuck = [Traffic.TRANSACTIONAL, *([Traffic.PROMOTIONAL] if carrier.is_down else [])]
        for traffic in stuck:
            lane = lane_of(carrier.carrier_id, traffic)
            cursor: Cursor | None = None
            for _page in range(REROUTE_PAGES_MAX):
                cursor = await self._sweep_page(carrier, lane, traffic, cursor)
                if cursor is None:
                    break

    async def _sweep_page(
        self, carrier: CarrierHealthRow, lane: int, traffic: Traffic, after: Cursor | None
    ) -> Cursor | None:
        """One transaction; where the next page begins, or None when this was the last."""
        now = self._clock()
        after_due_at, after_message_id = after or (None, None)
        async with self._database.transaction() as transaction:
            rows = await statements.dispatch.queue_overaged(
                transaction,
                lane=lane,
                due_to=now - self._age,
                after_due_at=after_due_at,
                after_message_id=after_message_id,
                rows_max=limits.CLAIM_MESSAGES_MAX,
            )
            if not rows:
                return None
            found = await self._failover.alternatives(
                transaction,
                [(row.account_id, row.message_id) for row in rows],
                carrier.carrier_id,
                even_deferred=carrier.is_down,
            )
            going = [row for row in rows if row.message_id in found and _may_go(row, traffic)]
            if going:
                await self._tell(transaction, carrier, going, now)
                await reassign(
                    transaction,
                    [
                        Reassignment(
                            row.account_id,
                            row.message_id,
                            lane,
                            found[row.message_id],
                            traffic,
                            now,
                            _uncounted(row),
                        )
                        for row in going
                    ],
                )
                log.warning("messages_rerouted", carrier=carrier.name, messages=len(going))
        return (rows[-1].due_at, rows[-1].message_id) if len(rows) == limits.CLAIM_MESSAGES_MAX else None

    async def _tell(
        self, transaction: DatabaseConnection, carrier: CarrierHealthRow, rows: Sequence[OveragedMessage], now: datetime
    ) -> None:
        """Each move is an attempt on the message's timeline."""
        died = encode_reason(Reason.of(ReasonCode.ATTEMPT_PROCESS_DIED))
        not_taken = Reason.of(ReasonCode.ATTEMPT_CARRIER_SLOW)
        if carrier.is_down:
            not_taken = Reason.of(ReasonCode.ATTEMPT_CARRIER_DOWN)
        waited = encode_reason(not_taken)
        await statements.dispatch.attempts_add(
            transaction,
            carrier_id=carrier.carrier_id,
            answered_at=now,
            attempts=[
                NewAttempt(
                    account_id=row.account_id,
                    message_id=row.message_id,
                    attempt=row.attempts + _uncounted(row),
                    started_at=row.due_at,
                    outcome=int(Outcome.UNKNOWN if row.claimed_by else Outcome.DEFERRED),
                    carrier_ref=None,
                    error_code=None,
                    error_text=None,
                    reason=died if row.claimed_by else waited,
                )
                for row in rows
            ],
        )


def _uncounted(row: OveragedMessage) -> int:
    """A claim counts its attempt already; waiting for one is an attempt that came to nothing."""
    return 0 if row.claimed_by else 1


def _may_go(row: OveragedMessage, traffic: Traffic) -> bool:
    """What was claimed may have been sent, and a campaign's message does not go twice."""
    return traffic is Traffic.TRANSACTIONAL or row.claimed_by is None
