"""Node numbers for message ids, each held by one process under a lease (store/id_nodes.py).

Made by tools/sql_bindings.py from sql/id_nodes.sql.
"""

from datetime import timedelta
from typing import Final

from homing.store import queries
from homing.store.rows import Executor, execute, fetch_row_or_none, single

_SQL: Final = queries.load("id_nodes")


async def id_node_take(db: Executor, *, owner: str, lease: timedelta) -> int | None:
    """One that is being taken by another process is passed over. None: all are held."""
    return await fetch_row_or_none(db, _SQL["id_node_take"], single(int), owner, lease)


async def id_node_renew(db: Executor, *, lease: timedelta, owner: str) -> int | None:
    return await fetch_row_or_none(db, _SQL["id_node_renew"], single(int), lease, owner)


async def id_node_release(db: Executor, *, owner: str) -> None:
    await execute(db, _SQL["id_node_release"], owner)
