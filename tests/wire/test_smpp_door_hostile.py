"""What a port on the internet meets: garbage, silence, guesses. Nothing of it may disturb a customer."""

import asyncio
import resource
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homing import limits
from homing.api.smpp.listener import BIND_FILES_RESERVED, BIND_UNBOUND_CONNECTIONS_MAX
from homing.smpp import pdus
from homing.smpp.codec import PduDecoder, encode
from homing.smpp.pdus import Pdu
from homing.smpp.session import SMPP_FIRST_OCTET_S
from homing.smpp.statuses import CommandStatus
from homing.smpp.timers import SMPP_SESSION_INIT_S
from tests.support.esme import bound, refused, submit
from tests.support.server import Account, Process, Server, free_port, migrated_database, running
from tests.support.tls import contexts
from tests.support.waiting import in_time, stays, until

DELIVERED = "8613800130001"
HERE = "127.0.0.9"
"""Where the guesses come from, which the other tests do not."""


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    """A server of its own, whose log is looked through at the end."""
    data = room / f"hostile-smpp-{worker}"
    data.mkdir()
    async with running(await migrated_database(postgres, f"hostile_smpp_{worker}"), data) as made:
        yield made
        assert "Traceback" not in made.logs
        made.log_lines()


@pytest.fixture
def smpp(server: Server) -> str:
    return server.environment["HOMING_SMPP_ADDRESS"]


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account()


async def all_that_comes(reader: asyncio.StreamReader) -> list[Pdu]:
    async with in_time():
        octets = await reader.read()
    answers: list[Any] = PduDecoder().feed(octets)
    return [pdu for _sequence, pdu in answers]


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0\0\0\0" + b"x" * 100,
        b"\xff\xff\xff\xff",
        struct.pack(">IIII", 5_000, 9, 0, 1),
        bytes(range(256)) * 40,
    ],
)
async def test_garbage_is_nacked_and_the_connection_closed(smpp: str, garbage: bytes) -> None:
    reader, writer = await asyncio.open_connection(*smpp.split(":"))
    writer.write(garbage)
    assert pdus.GenericNack(status=CommandStatus.RINVCMDLEN) in await all_that_comes(reader)
    writer.close()


async def test_a_connection_that_never_binds_is_closed_and_a_bound_one_is_not(smpp: str, account: Account) -> None:
    async with bound(smpp, account.key, account.secret) as esme:
        began_s = time.monotonic()
        mute = [await asyncio.open_connection(*smpp.split(":")) for _ in range(50)]
        slow = [await asyncio.open_connection(*smpp.split(":")) for _ in range(50)]
        for _reader, writer in slow:
            writer.write(encode(pdus.BindTransceiver(account.key, account.secret), 1)[:10])
        for connections, after_s in ((mute, SMPP_FIRST_OCTET_S), (slow, SMPP_SESSION_INIT_S)):
            for reader, writer in connections:
                assert await all_that_comes(reader) == []
                writer.close()
            assert after_s - 2 < time.monotonic() - began_s < after_s + 4
        await esme.sent(DELIVERED)


FLOODS = {
    "enquire_link": pdus.EnquireLink(),
    "stray responses": pdus.SubmitSmResp("1"),
    "submits": submit(DELIVERED),
}


