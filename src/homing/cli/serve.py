"""`homing serve` and `homing migrate`."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from homing import errors, limits
from homing.cli.desk import data_option, database_url, in_one_line, json_option
from homing.cli.show import Said, print_reply

if TYPE_CHECKING:
    from homing.config import Settings
    from homing.kit.crypto import Vault

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.option("--demo", is_flag=True, help="Fill an empty database with the demo account and two simulated carriers.")
@data_option
@click.option("--http", metavar="HOST:PORT", help="Where the customers' APIs are served.  [default: 127.0.0.1:8080]")
@click.option("--smpp", metavar="HOST:PORT", help="Where customers bind; '' for nowhere.  [default: 127.0.0.1:2775]")
@click.option("--console", metavar="HOST:PORT", help="Where people look; '' for nowhere.  [default: 127.0.0.1:8081]")
def serve(demo: bool, data: Path, http: str | None, smpp: str | None, console: str | None) -> None:
    """Run Homing: database, customers' APIs, SMPP server, carriers, receipts, pushes and the console.

    Without HOMING_DATABASE_URL a PostgreSQL of its own is started, with its data under --data. Stop it with Ctrl-C
    or SIGTERM: it takes no new work, finishes what is under way, and ends with status 0.

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

    data = data.resolve()
    with in_one_line():
        data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        with _only_server(data), database_url(data) as dsn:
            code = asyncio.run(_serve(data, dsn, config.load(data), demo))
    raise SystemExit(code)


@click.command()
@data_option
@json_option
def migrate(data: Path, as_json: bool) -> None:
    """Bring the database to this release's schema. `homing serve` does it by itself.

    \b
    Example:  HOMING_DATABASE_URL=postgresql://homing@db/homing homing migrate
    """
    from homing.store import migrate as migrations

    with in_one_line(), database_url(data) as dsn:
        applied = asyncio.run(migrations.migrate(dsn))
    said = "\n".join(f"applied {name}" for name in applied) or "nothing to do"
    print_reply(Said(said, {"applied": applied}), as_json)


