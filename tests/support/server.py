"""A running Homing for tests: the real processes over a database of their own, and accounts made to measure."""

import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg

import homing
from homing import demo
from homing.admin import account_settings, routes
from homing.admin.carriers import add_carrier
from homing.admin.prices import remove_price, set_prices
from homing.admin.words import add_word
from homing.api.smpp.statuses import VendorStatus
from homing.common import crypto, money
from homing.dialects.laaffic import dialect as laaffic
from homing.dialects.lia import dialect as lia
from homing.dialects.registry import DIALECTS
from homing.ledger.postings import gift, post, top_up
from homing.model import GENERAL
from homing.routing.rules import RouteScope
from homing.smpp import pdus
from homing.smpp.statuses import CommandStatus
from homing.store import statements
from homing.store.database import FREE_PLANS, Database
from homing.store.migrate import migrate
from tests.support import esme
from tests.support.client import Client
from tests.support.waiting import WAIT_S, in_time, until

NO_PRICE = "99"
"""Numbers that begin so have a route and no price."""
NO_ROUTE = "98"
"""Numbers that begin so have a price and no route."""
REPLYING = "97"
"""Everybody with such a number gets the message at once and answers it a second later."""
QUEUED = "96"
"""Messages to such numbers stay queued: their carrier's settings cannot be used, so that nobody serves its lanes."""


PORTS = (10_000, 32_000)
TEMPLATE, UNFINISHED_TEMPLATE = "homing_template", "homing_template_unfinished"
NO_AUTHORITIES = {"SSL_CERT_FILE": os.devnull}
"""Of the environment of roles: no test's server has a certificate of a public authority, and aiohttp reads all of the
system's when it is imported, which is a tenth of what starting a role takes.
"""


@dataclass(frozen=True)
class Account:
    """An account and its credentials in both dialects."""

    account_id: int
    name: str
    email: str
    api_id: str
    api_password: str
    key: str
    secret: str
    app: str
    sender: str
    templates: tuple[int, ...] = ()
    token: str = ""
    """Of Homing's own API, for a test that has made one."""


