"""Pushes to what does not answer, or has no address, cost nobody else."""

import asyncio
import threading
import time
from typing import Any

import pytest

from homing.delivery.pusher import PUSH_BREAKER_FAILURES, HostBreaker
from homing.delivery.resolver import (
    CONNECTING_ACCOUNT_ID,
    PUSH_RESOLVE_FAILURES,
    PUSH_RESOLVES_PER_ACCOUNT_MAX,
    PushResolver,
    domain_of,
)
from homing.delivery.safe_http import AddressRefused, check_address, check_port


def test_a_breaker_counts_by_host_whatever_path_is_asked_for() -> None:
    breaker = HostBreaker()
    for n in range(PUSH_BREAKER_FAILURES):
        breaker.count(f"http://Dead.example:8080/tar{n}?x={n}", False, 0.0)
    assert breaker.open_for_s("http://user:pw@dead.example:8080/another", 1.0) > 0
    assert breaker.open_for_s("http://dead.example/another", 1.0) == 0, "another port is another server"
    assert breaker.open_for_s("http://living.example:8080/", 1.0) == 0
    breaker.count("http://dead.example:8080/", True, 2.0)
    assert breaker.open_for_s("http://dead.example:8080/", 2.0) == 0


async def test_names_that_never_resolve_are_given_up_and_cost_their_account_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("homing.delivery.resolver.PUSH_RESOLVE_TIMEOUT_S", 0.1)
    released = threading.Event()
    asked: list[str] = []

    def lookup(host: str, port: int, family: int) -> Any:
        asked.append(host)
        if host.startswith("slow"):
            released.wait(20)
        return [(family, 1, 6, "", ("127.0.0.1", port))]

    resolver = PushResolver(lookup)
    try:
        CONNECTING_ACCOUNT_ID.set(1)
        for n in range(PUSH_RESOLVES_PER_ACCOUNT_MAX):
            with pytest.raises(OSError, match="in time"):
                await resolver.resolve(f"slow{n}.attacker{n}.example", 80)
        for n in range(20):
            with pytest.raises(OSError, match="other names of the account"):
                await resolver.resolve(f"slow{n}.another{n}.example", 80)
        CONNECTING_ACCOUNT_ID.set(2)
        began_s = time.monotonic()
        (found,) = await resolver.resolve("honest.example", 80)
        assert time.monotonic() - began_s < 0.1
        assert found["host"] == "127.0.0.1"
        assert len(asked) == PUSH_RESOLVES_PER_ACCOUNT_MAX + 1
        default = asyncio.get_running_loop().run_in_executor(None, lambda: "free")
        assert await asyncio.wait_for(default, 1) == "free", "the threads of all others are not used"
        released.set()
        CONNECTING_ACCOUNT_ID.set(1)
        (found,) = await resolver.resolve("well.example", 80)
        assert found["port"] == 80, "its threads are its own again"
    finally:
        released.set()
        await resolver.close()


async def test_a_domain_whose_names_are_not_there_rests_for_the_account_that_asked() -> None:
    asked: list[str] = []

    def lookup(host: str, port: int, family: int) -> Any:
        asked.append(host)
        if host.startswith("no"):
            raise OSError(-2, "Name or service not known")
        return [(family, 1, 6, "", ("127.0.0.1", port))]

    resolver = PushResolver(lookup)
    try:
        CONNECTING_ACCOUNT_ID.set(1)
        for n in range(PUSH_RESOLVE_FAILURES):
            with pytest.raises(OSError, match="not known"):
                await resolver.resolve(f"no{n}.shop.co.uk", 80)
        with pytest.raises(OSError, match=r"names of co\.uk"):
            await resolver.resolve("no99.shop.co.uk", 80)
        assert len(asked) == PUSH_RESOLVE_FAILURES
        CONNECTING_ACCOUNT_ID.set(2)
        (found,) = await resolver.resolve("honest.co.uk", 80)
        assert found["host"] == "127.0.0.1", "others' names in it are looked up"
    finally:
        await resolver.close()


async def test_a_look_up_for_which_there_is_no_thread_takes_none_of_the_accounts_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = PushResolver(lambda _host, port, family: [(family, 1, 6, "", ("127.0.0.1", port))])
    loop = asyncio.get_running_loop()

    def none_left(*_asked: Any) -> Any:
        raise RuntimeError("can't start new thread")

    try:
        with monkeypatch.context() as short:
            short.setattr(loop, "run_in_executor", none_left)
            for n in range(PUSH_RESOLVES_PER_ACCOUNT_MAX):
                with pytest.raises(OSError, match="new thread"):
                    await resolver.resolve(f"name{n}.shop{n}.example", 80)
        (found,) = await resolver.resolve("honest.example", 80)
        assert found["host"] == "127.0.0.1"
    finally:
        await resolver.close()


def test_a_domain_is_what_its_owner_can_make_names_below() -> None:
    assert domain_of("a.b.Example.com.") == domain_of("example.com") == "example.com"
    assert domain_of("localhost") == "localhost"


@pytest.mark.parametrize(
    "address",
    ["168.63.129.16", "::ffff:0:a9fe:a9fe", "::ffff:0:7f00:1", "3fff::1", "5f00::1", "100:0:0:1::1", "64:ff9b:1::1"],
)
def test_addresses_of_nobody_and_of_the_provider_are_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(address, [])


@pytest.mark.parametrize("port", [22, 25, 587, 5432, 6379])
def test_ports_of_what_is_no_web_server_are_refused(port: int) -> None:
    with pytest.raises(AddressRefused, match="no web server"):
        check_port(f"http://example.com:{port}/")
    check_port("http://example.com/")
    check_port("https://example.com:8443/")
