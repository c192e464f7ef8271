"""Each process that makes ids has a node number of its own, also when many start at the same moment."""

import asyncio
from datetime import timedelta

import asyncpg

from homing.common import ids
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.migrate import migrate
from tests.support.server import migrated_database

LEASE = timedelta(seconds=30)
PROCESSES = 8


async def test_processes_that_start_together_all_get_a_number_while_there_are_free_ones(
    postgres: str, worker: str
) -> None:
    dsn = await migrated_database(postgres, f"nodes_{worker}")
    await migrate(dsn)
    connections = [DatabaseConnection(await asyncpg.connect(dsn)) for _ in range(PROCESSES)]

    async def take(nth: int) -> int | None:
        return await statements.id_nodes.id_node_take(connections[nth % PROCESSES], owner=f"process {nth}", lease=LEASE)

    nodes: list[int | None] = []
    for first in range(0, ids.NODES, PROCESSES):
        nodes += await asyncio.gather(*map(take, range(first, first + PROCESSES)))
    assert sorted(node for node in nodes if node is not None) == list(range(ids.NODES))
    assert await take(ids.NODES) is None, "all are held"
    await statements.id_nodes.id_node_release(connections[0], owner="process 7")
    assert await take(ids.NODES) is None, "it rests for three seconds"
    await connections[0].raw.execute("UPDATE id_node SET leased_until = now() WHERE owner = 'process 7'")
    assert set(await asyncio.gather(take(ids.NODES), take(ids.NODES + 1))) == {nodes[7], None}
    for connection in connections:
        await connection.raw.close()
