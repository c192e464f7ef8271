"""Node numbers for message IDs: each process that makes IDs holds one of 64 under a lease."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from homing import errors, limits
from homing.common import ids
from homing.store import statements
from homing.store.database import Database

log = structlog.get_logger()


class IdNodeLease:
    """Takes a free node number and renews its lease; `next_id` gives IDs only while the lease is certain.

    After a database outage longer than the lease another process may hold the number; the next id then comes
    from a newly taken one.
    """

    def __init__(self, database: Database, owner: str, clock_ms: Callable[[], int] = ids.wall_clock_ms) -> None:
        """`clock_ms`: the time of the IDs."""
        self._clock_ms = clock_ms
        self._database = database
        self._owner = owner
        self._lease = timedelta(seconds=limits.ID_NODE_LEASE_S)
        self._renewal: asyncio.Task[None] | None = None
        self._source: ids.IdSource | None = None
        self._certain_until_s = 0.0

    async def open(self) -> None:
        """Raises `Overloaded` when all 64 numbers are in use."""
        await self._take()
        self._renewal = asyncio.get_running_loop().create_task(self._renew())

    async def close(self) -> None:
        if self._renewal:
            self._renewal.cancel()
        with contextlib.suppress(errors.PlatformFailure):
            await statements.id_nodes.id_node_release(self._database, owner=self._owner)

    def next_id(self) -> int:
        """Raises `DatabaseUnavailable` when the lease has run out and could not be renewed."""
        if self._source is None or time.monotonic() > self._certain_until_s:
            raise errors.DatabaseUnavailable("the node lease has run out")
        return self._source.next()

    async def _take(self) -> None:
        requested_s = time.monotonic()
        node = await statements.id_nodes.id_node_take(self._database, owner=self._owner, lease=self._lease)
        if node is None:
            raise errors.Overloaded(f"all {ids.NODES} node numbers are in use")
        self._source = ids.IdSource(node, self._clock_ms)
        self._certain_until_s = requested_s + limits.ID_NODE_LEASE_S

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(limits.ID_NODE_RENEW_S)
            requested_s = time.monotonic()
            try:
                renewed = await statements.id_nodes.id_node_renew(self._database, owner=self._owner, lease=self._lease)
                if renewed is not None:
                    self._certain_until_s = requested_s + limits.ID_NODE_LEASE_S
                else:
                    await self._take()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="id_node_lease", failure=str(failure))
