"""A real `homing serve` over a durable data folder of its own, and customers who keep sending."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import psutil

import homing
from homing import demo
from homing.common import money
from homing.dialects.laaffic import dialect as laaffic
from homing.dialects.lia import dialect as lia
from homing.ledger.postings import post, top_up
from homing.ledger.proof import LedgerProof, prove
from homing.store.database import FREE_PLANS, Database
from homing.store.embedded.cluster import read_postmaster
from homing.store.embedded.location import ROOT_HOME, fingerprint
from homing.store.embedded.server import EmbeddedPostgres
from tests.support.client import signed
from tests.support.server import NO_AUTHORITIES, free_port
from tests.support.waiting import in_time, until

CONNECTIONS = 6


@dataclass(frozen=True)
class Customer:
    """The demo account's laaffic credentials."""

    api_id: str = lia.DEMO_KEY
    api_password: str = lia.DEMO_PASSWORD
    key: str = laaffic.DEMO_KEY
    secret: str = laaffic.DEMO_SECRET


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def eventually(what: Callable[[], bool], timeout_s: float, said: str) -> float:
    """How long it took until it was so."""
    started_s = time.monotonic()
    await until(what, within_s=timeout_s, describe=lambda: said)
    return time.monotonic() - started_s


@dataclass
class Installation:
    """`start` and `stop` it, kill what you like of it, and look into its database."""

    data: Path
    workers: int = 2
    port: int = field(default_factory=free_port)
    smpp_port: int = field(default_factory=free_port)
    console_port: int = field(default_factory=free_port)
    more: dict[str, str] = field(default_factory=dict)
    """Of the environment."""
    umask: int = -1
    python: Path = Path(sys.executable)
    process: "asyncio.subprocess.Process | None" = None
    _starts: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("HOMING_")},
            **NO_AUTHORITIES,
            "PYTHONPATH": str(Path(homing.__file__).parents[1]),
            "HOMING_HTTP_WORKERS": str(self.workers),
            "HOMING_PUSH_ALLOWED_NETWORKS": "127.0.0.0/8",
            "HOMING_SMPP_ADDRESS": f"127.0.0.1:{self.smpp_port}",
            "HOMING_CONSOLE_ADDRESS": f"127.0.0.1:{self.console_port}",
            **self.more,
        }

    @property
    def log(self) -> Path:
        return self.data.with_suffix(".log")

    async def command(self, *words: str) -> "asyncio.subprocess.Process":
        return await asyncio.create_subprocess_exec(
            str(self.python),
            "-m",
            "homing.cli",
            *words,
            "--data",
            str(self.data),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )

    async def start(self) -> None:
        """Returns when all its processes take work, which is when it greets."""
        assert not self.is_running
        greetings = self._greetings()
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                str(self.python),
                "-m",
                "homing.cli",
                "serve",
                "--demo",
                "--data",
                str(self.data),
                "--http",
                f"127.0.0.1:{self.port}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.environment, "PYTHONUNBUFFERED": "1"},
                umask=self.umask,
            )

        def has_started() -> bool:
            assert self.is_running, f"serve ended:\n{self.log.read_text()[-3000:]}"
            return self._greetings() > greetings

        await until(has_started, describe=lambda: f"not started:\n{self.log.read_text()[-3000:]}")
        assert await self.health() == 200

    def _greetings(self) -> int:
        return self.log.read_text().count("Homing serves") if self.log.exists() else 0

    async def health(self) -> int | None:
        """The status of `/healthz`, None when nobody answers."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=2)
            async with aiohttp.request("GET", f"{self.url}/healthz", timeout=timeout) as answer:
                return answer.status
        return None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def roles(self, role: str = "") -> list[int]:
        """The process ids of our children, of one role or all."""
        if not self.is_running:
            return []
        with contextlib.suppress(psutil.Error):
            return [
                one.pid
                for one in psutil.Process(self.pid).children()
                if f"homing.app {role}" in " ".join(one.cmdline())
            ]
        return []

    @property
    def cluster(self) -> Path:
        inside = self.data / "postgres"
        return (inside if inside.exists() else ROOT_HOME / "clusters" / fingerprint(self.data)) / "cluster"

    def servers(self) -> list[int]:
        """PostgreSQL's postmaster and its keeper, by the cluster that their command lines name."""
        found = []
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(self.cluster) in one.cmdline() and one.status() != psutil.STATUS_ZOMBIE:
                    found.append(one.pid)
        return found

    def postmaster(self) -> int:
        found = read_postmaster(self.cluster)
        assert found
        return found.pid

    async def killed(self, *pids: int) -> None:
        """`kill -9`, all at once; returns when they are gone."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process and self.pid in pids:
            await self.process.wait()
        await eventually(lambda: all(map(is_gone, pids)), 30, "killed processes are gone")

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with in_time():
            return await self.process.wait()

    @asynccontextmanager
    async def looked_into(self) -> AsyncIterator[Database]:
        """Its database, whether or not it runs."""
        embedded = EmbeddedPostgres(self.data)
        dsn = await asyncio.to_thread(embedded.open)
        database = Database(dsn=dsn, connections_max=2, plans=FREE_PLANS)
        try:
            await database.open()
            yield database
        finally:
            await database.close()
            await asyncio.to_thread(embedded.close)

    async def query(self, sql: str, *values: Any) -> list[Any]:
        async with self.looked_into() as database, database.connection() as connection:
            rows: list[Any] = await connection.raw.fetch(sql, *values)
        return rows

    async def enrich(self, report_url: str) -> None:
        """Money for many messages, and reports of all of them."""
        async with self.looked_into() as database, database.transaction() as transaction:
            (row,) = await transaction.raw.fetch("SELECT account_id FROM account WHERE name = $1", demo.ACCOUNT)
            await post(transaction, row["account_id"], top_up(money.parse("100000")), "test", "to send many")
            await transaction.raw.execute("UPDATE app SET report_url = $1", report_url)

    async def proof(self) -> LedgerProof:
        async with self.looked_into() as database:
            return await prove(database)


@dataclass
class Traffic:
    """Connections that send without a pause. `accepted`: what was said yes to, message ids by order id; `unknown`:
    order ids of calls that ended without an answer or with a failure, of which nobody can say whether they counted.
    `tail` gives the last four digits of an order's number.
    """

    url: str
    name: str
    pause_s: float = 0.0
    tail: Callable[[str], str] = field(default_factory=lambda: forced)
    accepted: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    calls: int = 0
    _tasks: "list[asyncio.Task[None]]" = field(default_factory=list)
    _orders: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _ending: bool = False

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._send(n)) for n in range(CONNECTIONS)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def end(self) -> None:
        """No new calls; returns when those under way have ended one way or the other."""
        self._ending = True
        await asyncio.gather(*self._tasks)

    async def until(self, accepted: int, timeout_s: float = 20.0) -> None:
        """Returns when so many messages more have been accepted."""
        target = len(self.accepted) + accepted
        await eventually(lambda: len(self.accepted) >= target, timeout_s, f"{accepted} more messages accepted")

    async def _send(self, connection: int) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            while not self._ending:
                orders = [f"{self.name}-{next(self._orders)}" for _ in range(1 + connection % 3)]
                self.calls += 1
                try:
                    await self._call(session, orders)
                except (aiohttp.ClientError, OSError, TimeoutError):
                    self.unknown.update(orders)
                    await asyncio.sleep(0.02)
                await asyncio.sleep(self.pause_s)

    async def _call(self, session: aiohttp.ClientSession, orders: Sequence[str]) -> None:
        numbers = [
            f"91{sum(map(ord, order)) % 10_000:04d}{self.calls % 1_000:03d}{self.tail(order)}" for order in orders
        ]
        body = {
            "appId": demo.APP_ID,
            "numbers": ",".join(numbers),
            "content": "Your code is 123456",
            "orderId": ",".join(orders),
        }
        async with session.post(
            f"{self.url}/v3/sendSms",
            data=json.dumps(body),
            headers=signed(Customer()),
            timeout=aiohttp.ClientTimeout(total=30),
        ) as response:
            answer = await response.json(content_type=None)
        if answer["status"] == "0":
            for sent in answer["array"]:
                assert sent["orderId"] not in self.accepted
                self.accepted[sent["orderId"]] = int(sent["msgId"])
        else:
            assert answer["status"] == "-18", answer
            self.unknown.update(orders)
            await asyncio.sleep(0.02)


def forced(order: str) -> str:
    """One of the simulator's forced outcomes, so that receipts come at once."""
    return f"{1 + int(order.rpartition('-')[2]) % 6:04d}"


@contextlib.contextmanager
def nothing_left(installation: Installation) -> Iterator[None]:
    """Kills, by their ids, what a failed test leaves of its installation."""
    try:
        yield
    finally:
        for pid in [*installation.roles(), *([installation.pid] if installation.is_running else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