@dataclass
class Process:
    """One of Homing's processes. Our end of its stdin stays open: its end of file means that we are gone."""

    name: str
    log: Path
    process: asyncio.subprocess.Process

    @classmethod
    async def start(
        cls,
        role: str,
        name: str,
        log: Path,
        environment: Mapping[str, str],
        under: Sequence[str] = (),
        module: str = "homing.app",
    ) -> Self:
        """`under`: the words of a command that becomes the process, such as one that gives it a machine of its own.
        `module`: what starts the role.
        """
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *under,
                sys.executable,
                "-m",
                module,
                role,
                name,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=dict(environment),
            )
        return cls(name, log, process)

    async def ready(self) -> None:
        assert self.process.stdout
        async with in_time():
            line = await self.process.stdout.readline()
        assert line.strip() == b"ready", f"{self.name} did not start:\n{self.log.read_text()[-4000:]}"

    async def stop(self) -> int:
        """SIGTERM, as an operator stops it; the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with in_time():
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"{self.name} did not stop within {WAIT_S:.0f} s of SIGTERM") from None


@dataclass
class Server:
    """An api and a link over one database, which holds the demo and a few odd destinations."""

    dsn: str
    data: Path
    database: Database
    vault: crypto.Vault
    environment: dict[str, str]
    address: str
    client: Client
    demo: Account
    processes: list[Process] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    under: Sequence[str] = ()
    module: str = "homing.app"
    _names: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _probe: Account | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def logs(self) -> str:
        return "".join(process.log.read_text(encoding="utf-8") for process in self.processes)

    def log_lines(self) -> list[dict[str, Any]]:
        """Every line that the processes logged; one that is not JSON fails here."""
        return [json.loads(line) for line in self.logs.splitlines()]

    async def start(self, role: str, name: str, **environment: str) -> Process:
        log = self.data / f"{name}.log"
        process = await Process.start(role, name, log, {**self.environment, **environment}, self.under, self.module)
        self.processes.append(process)
        await process.ready()
        return process

    async def account(
        self,
        *,
        balance: str = "10",
        gifted: str = "0",
        credit: str = "0",
        locked: bool = False,
        networks: Sequence[str] = (),
        queries_per_s: int = 100_000,
        refund_undeliverable: bool = False,
        templates: Mapping[str, str] | None = None,
        templates_required: bool = False,
        unicode_fallback: bool = False,
        unique_references: bool = False,
        words: Sequence[str] = (),
        prices: Mapping[str, str] | None = None,
        report_url: str | None = None,
        inbound_url: str | None = None,
    ) -> Account:
        """A new account. Amounts in units. When this returns, every setting is in force."""
        name = f"account-{next(self._names)}"
        email = f"{name}@example.com"
        async with self.database.transaction() as transaction:
            account_id = await account_settings.create_account(transaction, name, email)
            lia = await account_settings.create_credential(transaction, self.vault, account_id, DIALECTS.named("lia"))
            laaffic = await account_settings.create_credential(  # as long as a client of SMPP 3.4 can send it
                transaction,
                self.vault,
                account_id,
                DIALECTS.named("laaffic"),
                secret=crypto.make_secret(8),
                may_be_short=True,
            )
            app = await account_settings.create_app(
                transaction, account_id, name=name, app_id=None, report_url=report_url, inbound_url=inbound_url
            )
            await account_settings.add_sender(transaction, account_id, "HOMING", default=True)
            listed = [
                await account_settings.add_template(transaction, account_id, *one) for one in (templates or {}).items()
            ]
            changes = {
                "allowed_networks": list(networks),
                "queries_per_s": queries_per_s,
                "templates_required": templates_required,
                "refund_undeliverable": refund_undeliverable,
                "unicode_fallback": unicode_fallback,
                "unique_references": unique_references,
            }
            await account_settings.change_account(transaction, account_id, changes)
            if locked:
                await account_settings.set_lock(transaction, account_id, "test")
            own = [(prefix, money.parse(amount)) for prefix, amount in (prices or {}).items()]
            await set_prices(transaction, account_id, own)
            for word in words:
                await add_word(transaction, account_id, word)
            if money.parse(balance):
                await post(transaction, account_id, top_up(money.parse(balance)), "test", "test balance")
            if money.parse(gifted):
                await post(transaction, account_id, gift(money.parse(gifted)), "test", "test gift")
            await account_settings.set_credit(transaction, account_id, money.parse(credit))
        self.secrets.update((lia.secret, laaffic.secret))
        if words or prices:
            await self.settled()
        return Account(
            account_id, name, email, lia.key, lia.secret, laaffic.key, laaffic.secret, app, "HOMING", tuple(listed)
        )

    async def settled(self) -> None:
        """Returns when the api and the smpp process have heard of every setting that was changed before the call.

        A new price of nothing, for a number of its own, opens the way for an account without money; each process learns
        of changes in their order.
        """
        self._probe = self._probe or await self.account(balance="0")
        number = f"88{self._probe.account_id:06d}{next(self._names):05d}"
        async with self.database.transaction() as transaction:
            await set_prices(transaction, self._probe.account_id, [(number, 0)])
        probe, values = self._probe, {"appId": self._probe.app, "numbers": number, "content": "x"}

        async def is_taken() -> bool:
            reply = await self.client.laaffic(probe, "GET", "/v3/sendSms", values)
            assert reply.json["status"] in ("0", "-10"), reply
            return bool(reply.json["status"] == "0")

        await until(is_taken)
        smpp = self.environment["HOMING_SMPP_ADDRESS"]
        async with esme.bound(smpp, probe.key, probe.secret, pdus.BindTransmitter) as bind:

            async def is_submitted() -> bool:
                answer = await bind.submit(number, b"x", registered_delivery=0)
                assert answer.status in (CommandStatus.ROK, VendorStatus.INSUFFICIENT_BALANCE), hex(answer.status)
                return answer.status == CommandStatus.ROK

            await until(is_submitted)

    async def holdings(self, account: Account) -> tuple[int, int, int]:
        """(messages, gift, balance), money in micro-units: what no refused call may change."""
        row = await self.query_row(
            "SELECT (SELECT count(*) FROM message WHERE account_id = $1) AS messages, gift_micro, balance_micro"
            " FROM balance WHERE account_id = $1",
            account.account_id,
        )
        return row["messages"], row["gift_micro"], row["balance_micro"]

    async def query(self, sql: str, *values: object) -> list[Any]:
        async with self.database.connection() as connection:
            rows: list[Any] = await connection.raw.fetch(sql, *values)
        return rows

    async def query_row(self, sql: str, *values: object) -> Any:
        rows = await self.query(sql, *values)
        assert len(rows) == 1, rows
        return rows[0]

    async def close(self) -> None:
        codes = {process.name: await process.stop() for process in reversed(self.processes)}
        await self.client.close()
        await self.database.close()
        assert not any(codes.values()), f"exit codes after SIGTERM: {codes}\n{self.logs[-4000:]}"


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens at. It lies below those that the system gives to connections, of which tests make so
    many that one of them would now and then have taken the port before it is listened at.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.randrange(*PORTS)
        with socket.socket(family) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port


def database_url(server_dsn: str, name: str) -> str:
    """The DSN of another database on the same PostgreSQL."""
    return urlsplit(server_dsn)._replace(path=f"/{name}").geturl()


async def let_make_databases(superuser_dsn: str | None) -> None:
    """Homing's role may make databases, each of which it then owns, as it owns an installation's: else nothing more."""
    connection = await asyncpg.connect(superuser_dsn)
    try:
        async with connection.transaction():  # workers do it at once: PostgreSQL refuses the second of two changes
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            await connection.execute("ALTER ROLE homing CREATEDB")
    finally:
        await connection.close()


async def new_database(server_dsn: str, name: str) -> str:
    """Makes an empty database and gives its DSN."""
    assert re.fullmatch(r"\w+", name), name
    connection = await asyncpg.connect(server_dsn)
    try:
        await _dropped(connection, name)
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return database_url(server_dsn, name)


async def migrated_database(server_dsn: str, name: str) -> str:
    """Makes a database with this release's schema and nothing else, and gives its DSN. The migrations are applied once
    for all of a server's databases: they take six times as long as a copy of what they make.
    """
    assert re.fullmatch(r"\w+", name), name
    connection = await asyncpg.connect(server_dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock(2)")  # of the workers only one makes the template
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", TEMPLATE):
            await migrate(await new_database(server_dsn, UNFINISHED_TEMPLATE))
            await connection.execute(f"ALTER DATABASE {UNFINISHED_TEMPLATE} RENAME TO {TEMPLATE}")
        await _dropped(connection, name)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    finally:
        await connection.close()
    return database_url(server_dsn, name)


async def _dropped(connection: asyncpg.Connection, name: str) -> None:
    """Whoever is connected loses the connection; autovacuum, which no ordinary role may end, is waited for."""

    async def drop() -> bool:
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        except asyncpg.InsufficientPrivilegeError:
            return False
        return True

    await until(drop)


async def odd_destinations(database: Database) -> None:
    """In place of the demo's `anything else`: the same price and routes but for the prefixes named above."""
    usual = [*"2345678", "90", *(f"9{n}" for n in range(2, 6))]
    async with database.transaction() as transaction:
        await remove_price(transaction, GENERAL, "")
        priced = [*usual, REPLYING, QUEUED, NO_ROUTE]
        await set_prices(transaction, GENERAL, [(prefix, money.parse("0.02")) for prefix in priced])
        carriers = [row["carrier_id"] for row in await transaction.raw.fetch("SELECT carrier_id FROM carrier")]
        await transaction.raw.execute("DELETE FROM route")
        for prefix in ("1", "91", NO_PRICE, *usual):
            for carrier_id in carriers:
                await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=carrier_id)
        certain = {"receipt_ms_mean": 0, "undeliverable": 0, "expired": 0, "replied": 1}
        answering = await add_carrier(transaction, "answering", "simulator", json.dumps(certain))
        await routes.set_route(transaction, RouteScope(prefix=REPLYING), carrier_id=answering)
        unusable = await transaction.raw.fetchval(
            "INSERT INTO carrier (name, kind, settings) VALUES ('unusable', 'simulator', '{\"no\": \"such setting\"}')"
            " RETURNING carrier_id"
        )
        await routes.set_route(transaction, RouteScope(prefix=QUEUED), carrier_id=unusable)


