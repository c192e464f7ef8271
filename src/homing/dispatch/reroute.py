"""Reroutes messages whose carrier does not take them."""

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
    """Reassigns messages that have waited for longer than `age_s` to another carrier of their route, once a second.

    Transactional messages are rerouted for any reason; promotional ones only when their carrier is down or disabled,
    since they are expected to wait for a carrier's rate.
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
        """Reroutes one page of a lane, in one transaction. Returns where the next page begins; None: this
        was the last.
        """
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
            alternatives = await self._failover.alternatives(
                transaction,
                [(row.account_id, row.message_id) for row in rows],
                carrier.carrier_id,
                even_deferred=carrier.is_down,
            )
            to_reroute = [row for row in rows if row.message_id in alternatives and _may_be_rerouted(row, traffic)]
            if to_reroute:
                await self._add_attempts(transaction, carrier, to_reroute, now)
                await reassign(
                    transaction,
                    [
                        Reassignment(
                            row.account_id,
                            row.message_id,
                            lane,
                            alternatives[row.message_id],
                            traffic,
                            now,
                            _uncounted_attempts(row),
                        )
                        for row in to_reroute
                    ],
                )
                log.warning("messages_rerouted", carrier=carrier.name, messages=len(to_reroute))
        return (rows[-1].due_at, rows[-1].message_id) if len(rows) == limits.CLAIM_MESSAGES_MAX else None

    async def _add_attempts(
        self, transaction: DatabaseConnection, carrier: CarrierHealthRow, rows: Sequence[OveragedMessage], now: datetime
    ) -> None:
        """Adds an attempt to the timeline of each message that is rerouted."""
        died_reason = encode_reason(Reason.of(ReasonCode.ATTEMPT_PROCESS_DIED))
        cause = Reason.of(ReasonCode.ATTEMPT_CARRIER_SLOW)
        if carrier.is_down:
            cause = Reason.of(ReasonCode.ATTEMPT_CARRIER_DOWN)
        deferred_reason = encode_reason(cause)
        await statements.dispatch.attempts_add(
            transaction,
            carrier_id=carrier.carrier_id,
            answered_at=now,
            attempts=[
                NewAttempt(
                    account_id=row.account_id,
                    message_id=row.message_id,
                    attempt=row.attempts + _uncounted_attempts(row),
                    started_at=row.due_at,
                    outcome=int(Outcome.UNKNOWN if row.claimed_by else Outcome.DEFERRED),
                    carrier_ref=None,
                    error_code=None,
                    error_text=None,
                    reason=died_reason if row.claimed_by else deferred_reason,
                )
                for row in rows
            ],
        )


def _uncounted_attempts(row: OveragedMessage) -> int:
    """How many attempts the queue row lacks: a claim has counted its attempt already, waiting for a claim has not."""
    return 0 if row.claimed_by else 1


def _may_be_rerouted(row: OveragedMessage, traffic: Traffic) -> bool:
    """A claimed message may have been sent, and a promotional one must not be sent twice."""
    return traffic is Traffic.TRANSACTIONAL or row.claimed_by is None
