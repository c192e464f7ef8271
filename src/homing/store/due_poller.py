"""Who has work: one small query for all lanes of a process, so that an idle installation costs next to nothing."""

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
    """Looks every 50 ms which lanes have due rows, and wakes those who serve them. It is also what gives the work its
    pace: what has become due meanwhile is claimed, submitted and recorded together.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._sleepers: dict[Key, asyncio.Future[list[int]]] = {}

    async def wait(self, table: Table, lanes: tuple[int, ...]) -> list[int]:
        """Returns the lanes that have due rows, as soon as there is one."""
        due: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        keys: list[Key] = [(table, lane) for lane in lanes]
        self._sleepers.update(dict.fromkeys(keys, due))
        try:
            return await due
        finally:
            for key in keys:
                if self._sleepers.get(key) is due:
                    del self._sleepers[key]

    async def run(self) -> None:
        while True:
            await asyncio.sleep(limits.DUE_POLL_S)
            if not self._sleepers:
                continue
            try:
                rows = await statements.observe.lanes_due(
                    self._database,
                    queue_lanes=[lane for table, lane in self._sleepers if table == "queue"],
                    push_lanes=[lane for table, lane in self._sleepers if table == "push"],
                    now=self._clock(),
                )
            except errors.PlatformFailure:
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)
                continue
            found: dict[asyncio.Future[list[int]], list[int]] = {}
            for row in rows:
                sleeper = self._sleepers.get(("queue" if row.source == "queue" else "push", row.lane))
                if sleeper is not None:
                    found.setdefault(sleeper, []).append(row.lane)
            for sleeper, lanes in found.items():
                if not sleeper.done():
                    sleeper.set_result(sorted(lanes))
