"""A customer whose addresses take pushes and never answer, or whose names no name server ever answers for, delays
nobody else's pushes and no carrier: real processes, sockets and look-ups.

The processes have a hosts file and a name server of their own, which stays silent: a mount namespace with other files
in place of `/etc/hosts` and `/etc/resolv.conf`.
"""

import asyncio
import contextlib
import itertools
import json
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web

from homing.admin import carriers, routes
from homing.routing.rules import RouteScope
from tests.support.server import Account, Server, free_port, migrated_database, running
from tests.support.waiting import until

NAME_PORT = 53
"""What resolv.conf means: it cannot name another."""
RECEIVER, VENDOR = "receiver.bee.test", "vendor.bee.test"
QUICK, VENDORS = "8611", "8622"
"""Numbers of a simulated carrier that reports at once (but for some endings), and of the HTTP vendor."""
GREEDY = 4
"""Accounts at a tarpit, each with an address of its own: more than there are shares of the places."""
GREEDY_MESSAGES = 500
NAMES = 600
DOMAINS = 60
SENDS_PER_S = 8.0
SPAN_S = 12.0
"""Longer than addresses of names are kept: each span has look-ups of its own."""
P95_S_MAX = 2.0
CARRIER_P95_S_MAX = 1.0
UNDISTURBED_FACTOR = 3.0
"""How much later than undisturbed a customer may be: on a busy machine that is more than the seconds above."""


