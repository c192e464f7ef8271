"""What a real `homing serve` may do on its machine: its database's role, its files, its processes."""

import asyncio
from pathlib import Path

import asyncpg

from homing.store.embedded import EmbeddedPostgres
from installation import Installation, nothing_left


async def as_superuser(data: Path, statement: str) -> None:
    embedded = EmbeddedPostgres(data)
    await asyncio.to_thread(embedded.open)
    try:
        connection = await asyncpg.connect(embedded.superuser_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
    finally:
        await asyncio.to_thread(embedded.close)


async def test_a_role_that_may_do_more_than_needed_is_said(room: Path, worker: str) -> None:
    """The role of a database of an earlier release is its superuser, and so may that of a server of one's own be."""
    installation = Installation(room / f"role-{worker}", workers=1)
    with nothing_left(installation):
        await installation.start()
        assert (await installation.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))[0][0] is False
        assert await installation.stop() == 0
        assert "is its superuser" not in installation.log.read_text()
        await as_superuser(installation.data, "ALTER ROLE homing SUPERUSER")
        await installation.start()
        assert await installation.stop() == 0
    (said,) = [line for line in installation.log.read_text().splitlines() if "is its superuser" in line]
    assert said.startswith("Take care: the database's role is its superuser, since the database is of an earlier")
