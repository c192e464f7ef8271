"""Kannel, the C gateway that Homing is measured against: on loopback, set up to be as fast as it can be.

Fairness: no access log, only panics are logged, no receipts, no throughput limit; smsbox answers after
bearerbox has taken the message (its default), because no other answer promises anything. The one carrier
connection waits for a carrier that never comes: messages are stored and queued, and accepting has no rival.
What is stored is not fsynced: Kannel has no setting for that.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from bench.load import closed_loop
from bench.machine import cpu_seconds
from bench.requests import kannel_send
from bench.tally import Result

Store = Literal["spool", "file"]
"""file: appended to one file, and held in memory besides; Kannel's default, and the one that accepts faster.
spool: a file a message, in 100 folders; more CPU a message, and slower again on a disk with other work."""

START_S = 10.0
STOP_S = 10.0

CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = bench
admin-allow-ip = 127.0.0.1
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
log-level = 4
store-type = {store}
store-location = {location}
sms-outgoing-queue-limit = 100000000
dlr-storage = {receipts}

{carrier}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {send}
log-level = 4

group = sendsms-user
username = bench
password = bench
"""

NOBODY = """
group = smsc
smsc = fake
smsc-id = nobody
port = {port}
connect-allow-ip = 127.0.0.1
"""
"""A carrier that never comes."""
SMPP = """
group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = bench
smsc-password = secret
system-type = bench
"""
"""One SMPP link with a wide window."""
POSTGRESQL = """
group = pgsql-connection
id = receipts
host = {host}
port = {port}
username = {user}
password = {password}
database = {database}
max-connections = 8

group = dlr-db
id = receipts
table = dlr
field-smsc = smsc
field-timestamp = ts
field-source = source
field-destination = destination
field-service = service
field-url = url
field-mask = mask
field-status = status
field-boxc-id = boxc
"""
RECEIPTS_TABLE = """
CREATE TABLE dlr (oid bigserial PRIMARY KEY, smsc varchar(40), ts varchar(40), source varchar(40),
    destination varchar(40), service varchar(40), url varchar(255), mask int, status int, boxc varchar(40));
CREATE INDEX ON dlr (smsc, ts);
"""
"""It deletes and updates by `oid`, which PostgreSQL no longer gives by itself, and asks by what the index has: both are
what a careful operator adds."""


class KannelError(RuntimeError):
    """Kannel is not installed, or did not start."""


class Kannel:
    """bearerbox and smsbox, each one process in the foreground; all that they write is under `folder`."""

    def __init__(
        self, folder: Path, store: Store = "file", smsc_port: int | None = None, receipts_dsn: str | None = None
    ) -> None:
        """`smsc_port`: where its one carrier is bound to over SMPP; None: messages are stored and queued.
        `receipts_dsn`: the PostgreSQL in which it keeps which receipts it waits for; None: in memory alone.
        """
        self._folder = folder
        self._smsc_port = smsc_port
        self._store: Store = store
        self._receipts_dsn = receipts_dsn
        self._processes: list[subprocess.Popen[bytes]] = []
        self._admin = 0
        self.address = ("127.0.0.1", 0)
        self.send_path = "/cgi-bin/sendsms?username=bench&password=bench&from=HOMING&to="
        """Path and query up to the receiver's number."""

    @staticmethod
    def available() -> bool:
        return all(_binary(name) for name in ("bearerbox", "smsbox"))

    def __enter__(self) -> Self:
        if not self.available():
            raise KannelError("kannel is not installed (Debian: apt-get install kannel)")
        self._admin, boxes, carrier, send = _free_ports(4)
        self.address = ("127.0.0.1", send)
        spool = self._folder / "store"
        spool.mkdir(parents=True)
        configuration = self._folder / "kannel.conf"
        configuration.write_text(
            CONFIGURATION.format(
                admin=self._admin,
                boxes=boxes,
                carrier=NOBODY.format(port=carrier) if self._smsc_port is None else SMPP.format(port=self._smsc_port),
                send=send,
                store=self._store,
                location=spool if self._store == "spool" else spool / "messages",
                receipts="internal" if self._receipts_dsn is None else "pgsql",
            )
            + ("" if self._receipts_dsn is None else _postgresql(self._receipts_dsn))
        )
        try:
            self._start("bearerbox", configuration)
            self._until("bearerbox runs", lambda: "Status: running" in self._status())
            self._start("smsbox", configuration)
            self._until("smsbox is connected", lambda: "smsbox:" in self._status() and _listens(self.address))
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def queued(self) -> int:
        """Messages in the store, as bearerbox counts them."""
        return int(self._status().rpartition("store size ")[2].split()[0])

    def _start(self, name: str, configuration: Path) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen([_binary(name), "-v", "4", str(configuration)], stdout=log, stderr=log)
            )

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + START_S
        while not holds():
            if time.monotonic() > deadline_s or any(process.poll() is not None for process in self._processes):
                logs = "\n".join(log.read_text(errors="replace")[-500:] for log in self._folder.glob("*.log"))
                raise KannelError(f"waited in vain until {what}: {logs}")
            time.sleep(0.05)

    def _status(self) -> str:
        connection = HTTPConnection("127.0.0.1", self._admin, timeout=5)
        try:
            connection.request("GET", "/status.txt?password=bench")
            return connection.getresponse().read().decode()
        except OSError:
            return ""
        finally:
            connection.close()

    def _stop(self) -> None:
        """smsbox first, so that it does not look for its bearerbox; a process that will not end is killed."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()


async def kannel_accept_rate(
    kannel: Kannel, duration_s: float = 5.0, warmup_s: float = 1.0, connections: int = 64
) -> tuple[Result, float]:
    """How fast Kannel says yes, one number a request; and what a yes costs it, in microseconds of its CPU.

    It answers 202 with "0: Accepted for delivery" or "3: Queued for later delivery": both count.
    Raises KannelError when its store holds fewer messages than it said yes to.
    """
    queued = kannel.queued()
    before_s = cpu_seconds(kannel.pids)
    result = await closed_loop(
        kannel.address,
        kannel_send(kannel.send_path),
        connections,
        duration_s,
        warmup_s,
        expect=b" delivery",
        status=202,
    )
    cpu_s = cpu_seconds(kannel.pids) - before_s
    stored = kannel.queued() - queued
    if stored < result.accepted:
        raise KannelError(f"{result.accepted} messages were accepted, {stored} are in the store")
    return result, cpu_s / result.accepted * 1e6 if result.accepted else 0.0


def _postgresql(dsn: str) -> str:
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    return POSTGRESQL.format(
        host=query.get("host", [parts.hostname])[0],
        port=query.get("port", [parts.port or 5432])[0],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/"),
    )


def _binary(name: str) -> str:
    """Debian keeps both under sbin, which is not on everyone's PATH. Empty when there is none."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(name, path=path) or ""


def _free_ports(wanted: int) -> list[int]:
    """Loopback ports that are free now: all held at once, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(wanted)]
    try:
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True