class SilentNames(asyncio.DatagramProtocol):
    """A name server that hears every question and answers none."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def datagram_received(self, data: bytes, _address: object) -> None:
        self.asked.append(data)


class Tarpit:
    """A server that accepts, reads, and never answers."""

    def __init__(self) -> None:
        self.held = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        hosts = [f"127.0.0.{n}" for n in range(1, GREEDY + 1)]
        self._server = await asyncio.start_server(self._hold, hosts, free_port())
        self.urls = [f"http://{host}:{self._server.sockets[0].getsockname()[1]}/never" for host in hosts]
        return self

    async def __aexit__(self, *_why: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.held += 1
        self._writers.add(writer)
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


@dataclass
class Bee:
    """The other customer: a receiver that answers at once, and a vendor over HTTP by whom its messages go. Both close
    each connection, so that there is always a new one to make. Times are this process's, in seconds.
    """

    sent_s: dict[str, float] = field(default_factory=dict)
    carried_s: dict[str, float] = field(default_factory=dict)
    pushed_s: dict[str, float] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/vendor", self._carry)
        application.router.add_post("/receiver", self._receive)
        self._runner = web.AppRunner(application, access_log=None, keepalive_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_why: object) -> None:
        await self._runner.cleanup()

    async def _carry(self, request: web.Request) -> web.Response:
        number = request.query["to"]
        self.carried_s.setdefault(number, time.monotonic())
        return _closing({"status": "S", "id": f"v{number}"})

    async def _receive(self, request: web.Request) -> web.Response:
        self.pushed_s.setdefault(str((await request.json())["PhoneNumber"]).lstrip("+"), time.monotonic())
        return _closing({})

    async def send(self, server: Server, account: Account) -> str:
        number = f"{VENDORS}{next(self._numbers):07d}"
        self.sent_s[number] = time.monotonic()
        reply = await server.client.lia(
            account,
            "SendSMS",
            sms_type="T",
            sender_id=account.sender,
            phonenumber=number,
            textmessage="code",
            callback_url=f"http://{RECEIVER}:{self.port}/receiver",
        )
        assert reply.json["status"] == "S", reply.text
        return number


def _closing(body: dict[str, str]) -> web.Response:
    response = web.json_response(body)
    response.force_close()
    return response


@dataclass(frozen=True)
class Figures:
    """What a span of the other customer's messages took, in seconds: from our call to the vendor's request, and from
    there to the push.
    """

    messages: int
    carrier_p50: float
    carrier_p95: float
    push_p50: float
    push_p95: float
    push_max: float


def _quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    cuts = statistics.quantiles(values, n=20)
    return statistics.median(values), cuts[18], max(values)


async def measured(server: Server, account: Account, bee: Bee, what: str) -> Figures:
    """A span's messages; all of them have come to the vendor, and their pushes to the receiver, within half a minute.
    Else they count as having come then.
    """
    began_s, numbers = time.monotonic(), []
    while time.monotonic() - began_s < SPAN_S:
        numbers.append(await bee.send(server, account))
        await asyncio.sleep(1 / SENDS_PER_S)
    with contextlib.suppress(AssertionError):
        await until(lambda: all(number in bee.pushed_s for number in numbers), within_s=30)
    now_s = time.monotonic()
    carried = [bee.carried_s.get(number, now_s) - bee.sent_s[number] for number in numbers]
    pushed = [bee.pushed_s.get(number, now_s) - bee.carried_s.get(number, bee.sent_s[number]) for number in numbers]
    carrier, push = _quantiles(carried), _quantiles(pushed)
    figures = Figures(len(numbers), carrier[0], carrier[1], *push)
    sys.stdout.write(f"{what}: {figures}\n")  # seen with -s
    return figures


def bear(figures: Figures, undisturbed: Figures) -> None:
    assert figures.push_p95 < max(P95_S_MAX, UNDISTURBED_FACTOR * undisturbed.push_p95), (figures, undisturbed)
    assert figures.carrier_p95 < max(CARRIER_P95_S_MAX, UNDISTURBED_FACTOR * undisturbed.carrier_p95), (
        figures,
        undisturbed,
    )


@pytest.fixture(scope="module")
async def names(room: Path) -> AsyncIterator[tuple[SilentNames, list[str]]]:
    """The silent name server, and the command that gives a process it and our hosts."""
    address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
    loop = asyncio.get_running_loop()
    try:
        transport, silent = await loop.create_datagram_endpoint(SilentNames, local_addr=(address, NAME_PORT))
    except OSError as error:
        pytest.skip(f"no name server can be had on port {NAME_PORT}: {error}")
    folder = room / "names"
    folder.mkdir()
    (folder / "hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()} {RECEIVER} {VENDOR}\n")
    (folder / "resolv.conf").write_text(f"nameserver {address}\n")
    mounts = " && ".join(f"mount --bind {folder / name} /etc/{name}" for name in ("hosts", "resolv.conf"))
    under = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*under, "true"], capture_output=True, check=False).returncode:
        transport.close()
        pytest.skip("no mount namespace of its own can be had, so no other name server for the processes")
    yield silent, under
    transport.close()


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str, names: tuple[SilentNames, list[str]]) -> AsyncIterator[Server]:
    data = room / f"starved-{worker}"
    data.mkdir()
    async with running(await migrated_database(postgres, f"starved_{worker}"), data, under=names[1]) as made:
        yield made


@pytest.fixture(scope="module")
async def bee(server: Server) -> AsyncIterator[Bee]:
    async with Bee() as made:
        certain = {"submit_ms": 0, "receipt_ms_mean": 0, "undeliverable": 0, "expired": 0}
        vendor: dict[str, Any] = {
            "method": "GET",
            "url": f"http://{VENDOR}:{made.port}/vendor",
            "query": {"to": "{number}", "text": "{text}"},
            "reply": {"rules": [{"outcome": "accepted", "at": "status", "values": ["S"]}], "ref": {"at": "id"}},
        }
        async with server.database.transaction() as transaction:
            for prefix, kind, settings in ((QUICK, "simulator", certain), (VENDORS, "http", vendor)):
                carrier_id = await carriers.add_carrier(transaction, f"to-{prefix}", kind, json.dumps(settings))
                await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=carrier_id)
        await server.settled()
        yield made


@pytest.fixture(scope="module")
async def customer(server: Server, bee: Bee) -> Account:
    return await server.account(balance="1000")


@pytest.fixture(scope="module")
async def undisturbed(server: Server, customer: Account, bee: Bee) -> Figures:
    return await measured(server, customer, bee, "undisturbed")


async def test_addresses_that_never_answer_delay_nobody_elses_pushes(
    server: Server, customer: Account, bee: Bee, undisturbed: Figures
) -> None:
    async with Tarpit() as tarpit:
        greedy = [await server.account(balance="1000", report_url=url) for url in tarpit.urls]
        for n, account in enumerate(greedy):
            numbers = ",".join(f"{QUICK}{n}{m:05d}9" for m in range(GREEDY_MESSAGES))
            reply = await server.client.laaffic(
                account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": numbers, "content": "x"}
            )
            assert reply.json["status"] == "0", reply.text
        await until(lambda: tarpit.held > GREEDY)
        bear(await measured(server, customer, bee, "tarpit"), undisturbed)
        ids = [account.account_id for account in greedy]
        waiting = await server.query_row(
            "SELECT count(*) FROM push WHERE account_id = ANY($1) AND due_at IS NOT NULL", ids
        )
        assert waiting["count"] == GREEDY * GREEDY_MESSAGES, "all of them stand yet"


async def test_names_that_never_resolve_delay_nobody_elses_pushes(
    server: Server, customer: Account, bee: Bee, names: tuple[SilentNames, list[str]], undisturbed: Figures
) -> None:
    """Each below a domain of another owner, so that none of them becomes known for it by the others."""
    greedy = await server.account(balance="1000")

    async def send(n: int) -> None:
        reply = await server.client.lia(
            greedy,
            "SendSMS",
            sms_type="T",
            sender_id=greedy.sender,
            phonenumber=f"{QUICK}8{n:05d}9",
            textmessage="x",
            callback_url=f"http://n{n}.slow{n % DOMAINS}.test/never",
        )
        assert reply.json["status"] == "S", reply.text

    for first in range(0, NAMES, 50):
        await asyncio.gather(*map(send, range(first, first + 50)))
    await until(lambda: len(names[0].asked) > 0)
    bear(await measured(server, customer, bee, "names"), undisturbed)
    assert not [asked for asked in names[0].asked if b"bee" in asked]
    assert len({asked[12:] for asked in names[0].asked}) > 3, "they were looked up"
