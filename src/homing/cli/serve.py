"""`homing serve` and `homing migrate`."""

import asyncio
import base64
import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from msgspec.structs import asdict, replace

from homing import errors, limits
from homing.cli.context import (
    OpenedDatabase,
    data_option,
    database_url,
    errors_in_one_line,
    json_option,
    opened_database,
)
from homing.cli.show import Confirmation, print_reply
from homing.common.private_files import make_data_folder, open_private
from homing.store import statements

API_WORKERS_AUTO_MAX: Final = 8
STOPS_ALL: Final = "stop all processes first"
WORKS_BESIDE: Final = "processes of the present release may keep running"


if TYPE_CHECKING:
    from homing.common.crypto import Vault
    from homing.config import Settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
LOOPBACK_NETWORKS = ("127.0.0.0/8", "::1/128")


@click.command()
@click.option("--demo", is_flag=True, help="Fill an empty database with a demo account and two simulated carriers.")
@data_option
@click.option("--http", metavar="HOST:PORT", help="Address of the customers' HTTP APIs.  [default: 127.0.0.1:8080]")
@click.option("--smpp", metavar="HOST:PORT", help="Address of the SMPP server; '' for none.  [default: 127.0.0.1:2775]")
@click.option("--console", metavar="HOST:PORT", help="Address of the console; '' for none.  [default: 127.0.0.1:8081]")
def serve(demo: bool, data: Path, http: str | None, smpp: str | None, console: str | None) -> None:
    """Run Homing: database, customers' APIs, SMPP server, carriers, receipts, pushes and the console.

    Without HOMING_DATABASE_URL, an embedded PostgreSQL is started with its data under --data. Stop with Ctrl-C or
    SIGTERM: Homing accepts no new work, finishes work in progress, and exits with status 0.

    \b
    Example:  homing serve --demo --data ./data --http 127.0.0.1:8080
    """
    if http:
        os.environ["HOMING_HTTP_ADDRESS"] = http
    if smpp is not None:
        os.environ["HOMING_SMPP_ADDRESS"] = smpp
    if console is not None:
        os.environ["HOMING_CONSOLE_ADDRESS"] = console
    from homing import config
    from homing.dialects.registry import DIALECTS

    data = data.resolve()
    with errors_in_one_line():
        make_data_folder(data)
        settings = config.load(data, DIALECTS)
        if demo:
            settings = _local_demo(settings)
        with _only_server(data):
            _check_addresses(settings)
            with opened_database(data, may_create=True) as database:
                code = asyncio.run(_serve(data, database, settings, demo))
    raise SystemExit(code)


@click.command()
@click.option("--pending", is_flag=True, help="Only list migrations, and which need all processes stopped.")
@data_option
@json_option
def migrate(data: Path, pending: bool, as_json: bool) -> None:
    """Migrate the database schema to this release. `homing serve` does this automatically.

    \b
    Example:  HOMING_DATABASE_URL=postgresql://homing@db/homing homing migrate
              homing migrate --pending
    """
    from homing.store import migrate as migrations

    if pending:
        with errors_in_one_line(), database_url(data, may_create=False) as dsn:
            listed = asyncio.run(migrations.read_pending(dsn))
        lines = [f"{each.name}: {STOPS_ALL if each.stops_all else WORKS_BESIDE}" for each in listed]
        print_reply(
            Confirmation("\n".join(lines) or "nothing to do", {"pending": [asdict(each) for each in listed]}),
            as_json,
        )
        return
    with errors_in_one_line(), database_url(data, may_create=True) as dsn:
        applied = asyncio.run(migrations.migrate(dsn))
    text = "\n".join(f"applied {name}" for name in applied) or "nothing to do"
    print_reply(Confirmation(text, {"applied": applied}), as_json)