async def flood(smpp: str, pdu: Pdu, count: int, *before: bytes) -> None:
    """As much of it as is taken until the connection ends; what is answered is read and thrown away."""
    reader, writer = await asyncio.open_connection(*smpp.split(":"))
    reading = asyncio.ensure_future(reader.read())
    octets = b"".join(encode(pdu, number) for number in range(1, 1_001))
    try:
        writer.write(b"".join(before))
        for _ in range(count // 1_000):
            writer.write(octets)
            await writer.drain()
        async with in_time():
            await reading
    except ConnectionError:
        pass
    finally:
        reading.cancel()
        writer.close()


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_of_a_stranger_ends_at_once_and_delays_no_customer(
    server: Server, smpp: str, account: Account, kind: str
) -> None:
    carriers = await server.query("SELECT name, owner FROM carrier_session JOIN carrier USING (carrier_id) ORDER BY 1")
    async with bound(smpp, account.key, account.secret) as customer:
        floods = [asyncio.ensure_future(flood(smpp, FLOODS[kind], 100_000)) for _ in range(10)]
        slowest_s = 0.0
        for _ in range(20):
            began_s = time.monotonic()
            await customer.sent(DELIVERED)
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        await asyncio.gather(*floods)
    assert slowest_s < 2.0
    assert carriers == await server.query(
        "SELECT name, owner FROM carrier_session JOIN carrier USING (carrier_id) ORDER BY 1"
    )
    assert "carrier_leases_lost" not in server.logs


async def test_a_flood_of_a_customer_ends_its_bind_and_delays_no_other(
    server: Server, smpp: str, account: Account
) -> None:
    hostile = await server.account()
    bind = encode(pdus.BindTransceiver(hostile.key, hostile.secret), 1)
    async with bound(smpp, account.key, account.secret) as customer:
        floods = [asyncio.ensure_future(flood(smpp, pdus.EnquireLink(), 100_000, bind)) for _ in range(3)]
        for _ in range(20):
            began_s = time.monotonic()
            await customer.sent(DELIVERED)
            assert time.monotonic() - began_s < 2.0
        await asyncio.gather(*floods)
    await until(lambda: "asked and answered too much" in server.logs)
    metrics = await until(
        lambda: server.client.call("GET", "/metrics"), lambda seen: 'reason="flood"' in seen.text, within_s=10
    )
    assert metrics.status == 200


async def test_strangers_that_never_bind_keep_no_customer_out(server: Server, smpp: str, account: Account) -> None:
    """More connections than strangers may have: the oldest of the address with the most go."""
    async with bound(smpp, account.key, account.secret):
        pass
    host, port = smpp.split(":")
    strangers = []
    for n in range(BIND_UNBOUND_CONNECTIONS_MAX + 200):
        source = f"127.0.1.{1 + n % 5}"
        strangers.append(await asyncio.open_connection(host, int(port), local_addr=(source, 0)))
    try:
        began_s = time.monotonic()
        async with bound(smpp, account.key, account.secret, source="127.0.2.1") as customer:
            await customer.sent(DELIVERED)
        assert time.monotonic() - began_s < 3
    finally:
        for _reader, writer in strangers:
            writer.close()


@pytest.mark.parametrize("door", ["plain", "tls"])
async def test_strangers_keep_no_customer_out_where_files_are_few(
    server: Server, account: Account, tmp_path: Path, door: str
) -> None:
    """As where a process may open 1,024 files: that is fewer than strangers may have connections or handshakes."""
    contexts(tmp_path)
    certificate = str(tmp_path / "certificate.pem")
    addresses = {"plain": f"127.0.0.1:{free_port()}", "tls": f"127.0.0.1:{free_port()}"}
    settings = {
        "HOMING_SMPP_ADDRESS": addresses["plain"],
        "HOMING_SMPP_TLS_ADDRESS": addresses["tls"],
        "HOMING_SMPP_TLS_CERTIFICATE": certificate,
        "HOMING_SMPP_TLS_KEY": certificate,
    }
    name = f"smpp-few-{door}"
    process = await Process.start("smpp", name, server.data / f"{name}.log", {**server.environment, **settings})
    server.processes.append(process)
    few = BIND_FILES_RESERVED + 100
    resource.prlimit(process.process.pid, resource.RLIMIT_NOFILE, (few, few))
    await process.ready()
    host, port = addresses[door].split(":")
    strangers = [
        await asyncio.open_connection(host, int(port), local_addr=(f"127.0.1.{1 + n % 5}", 0)) for n in range(500)
    ]
    try:
        async with bound(addresses["plain"], account.key, account.secret, source="127.0.2.2") as customer:
            await customer.sent(DELIVERED)
            open_files = len(list(Path(f"/proc/{process.process.pid}/fd").iterdir()))
            assert open_files < few - BIND_FILES_RESERVED // 2
    finally:
        for _reader, writer in strangers:
            writer.close()


async def test_guesses_of_an_address_are_slowed_down_and_then_refused_unseen(
    server: Server, smpp: str, account: Account
) -> None:
    """A customer of the same address, who has bound before, is not touched."""
    async with bound(smpp, account.key, account.secret, source=HERE) as customer:
        stranger = await server.account()
        began_s = time.monotonic()
        first = [await refused(smpp, stranger.key, f"wrong-{n}", source=HERE) for n in range(3)]
        assert first == [CommandStatus.RINVPASWD] * 3
        assert time.monotonic() - began_s >= 0.5 + 1.0
        storm = await asyncio.gather(*(refused(smpp, f"user{n}", "x", source=HERE) for n in range(60)))
        assert set(storm) <= {CommandStatus.RINVPASWD, CommandStatus.RBINDFAIL, CommandStatus.RTHROTTLED}
        assert storm.count(CommandStatus.RINVPASWD) < limits.PASSWORD_FAILURES_MAX
        locked = await refused(smpp, stranger.key, stranger.secret, source=HERE)
        assert locked in (CommandStatus.RBINDFAIL, CommandStatus.RTHROTTLED)
        await customer.sent(DELIVERED)
        async with bound(smpp, account.key, account.secret, source=HERE) as again:
            await again.sent(DELIVERED)
        async with bound(smpp, stranger.key, stranger.secret) as elsewhere:
            await elsewhere.sent(DELIVERED)
    deadline_s = time.monotonic() + 5
    while 'reason="password"' not in (await server.client.call("GET", "/metrics")).text:
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.1)


