"""Pushes to what does not answer, or has no address, cost nobody else."""

import asyncio
import threading
import time
from collections import Counter
from typing import Any

import pytest

from homing import limits
from homing.delivery.host_breaker import PUSH_BREAKER_FAILURES, HostBreaker
from homing.delivery.push_places import PushPlaces
from homing.delivery.resolver import (
    CONNECTING_ACCOUNT_ID,
    PUSH_RESOLVE_FAILURES,
    PUSH_RESOLVES_PER_ACCOUNT_MAX,
    PushResolver,
    domain_of,
)
from homing.delivery.safe_http import AddressRefused, check_address, check_port
from homing.model import PushKind
from homing.store.statements.pushes import BusyAccount, ClaimedPush


def test_a_breaker_counts_by_recipient_and_host_whatever_path_is_asked_for() -> None:
    breaker, recipient = HostBreaker(), (7, 1)
    for n in range(PUSH_BREAKER_FAILURES):
        breaker.count(recipient, f"http://Dead.example:8080/tar{n}?x={n}", False, 0.0)
    assert breaker.open_for_s(recipient, "http://user:pw@dead.example:8080/another", 1.0) > 0
    assert breaker.open_for_s(recipient, "http://dead.example/another", 1.0) == 0, "another port is another server"
    assert breaker.open_for_s(recipient, "http://living.example:8080/", 1.0) == 0
    for other in ((7, 2), (8, 3)):
        assert breaker.open_for_s(other, "http://dead.example:8080/hook", 1.0) == 0, "many are at one host"
    breaker.count(recipient, "http://dead.example:8080/", True, 2.0)
    assert breaker.open_for_s(recipient, "http://dead.example:8080/", 2.0) == 0


def test_endpoints_leave_room_to_the_others_of_their_account_and_each_has_places_of_its_own() -> None:
    places, account_id = PushPlaces(), 7
    taken: list[int] = []
    for webhook_id in range(1, limits.WEBHOOKS_MAX + 1):
        while webhook_id not in places.full_webhook_ids():
            (busy,) = places.busy_accounts() or [
                BusyAccount(account_id=account_id, room=limits.PUSH_IN_FLIGHT_PER_RECIPIENT_MAX)
            ]
            places.take([push(account_id, webhook_id)] * busy.room)
            taken.append(busy.room)
    assert taken[:3] == [100, 65, 32], "half of what is free"
    assert min(taken) == limits.PUSH_IN_FLIGHT_PER_RECIPIENT_MIN
    assert places.in_flight < limits.PUSH_IN_FLIGHT_MAX / 2
    assert not places.has_room(account_id, Counter())
    assert places.full_account_ids() == [], "its own addresses have places too"
    assert places.has_room(8, Counter())
    places.give_back([push(account_id, webhook_id) for webhook_id in range(1, 21) for _ in range(2)])
    assert 20 not in places.full_webhook_ids()


def push(account_id: int, webhook_id: int) -> ClaimedPush:
    return ClaimedPush(
        account_id=account_id,
        push_id=1,
        message_id=1,
        dialect=1,
        kind=int(PushKind.EVENT),
        url="http://hook.example/",
        body="{}",
        attempts=1,
        attempts_replayed=0,
        webhook_id=webhook_id,
        event_id=1,
    )


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
