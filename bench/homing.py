"""Homing as a bench meets it: the real `homing serve`, its own data folder, the embedded PostgreSQL with fsync on."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from homing import demo
from homing.admin import carriers, routes
from homing.common.money import MICRO
from homing.ledger.postings import post, top_up
from homing.ledger.proof import LedgerProof, prove
from homing.routing.rules import RouteScope
from homing.store import statements
from homing.store.database import FREE_PLANS, Database
from homing.store.embedded.server import EmbeddedPostgres

START_S: Final = 120.0
FUNDS_MICRO: Final = 100_000_000 * MICRO


class Homing:
    """`with Homing(folder) as homing:` runs until the block ends. The demo account has money enough for any bench.

    `link_workers=0` leaves the carriers out, so that messages only queue, as they do in the peer's accept bench.
    """

    def __init__(self, data: Path, link_workers: int = 1, has_console: bool = False) -> None:
        self.data = data
        self._link_workers = link_workers
        self._server: subprocess.Popen[bytes] | None = None
        self._log = data.with_suffix(".log")
        self._has_console = has_console
        with socket.socket() as free, socket.socket() as second, socket.socket() as third:
            free.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            third.bind(("127.0.0.1", 0))
            self.address: tuple[str, int] = ("127.0.0.1", free.getsockname()[1])
            self.smpp_address: tuple[str, int] = ("127.0.0.1", second.getsockname()[1])
            self.console_address: tuple[str, int] = ("127.0.0.1", third.getsockname()[1])

    def __enter__(self) -> Self:
        environment = {
            **os.environ,
            "HOMING_LINK_WORKERS": str(self._link_workers),
            "HOMING_SMPP_WORKERS": str(min(1, self._link_workers)),
            "HOMING_PUSH_ALLOWED_NETWORKS": "127.0.0.0/8",
            "HOMING_LOG_LEVEL": "warning",
            "HOMING_SMPP_ADDRESS": f"127.0.0.1:{self.smpp_address[1]}",
            "HOMING_CONSOLE_ADDRESS": f"127.0.0.1:{self.console_address[1]}" if self._has_console else "",
        }
        environment.pop("HOMING_DATABASE_URL", None)
        command = [sys.executable, "-m", "homing.cli", "serve", "--demo", "--data", str(self.data)]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [*command, "--http", f"127.0.0.1:{self.address[1]}"], env=environment, stdout=log, stderr=log
            )
        deadline_s = time.monotonic() + START_S
        while not self._is_up():
            if self._server.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError("homing serve did not start:\n" + self._log.read_text()[-2000:])
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGTERM)
        self._server.wait(120)

    def pids(self) -> list[int]:
        """Homing's own processes: the parent and its children."""
        assert self._server is not None
        pid = self._server.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def postgres_pids(self) -> list[int]:
        """The database's processes, which belong to its postmaster."""
        postgres = EmbeddedPostgres(self.data)
        with postgres:
            postmaster = postgres.pid
        assert postmaster is not None
        return [postmaster, *map(int, Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split())]

    async def console_pids(self) -> list[int]:
        """The console's process and its own database sessions."""
        console_pids = [pid for pid in self.pids() if b"console" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        async with _Database(self.data) as database, database.connection() as connection:
            rows = await connection.raw.fetch(
                "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'homing console%'"
            )
        return [*console_pids, *(row["pid"] for row in rows)]

    def database(self) -> "_Database":
        """Its database, for the length of a block."""
        return _Database(self.data)

    async def fund(self) -> None:
        """Money enough for any bench, and no limit of the account's own: what the gateway can do is measured."""
        async with _Database(self.data) as database, database.transaction() as transaction:
            account = await statements.admin.account_find(transaction, name=demo.ACCOUNT, account_id=None)
            assert account is not None
            await post(transaction, account.account_id, top_up(FUNDS_MICRO), "bench", "load")
            await transaction.raw.execute("UPDATE account SET submits_per_s = NULL WHERE name = $1", demo.ACCOUNT)

    async def set_carriers(self, settings: str) -> None:
        """The behaviour of every simulated carrier."""
        async with _Database(self.data) as database, database.connection() as connection:
            await connection.raw.execute("UPDATE carrier SET settings = $1::text::jsonb", settings)

    async def use_carrier(self, kind: str, settings: str) -> None:
        """A carrier of this kind for all traffic, in place of the simulated ones."""
        async with _Database(self.data) as database, database.transaction() as transaction:
            await transaction.raw.execute("UPDATE carrier SET enabled = false")
            carrier_id = await carriers.add_carrier(transaction, "measured", kind, settings)
            await routes.set_route(transaction, RouteScope(), carrier_id=carrier_id)

    async def let_bind(self, binds: int) -> None:
        """So many SMPP binds of the demo account at once."""
        async with _Database(self.data) as database, database.connection() as connection:
            await connection.raw.execute("UPDATE account SET binds_max = $1 WHERE name = $2", binds, demo.ACCOUNT)

    async def set_report_url(self, url: str) -> None:
        async with _Database(self.data) as database, database.connection() as connection:
            await connection.raw.execute("UPDATE app SET report_url = $1", url)

    async def waiting(self) -> dict[str, int]:
        """How many messages and pushes wait, by kind."""
        async with _Database(self.data) as database:
            return {row.kind: row.waiting for row in await statements.observe.depths(database)}

    async def proof(self) -> LedgerProof:
        async with _Database(self.data) as database:
            return await prove(database)

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.address[1]}/healthz", timeout=1) as answer:
                is_up = bool(json.load(answer)["status"] == "ok")
            if self._has_console:
                socket.create_connection(self.console_address, timeout=1).close()
            return is_up
        except (OSError, urllib.error.URLError, ValueError):
            return False


def database_of(data: Path) -> "_Database":
    """The database of the installation in a folder, for the length of a block."""
    return _Database(data)


class _Database:
    """A connection to the running installation's database for as long as a block takes."""

    def __init__(self, data: Path) -> None:
        self._postgres = EmbeddedPostgres(data)
        self.database: Database | None = None

    async def __aenter__(self) -> Database:
        dsn = await asyncio.to_thread(self._postgres.open)
        self.database = Database(dsn=dsn, connections_max=1, plans=FREE_PLANS)
        await self.database.open()
        return self.database

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.database is not None
        await self.database.close()
        await asyncio.to_thread(self._postgres.close)


def memory_mb(pids: list[int]) -> float:
    """Proportional set size, in MB of 2^20 bytes: pages that several processes share count once."""
    kilobytes = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024
