"""A vendor whose name server is silent keeps no other name from being looked up."""

import asyncio
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from homing import limits
from homing.carriers.kinds import make
from homing.carriers.resolver import CarrierResolver
from homing.common.host_lookup import HostLookup
from homing_clients.aiohttp_transport import AsyncTransport
from homing_clients.call import CallTerms, ClientRequest, parse_base
from homing_clients.errors import NotSent
from tests.support.waiting import WAIT_S, until

SILENT = "slow.vendor.example"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the system was asked for; a silent name has no answer until the test ends."""
    real, ended, names = socket.getaddrinfo, threading.Event(), []

    def look_up(host: Any, *more: Any, **named: Any) -> Any:
        names.append(host)
        if host == SILENT:
            ended.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield names
    ended.set()


async def others_wait_s() -> float:
    began_s = time.monotonic()
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    return time.monotonic() - began_s


async def test_an_smpp_vendors_silent_name_server_delays_no_other_name(asked: list[str]) -> None:
    settings = {"host": SILENT, "port": 2775, "system_id": "a", "password": "b", "binds": 32}
    carrier = make("smpp", json.dumps(settings), random.Random(1), lambda: datetime.now(UTC))
    await carrier.open()
    try:
        await until(lambda: asked.count(SILENT), lambda count: count >= limits.CARRIER_NAMES_THREADS)
        assert await others_wait_s() < 1
        assert asked.count(SILENT) == limits.CARRIER_NAMES_THREADS
    finally:
        await carrier.close()


async def test_an_http_vendors_silent_name_server_delays_no_other_name(asked: list[str]) -> None:
    transports = [
        AsyncTransport(parse_base(f"http://{SILENT}:{port}"), CallTerms(resolver=CarrierResolver()))
        for port in range(8001, 8033)
    ]
    calls = [
        asyncio.ensure_future(transport.exchange(ClientRequest("GET", "/", {}, b""), 30.0)) for transport in transports
    ]
    try:
        await until(lambda: SILENT in asked)
        assert await others_wait_s() < 1
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for transport in transports:
            await transport.close()


async def test_a_name_without_an_address_was_certainly_not_sent() -> None:
    transport = AsyncTransport(parse_base("http://nothing.invalid"), CallTerms(resolver=CarrierResolver()))
    with pytest.raises(NotSent):
        await transport.exchange(ClientRequest("GET", "/", {}, b""), 30.0)
    await transport.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1%lo"])
async def test_an_address_stands_for_itself(asked: list[str], address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    assert await HostLookup(1).look_up(address, 1) == [(family, address)]
    assert asked == []


async def test_a_look_up_for_which_there_is_no_thread_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    names = HostLookup(1)

    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", none_left)
        with pytest.raises(OSError, match="new thread"):
            await names.look_up("localhost", 1)
    assert await asyncio.wait_for(names.look_up("localhost", 1), WAIT_S)
