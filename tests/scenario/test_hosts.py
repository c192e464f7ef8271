"""A database URL with several hosts: one that hangs keeps nobody from the next."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from homing import errors, limits
from homing.store import statements
from homing.store.connecting import Connector, hosts_of
from homing.store.database import FREE_PLANS, Database
from tests.support.command import homing
from tests.support.server import free_port, migrated_database
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://u:p@db/x", ["postgresql://u:p@db/x"]),
        ("postgresql://u@/x?host=/run/pg", ["postgresql://u@/x?host=/run/pg"]),
        (
            "postgresql://u:p@a:5432,b:5433/x?target_session_attrs=read-write",
            [
                "postgresql://u:p@a:5432/x?target_session_attrs=read-write",
                "postgresql://u:p@b:5433/x?target_session_attrs=read-write",
            ],
        ),
        ("postgresql://[::1]:1,b/x", ["postgresql://[::1]:1/x", "postgresql://b/x"]),
        ("postgresql://u@/x?host=a,b&port=1,2", ["postgresql://u@/x?host=a&port=1", "postgresql://u@/x?host=b&port=2"]),
        ("postgresql://u@/x?host=a,b&port=1", ["postgresql://u@/x?host=a&port=1", "postgresql://u@/x?host=b&port=1"]),
    ],
)
def test_a_url_is_read_host_by_host(url: str, hosts: list[str]) -> None:
    assert hosts_of(url) == hosts


@dataclass
class Host:
    """A host in front of a real PostgreSQL's socket, which can hang: connections stay open, and nothing comes."""

    socket: str
    port: int = field(default_factory=free_port)
    hangs: bool = False
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.hangs:
            inner, outer = await asyncio.open_unix_connection(self.socket)
            self._tasks += [
                asyncio.create_task(self._copy(reader, outer)),
                asyncio.create_task(self._copy(inner, writer)),
            ]

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            while self.hangs:
                await asyncio.sleep(0.05)
            writer.write(chunk)
        writer.close()


@pytest.fixture
async def host(postgres: str, worker: str) -> AsyncIterator[tuple[Host, str]]:
    """(the first host, a URL that names it and then the database's own socket)."""
    dsn = await migrated_database(postgres, f"hosts_{worker}")
    parts = urlsplit(dsn)
    folder = parse_qs(parts.query)["host"][0]
    made = Host(f"{folder}/.s.PGSQL.5432")
    query = f"host=127.0.0.1,{folder}&port={made.port},5432"
    async with made.running():
        yield made, parts._replace(query=query).geturl()


async def test_a_host_that_hangs_from_the_start_is_passed_over(host: tuple[Host, str]) -> None:
    first, url = host
    first.hangs = True
    await homing(url, "account", "list")
    database = Database(dsn=url, connections_max=2, plans=FREE_PLANS)
    started_s = time.monotonic()
    await database.open()
    try:
        await statements.admin.is_empty(database)
        assert time.monotonic() - started_s < 3 * limits.DATABASE_HOST_TIMEOUT_S
        connector = Connector(url)
        await (await connector.connect()).close()
        started_s = time.monotonic()
        await (await connector.connect()).close()
        assert time.monotonic() - started_s < limits.DATABASE_HOST_TIMEOUT_S, "who answered last is asked first"
    finally:
        await database.close()


async def test_a_host_that_begins_to_hang_is_left_for_the_next_within_seconds(host: tuple[Host, str]) -> None:
    first, url = host
    await homing(url, "account", "list")
    database = Database(dsn=url, connections_max=2, plans=FREE_PLANS)
    await database.open()
    try:
        await statements.admin.is_empty(database)
        first.hangs = True

        async def answers() -> bool:
            try:
                return await statements.admin.is_empty(database) is not None
            except errors.PlatformFailure:
                return False

        assert not await answers(), "it was on its way when the host began to hang"
        started_s = time.monotonic()
        await until(answers)
        assert time.monotonic() - started_s < limits.DATABASE_STATEMENT_TIMEOUT_S + 3
    finally:
        first.hangs = False
        await database.close()


async def test_a_database_that_refuses_or_hangs_is_one_line_of_a_command() -> None:
    silent = Host("")
    silent.hangs = True
    async with silent.running():
        for port in (silent.port, free_port()):
            said = await homing(f"postgresql://homing:x@127.0.0.1:{port}/homing", "account", "list", status=6)
            assert "the database cannot be opened" in said
            assert len(said.strip().splitlines()) == 1