async def _serve(data: Path, database: OpenedDatabase, settings: "Settings", demo: bool) -> int:
    from homing import config
    from homing.cli.greeting import console_greeting, greeting
    from homing.common.crypto import Vault, load_key
    from homing.observe import logs
    from homing.privileges import choose_owner, environment_of
    from homing.store.connecting import answers
    from homing.store.embedded.revival import keep_running
    from homing.supervise import Supervisor

    logs.start(settings.log.level, settings.log.format, "serve")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host, port = config.host_port(settings.http.address)
    console, dsn, embedded = settings.console, database.dsn, database.embedded
    if not await _migrated(dsn, stop):
        return 0
    key = load_key(os.environ.get("HOMING_SECRET_KEY", ""), data / "secret.key")
    vault, spoken_key = Vault(key), base64.b64encode(key).decode()
    chosen, _ = await asyncio.gather(
        asyncio.to_thread(choose_owner, settings, data, dsn, spoken_key, embedded.owner if embedded else None),
        _prepare(dsn, vault, demo),
    )
    api_workers = settings.http.workers or max(1, min((os.cpu_count() or 1) // 2, API_WORKERS_AUTO_MAX))
    workers = {
        "link": settings.link.workers,
        "smpp": settings.smpp.workers if settings.smpp.address else 0,
        "api": api_workers,
        "console": 1 if console.address else 0,
    }
    supervisor = Supervisor(
        workers=workers,
        data=data,
        dsn=dsn,
        descriptors=[embedded.share] if embedded else [],
        database_answers=lambda: answers(dsn),
        owner=chosen.owner,
        environment=environment_of(chosen.owner, spoken_key) if chosen.owner else None,
    )
    reviving = (
        asyncio.get_running_loop().create_task(keep_running(embedded, lambda: _tell_restarted(dsn)))
        if embedded
        else None
    )
    starting = asyncio.get_running_loop().create_task(supervisor.start())
    stopping = asyncio.get_running_loop().create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    await starting
    address = f"http://{'[' + host + ']' if ':' in host else host}:{port}"
    binds = settings.smpp.address if settings.smpp.workers else ""
    if binds and settings.smpp.tls_address:
        binds += f", with TLS on {settings.smpp.tls_address}"
    looks = await console_greeting(dsn, console.base_url) if console.address else ""
    risks = (*_risks(settings, host, chosen.reason), *await _database_risks(dsn, embedded is not None))
    click.echo(await greeting(dsn, data, address, binds, looks))
    for warning in risks:
        click.echo(f"Warning: {warning}", err=True)
    if embedded and embedded.set_aside:
        click.echo(
            f"Warning: {data} was removed but its database was left behind; it has been moved to {embedded.set_aside}",
            err=True,
        )
    await stopping
    click.echo("Stopping: no new work accepted, finishing work in progress ...")
    code = await supervisor.stop()
    if reviving:
        reviving.cancel()
        await asyncio.gather(reviving, return_exceptions=True)
    return code


async def _migrated(dsn: str, stop: asyncio.Event) -> bool:
    """Brings the schema up to date, once there is a database: one that is away is waited for, and that is said once.
    False when told to stop meanwhile. Raises `InvalidInput` for what waiting does not mend, such as a wrong password.
    """
    import asyncpg

    from homing.store import migrate as migrations
    from homing.store.unavailable import UNAVAILABLE_ERRORS

    is_printed = False
    while not stop.is_set():
        try:
            await migrations.migrate(dsn)
            return True
        except (*UNAVAILABLE_ERRORS, TimeoutError) as error:
            if not is_printed:
                click.echo(
                    f"The database cannot be reached ({str(error) or 'no answer'}): waiting for it ...", err=True
                )
                is_printed = True
        except asyncpg.PostgresError as error:
            raise errors.InvalidInput(f"the database cannot be used: {error}") from None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.PROCESS_RESTART_PAUSE_S):
                await stop.wait()
    return False


async def _prepare(dsn: str, vault: "Vault", demo: bool) -> None:
    if demo:
        await _load_demo(dsn, vault)
    await _seal_carriers(dsn, vault)


async def _seal_carriers(dsn: str, vault: "Vault") -> None:
    from homing.admin.carrier_secrets import seal_stored
    from homing.store.database import FREE_PLANS, Database

    database = Database(dsn=dsn, connections_max=1, plans=FREE_PLANS)
    try:
        await database.open()
        await seal_stored(database, vault)
    finally:
        await database.close()


async def _tell_restarted(dsn: str) -> None:
    """An alarm, which whoever reads alarms no longer shows after a while."""
    from homing.store.alarms import DATABASE, RESTARTED, raise_alarm
    from homing.store.database import Database

    database = Database(dsn=dsn, connections_max=1)
    with contextlib.suppress(errors.PlatformFailure):
        await database.open()
        await raise_alarm(database, DATABASE, RESTARTED)
    await database.close()


def _local_demo(settings: "Settings") -> "Settings":
    """Of a demo that this machine alone can reach: it may push to this machine, where everybody's first receiver of
    reports runs. What the operator has set himself stands.
    """
    from homing import config

    addresses = [
        address for address in (settings.http.address, settings.smpp.address, settings.console.address) if address
    ]
    is_local = all(config.host_port(address)[0] in LOOPBACK for address in addresses)
    if settings.push.allowed_networks or not is_local:
        return settings
    os.environ["HOMING_PUSH_ALLOWED_NETWORKS"] = ",".join(LOOPBACK_NETWORKS)  # the children read it there
    return replace(settings, push=replace(settings.push, allowed_networks=[*LOOPBACK_NETWORKS]))


async def _load_demo(dsn: str, vault: "Vault") -> None:
    from homing import demo
    from homing.dialects.registry import DIALECTS
    from homing.store.database import FREE_PLANS, Database

    database = Database(dsn=dsn, connections_max=1, plans={**FREE_PLANS, "homing.actor": demo.AUTHOR})
    await database.open()
    try:
        await demo.load(database, vault, DIALECTS)
    except errors.InvalidInput:
        click.echo("The database is not empty, so the demo data is not loaded.")
    finally:
        await database.close()


def _risks(settings: "Settings", host: str, root_reason: str) -> Iterator[str]:
    """Settings that are right for some and dangerous for others, said aloud."""
    from homing import config

    if root_reason:
        yield f"the processes run as root: {root_reason}"
    if host not in LOOPBACK:
        yield f"{host} is reachable from outside over plain HTTP: add a TLS proxy, and lock the demo account"
    console = settings.console
    if console.address and not console.url and config.host_port(console.address)[0] not in LOOPBACK:
        yield f"{console.address}, the console, is reachable from outside over plain HTTP: add a TLS proxy"
    smpp = settings.smpp.address
    is_plain = not settings.smpp.tls_key or settings.smpp.tls_address
    if smpp and is_plain and config.host_port(smpp)[0] not in LOOPBACK:
        yield f"{smpp} is reachable from outside over SMPP without TLS: set smpp.tls_certificate and smpp.tls_key"
    if settings.push.allowed_networks and tuple(settings.push.allowed_networks) != LOOPBACK_NETWORKS:
        networks = ", ".join(settings.push.allowed_networks)
        yield f"customers can make Homing send requests to {networks} (push.allowed_networks)"
    if any(network.endswith("/0") for network in settings.http.trusted_proxies):
        yield "http.trusted_proxies contains all addresses, so anyone can bypass IP allow lists"


async def _database_risks(dsn: str, is_embedded: bool) -> Sequence[str]:
    """That the database's role may do more than Homing needs. Nothing when the database does not say."""
    from homing.store.database import Database

    database = Database(dsn=dsn, connections_max=1)
    try:
        await database.open()
        is_superuser = await statements.observe.is_superuser(database)
    except errors.PlatformFailure:
        is_superuser = False
    finally:
        await database.close()
    if not is_superuser:
        return ()
    if is_embedded:
        return (
            "the database role is a superuser, because the database was created by an earlier release: anyone with "
            "access to it can run programs as its user. A new data folder uses a role with fewer privileges",
        )
    return (
        "the role of HOMING_DATABASE_URL is a superuser: anyone with access to it can run programs on the database "
        "host. Homing only needs a role that owns its database",
    )


def _check_addresses(settings: "Settings") -> None:
    """Before anything is set up for them. Raises `InvalidInput` that says how to take another."""
    from homing import config

    for address, option in (
        (settings.http.address, "--http"),
        (settings.smpp.address, "--smpp"),
        (settings.smpp.address and settings.smpp.tls_address, "smpp.tls_address"),
        (settings.console.address, "--console"),
    ):
        if address:
            try:
                _check_free(*config.host_port(address))
            except errors.InvalidInput as error:
                raise errors.InvalidInput(f"{error}; another address: {option} HOST:PORT") from None


def _check_free(host: str, port: int) -> None:
    """Several processes share the address, so none of them would notice that a stranger has it. Raises when so."""
    if port == 0:
        raise errors.InvalidInput("port 0 cannot be served: give a port from 1 to 65535")
    try:
        for family, kind, protocol, _name, target in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(target)
    except OSError as error:
        raise errors.InvalidInput(f"{host}:{port} cannot be served: {error.strerror or error}") from None


@contextlib.contextmanager
def _only_server(data: Path) -> Iterator[None]:
    """Holds the data folder's serve lock, which the kernel lets go of with us. Raises when another holds it."""
    import fcntl

    with open(open_private(data / "serve.lock", os.O_RDWR | os.O_APPEND), "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise errors.InvalidInput(
                f"Homing already serves {data} (process {lock.read().strip() or 'unknown'})"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
