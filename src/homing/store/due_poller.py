"""Finds due rows by one small query for all lanes of a process, so that an idle installation costs next to nothing."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Literal

import structlog

from homing import errors, limits
from homing.store import statements
from homing.store.database import Database

log = structlog.get_logger()
Table = Literal["queue", "push"]
Key = tuple[Table, int]


class DuePoller:
    """Queries every 50 ms which lanes have due rows, and wakes the workers of those lanes. Rows that become due between
    two queries are claimed, submitted and recorded as one batch.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._waiters: dict[Key, asyncio.Future[list[int]]] = {}

    async def wait(self, table: Table, lanes: tuple[int, ...]) -> list[int]:
        """Returns those of `lanes` that have due rows, as soon as one has."""
        due: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        keys: list[Key] = [(table, lane) for lane in lanes]
        self._waiters.update(dict.fromkeys(keys, due))
        try:
            return await due
        finally:
            for key in keys:
                if self._waiters.get(key) is due:
                    del self._waiters[key]

    async def run(self) -> None:
        while True:
            await asyncio.sleep(limits.DUE_POLL_S)
            if not self._waiters:
                continue
            try:
                rows = await statements.observe.lanes_due(
                    self._database,
                    queue_lanes=[lane for table, lane in self._waiters if table == "queue"],
                    push_lanes=[lane for table, lane in self._waiters if table == "push"],
                    now=self._clock(),
                )
            except errors.PlatformFailure:
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)
                continue
            due_lanes: dict[asyncio.Future[list[int]], list[int]] = {}
            for row in rows:
                waiter = self._waiters.get(("queue" if row.source == "queue" else "push", row.lane))
                if waiter is not None:
                    due_lanes.setdefault(waiter, []).append(row.lane)
            for waiter, lanes in due_lanes.items():
                if not waiter.done():
                    waiter.set_result(sorted(lanes))
