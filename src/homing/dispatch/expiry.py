"""Messages whose validity is over: the sent ones that no receipt came for, and those that nobody sent."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from homing import errors, limits
from homing.messages.transitions import Event, apply
from homing.states import State
from homing.store.database import Database

log = structlog.get_logger()


class ExpirySweep:
    """Ends overdue messages as expired, in batches, every few seconds."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        overdue_at_s = loop.time()
        while True:
            try:
                while await self._sweep("queue_expired", "no receipt within its validity"):
                    pass
                if loop.time() >= overdue_at_s:
                    while await self._sweep("queue_overdue", "not sent within its validity"):
                        pass
                    overdue_at_s = loop.time() + limits.OVERDUE_SWEEP_S
            except errors.PlatformFailure as failure:
                log.warning("expiry_waits", failure=str(failure))
            await asyncio.sleep(limits.EXPIRY_SWEEP_S)

    async def _sweep(self, statement: str, reason: str) -> bool:
        """One batch; whether there may be more."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(statement, now, limits.CLAIM_MESSAGES_MAX)
            events = [
                Event(row["account_id"], row["message_id"], State.EXPIRED, now, row["lane"], None, reason)
                for row in rows
            ]
            await apply(transaction, events)
            await transaction.execute("queue_leave", [row["lane"] for row in rows], [row["message_id"] for row in rows])
        return len(rows) == limits.CLAIM_MESSAGES_MAX