async def test_a_customer_that_does_not_wait_for_its_bind_leaves_nothing_behind(
    server: Server, smpp: str, account: Account
) -> None:
    for _ in range(20):
        _reader, writer = await asyncio.open_connection(*smpp.split(":"))
        writer.write(encode(pdus.BindTransceiver(account.key, account.secret), 1))
        writer.transport.abort()

    async def binds() -> list[Any]:
        return await server.query("SELECT FROM bind WHERE account_id = $1", account.account_id)

    await until(binds, lambda rows: rows == [])
    await stays(binds, [], for_s=0.5)


def stop_reading(writer: asyncio.StreamWriter) -> None:
    transport = writer.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()


async def test_a_peer_that_submits_and_never_reads_disturbs_nobody(server: Server, smpp: str) -> None:
    account = await server.account(balance="1000")
    reader, writer = await asyncio.open_connection(*smpp.split(":"))
    writer.write(encode(pdus.BindTransceiver(account.key, account.secret), 1))
    await reader.read(1000)
    stop_reading(writer)
    for sequence in range(2, 400):
        writer.write(encode(submit(DELIVERED, registered_delivery=0), sequence))
    await asyncio.sleep(1)
    writer.transport.abort()
    async with bound(smpp, account.key, account.secret) as esme:
        await esme.receipt(await esme.sent(DELIVERED))


async def test_a_submit_of_everything_that_is_odd_is_answered(smpp: str, account: Account) -> None:
    odd = [
        submit("", b""),
        submit("\xff" * 20, b"\xff" * 254),
        submit(DELIVERED, b"x", esm_class=255, data_coding=255, protocol_id=255, priority_flag=255),
        submit(DELIVERED, b"\x05\x00\x03\x00\x00\x00x", esm_class=0x40),
        submit(DELIVERED, b"\xff" * 254, esm_class=0x40),
        submit(DELIVERED, b"x", source_addr="\x01\x02"),
        submit(DELIVERED, b"x", service_type="\x01"),
        submit(DELIVERED, b"x", tlvs=((0x020C, b""), (0x020E, b"\xff" * 9), (0x0424, b""), (0x0204, b"x"))),
        pdus.SubmitMulti(),
        pdus.DataSm(),
        pdus.QuerySm("\xff"),
        pdus.CancelSm(),
        pdus.ReplaceSm(),
    ]
    async with bound(smpp, account.key, account.secret) as esme:
        for request in odd:
            answer = await esme.ask(request)
            assert isinstance(answer, pdus.ResponsePdu), request
            if not isinstance(request, pdus.SubmitSm) or request.destination_addr != DELIVERED:
                assert answer.status != CommandStatus.ROK, request
        await esme.sent(DELIVERED)