async def _serve(data: Path, dsn: str, settings: "Settings", demo: bool) -> int:
    from homing import config
    from homing.kit.crypto import Vault, load_key
    from homing.observe import logs
    from homing.store import migrate as migrations
    from homing.supervise import Supervisor

    logs.start(settings.log.level, settings.log.format, "serve")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host, port = config.host_port(settings.http.address)
    _check_free(host, port)
    console = settings.console
    for place in (settings.smpp.address, settings.smpp.address and settings.smpp.tls_address, console.address):
        if place:
            _check_free(*config.host_port(place))
    await migrations.migrate(dsn)
    vault = Vault(load_key(os.environ.get("HOMING_SECRET_KEY", ""), data / "secret.key"))
    if demo:
        await _load_demo(dsn, vault)
    api_workers = settings.http.workers or max(1, min((os.cpu_count() or 1) // 2, limits.API_WORKERS_AUTO_MAX))
    workers = {"link": settings.link.workers, "api": api_workers, "console": 1 if console.address else 0}
    supervisor = Supervisor(workers, data, dsn)
    starting = asyncio.get_running_loop().create_task(supervisor.start())
    stopping = asyncio.get_running_loop().create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    await starting
    address = f"http://{'[' + host + ']' if ':' in host else host}:{port}"
    binds = settings.smpp.address if settings.link.workers else ""
    if binds and settings.smpp.tls_address:
        binds += f", with TLS on {settings.smpp.tls_address}"
    looks = await _console_greeting(dsn, console.reached_at) if console.address else ""
    click.echo(await _greeting(dsn, address, binds, looks))
    for warning in _risks(settings, host):
        click.echo(f"Take care: {warning}", err=True)
    await stopping
    click.echo("Stopping: no new work, finishing what is under way ...")
    return await supervisor.stop()


async def _load_demo(dsn: str, vault: "Vault") -> None:
    from homing import demo
    from homing.store.database import FREE_PLANS, Database

    database = Database(dsn, connections_max=1, plans={**FREE_PLANS, "homing.actor": demo.AUTHOR})
    await database.open()
    try:
        await demo.load(database, vault)
    except errors.OperatorError:
        click.echo("The database is not empty: it is served as it is, the demo is not loaded again.")
    finally:
        await database.close()


async def _console_greeting(dsn: str, url: str) -> str:
    """Where the console is; while nobody is its operator, the one-time link that makes the first one."""
    from homing.store.database import Database
    from homing.users.admin import has_operator
    from homing.users.links import make_link

    database = Database(dsn, connections_max=1)
    await database.open()
    try:
        async with database.transaction() as transaction:
            if await has_operator(transaction):
                return f"Look at it on {url}"
            token = await make_link(transaction, None)
    finally:
        await database.close()
    hours = round(limits.CONSOLE_LINK_S / 3600)
    return f"Look at it on {url}: within {hours} hours, once, become its operator by\n  {url}/welcome/{token}"


async def _greeting(dsn: str, address: str, smpp: str, console: str) -> str:
    """What a newcomer needs: where it runs, and lines to paste. Keys are shown only if they are the demo's."""
    from homing import demo
    from homing.kit.crypto import laaffic_sign
    from homing.model import Door
    from homing.store.database import Database

    database = Database(dsn, connections_max=1)
    await database.open()
    found = await database.fetch("credentials_find", [Door.LIA], [demo.LIA_KEY])
    await database.close()
    lines = [f"\nHoming serves {address}    (health: {address}/healthz, metrics: {address}/metrics)"]
    if smpp:
        lines.append(f"Customers bind over SMPP 3.4 on {smpp}")
    if console:
        lines.append(console)
    if not found:
        return "\n".join([*lines, "\nMake an account:  homing account create NAME; homing --help shows the rest.\n"])
    timestamp = str(int(time.time()))
    sign = laaffic_sign(demo.LAAFFIC_KEY, demo.LAAFFIC_SECRET, timestamp)
    signed = f"-H 'Api-Key: {demo.LAAFFIC_KEY}' -H 'Timestamp: {timestamp}' -H 'Sign: {sign}'"
    lia = f"api_id={demo.LIA_KEY}&api_password={demo.LIA_PASSWORD}"
    return "\n".join(
        [
            *lines,
            "\nSend with the lia dialect, and ask what became of it (a number ending in 0001 is delivered at once):",
            f"  curl '{address}/api/SendSMS?{lia}&sms_type=T&encoding=T&sender_id=LIASMART"
            "&phonenumber=8613800130001&textmessage=Your+code+is+123456&uid=first'",
            f"  curl '{address}/api/GetDeliveryStatus?{lia}&uid=first'",
            "\nThe same with the laaffic dialect (a signature holds for 30 minutes):",
            f"  curl {signed} {address}/v3/getBalance",
            f"  curl {signed} {address}/v3/sendSms"
            f' -d \'{{"appId":"{demo.APP_ID}","numbers":"8613800130001","content":"Your code is 123456"}}\'',
            *(
                [
                    "\nOver SMPP, as transmitter, receiver or transceiver:",
                    f"  system_id {demo.LAAFFIC_KEY}, password {demo.LAAFFIC_SECRET}, source_addr {demo.SENDERS[0]}",
                ]
                if smpp
                else ()
            ),
            "\nWhat happened to a message, step by step:  homing message show ID      Stop: Ctrl-C\n",
        ]
    )


def _risks(settings: "Settings", host: str) -> Iterator[str]:
    """Settings that are right for some and dangerous for others, said aloud."""
    from homing import config

    if host not in LOOPBACK:
        yield f"{host} is reachable from outside in plain HTTP: put TLS before it, and lock the demo account"
    console = settings.console
    if console.address and not console.url and config.host_port(console.address)[0] not in LOOPBACK:
        yield f"{console.address}, the console, is reachable from outside in plain HTTP: put TLS before it"
    smpp = settings.smpp.address
    is_plain = not settings.smpp.tls_key or settings.smpp.tls_address
    if smpp and is_plain and config.host_port(smpp)[0] not in LOOPBACK:
        yield f"{smpp} is reachable from outside in plain SMPP: set smpp.tls_certificate and smpp.tls_key"
    if settings.push.allowed_networks:
        yield f"customers can make Homing post to {', '.join(settings.push.allowed_networks)} (push.allowed_networks)"
    if any(network.endswith("/0") for network in settings.http.trusted_proxies):
        yield "http.trusted_proxies holds everybody, so anybody can pass any allow-list"


def _check_free(host: str, port: int) -> None:
    """Several processes share the address, so none of them would notice that a stranger has it. Raises when so."""
    if port == 0:
        raise errors.OperatorError("port 0 is no address to serve on: name a port from 1 to 65535")
    try:
        for family, kind, protocol, _name, target in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(target)
    except OSError as error:
        raise errors.OperatorError(f"{host}:{port} cannot be served: {error.strerror or error}") from None


@contextlib.contextmanager
def _only_server(data: Path) -> Iterator[None]:
    """Holds the data folder's serve lock, which the kernel lets go of with us. Raises when another holds it."""
    import fcntl

    with (data / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise errors.OperatorError(
                f"Homing already serves {data} (process {lock.read().strip() or 'unknown'})"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