@asynccontextmanager
async def running(
    dsn: str, data: Path, under: Sequence[str] = (), module: str = "homing.app", **settings: str
) -> AsyncIterator[Server]:
    """A server with the demo over an empty database. Proxies on 127.0.0.1 are trusted, and pushes may go there.

    `under`, `module`: of its processes (`Process.start`). `settings`: environment variables beside these.
    """
    await migrate(dsn)
    database = Database(dsn=dsn, plans=FREE_PLANS)
    await database.open()
    vault = crypto.Vault(crypto.load_key("", data / "secret.key"))
    await demo.load(database, vault, DIALECTS)
    await odd_destinations(database)
    row = await statements.admin.account_find(database, name=demo.ACCOUNT, account_id=None)
    assert row is not None
    known = (lia.DEMO_KEY, lia.DEMO_PASSWORD, laaffic.DEMO_KEY, laaffic.DEMO_SECRET, demo.APP_ID, lia.DEMO_SENDER)
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HOMING_")},
        **NO_AUTHORITIES,
        "HOMING_VERIFY_ROWS": "1",
        "PYTHONPATH": str(Path(homing.__file__).parents[1]),
        "HOMING_DATA": str(data),
        "HOMING_DATABASE_URL": dsn,
        "HOMING_HTTP_ADDRESS": address,
        "HOMING_HTTP_TRUSTED_PROXIES": "127.0.0.1",
        "HOMING_PUSH_ALLOWED_NETWORKS": "127.0.0.0/8",
        "HOMING_SMPP_ADDRESS": f"127.0.0.1:{free_port()}",
        "HOMING_CONSOLE_ADDRESS": f"127.0.0.1:{free_port()}",
        "HOMING_LIA_ALLOWED_ORIGINS": f"https://shop.example.com,http://127.0.0.1:{free_port()}",
        **settings,
    }
    shown = Account(row.account_id, demo.ACCOUNT, "", *known)
    server = Server(
        dsn, data, database, vault, environment, address, Client(f"http://{address}"), shown, under=under, module=module
    )
    server.secrets.update((lia.DEMO_PASSWORD, laaffic.DEMO_SECRET))
    try:
        await asyncio.gather(
            server.start("api", "api-1"), server.start("link", "link-1"), server.start("smpp", "smpp-1")
        )
        yield server
    finally:
        await server.close()
