"""What a real `homing serve` may do on its machine: its database's role, its files, its processes."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from homing.store.embedded import EmbeddedPostgres
from installation import Installation, nothing_left
from waiting import until


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


def open_to_others(data: Path) -> Iterator[str]:
    """What of a data folder its group or everybody may read, write, enter or run."""
    for path in [data, *data.rglob("*")]:
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        allowed = 0o711 if path == data and os.geteuid() == 0 else 0o700
        if mode & ~allowed and not stat.S_ISLNK(found.st_mode):
            yield f"{path.relative_to(data)} {mode:04o}"


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077], ids=oct)
async def test_nothing_in_the_data_folder_is_for_others(room: Path, worker: str, umask: int) -> None:
    installation = Installation(room / f"modes-{umask:o}-{worker}", workers=1, umask=umask)
    with nothing_left(installation):
        await installation.start()
        written = installation.data / "run" / "metrics" / "api-1.prom"
        await until(written.exists, within_s=10)
        assert not list(open_to_others(installation.data))
        if os.geteuid() == 0:
            assert stat.S_IMODE(installation.data.stat().st_mode) == 0o711, "the database's user passes through it"
        assert await installation.stop() == 0
    assert not list(open_to_others(installation.data))


async def test_what_an_earlier_release_left_open_is_closed(room: Path, worker: str) -> None:
    installation = Installation(room / f"left-open-{worker}", workers=1)
    metrics = installation.data / "run" / "metrics"
    metrics.mkdir(parents=True)
    lock = installation.data / "serve.lock"
    for file in (lock, metrics / "api-1.new"):
        file.touch(0o644)
    installation.data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    with nothing_left(installation):
        await installation.start()
        await until((metrics / "api-1.prom").exists, within_s=10)
        assert not list(open_to_others(installation.data))
        assert await installation.stop() == 0
