"""Calls with wrong passwords: what is refused anyway does not wait, and of many at once only ten are looked at."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from homing import limits
from homing.api.http.auth_guard import PASSWORD_LOCKS_S, AuthGuard
from homing.api.smpp.bind import BindAuthenticator, BindRefused
from homing.common.failure_counts import PASSWORD_DELAY_FIRST_S
from homing.dialects.lia.number import NUMBER as LIA
from homing.dialects.registry import DIALECTS
from homing.smpp import pdus
from homing.store.database import Database
from homing.store.queries import Statement

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
"""Nobody connects to it."""


class Asked(Database):
    """A database that knows nobody but `known`, and how often it was asked."""

    times = 0
    known: tuple[str, str] | None = None

    async def fetch(self, statement: Statement, *values: Any, timeout_s: float | None = None) -> Sequence[Any]:
        self.times += 1
        return [(datetime.now(UTC),)] if values == self.known else []


def guard() -> tuple[AuthGuard, CollectorRegistry]:
    registry = CollectorRegistry()
    return AuthGuard(database=Asked(dsn=NOWHERE), registry=registry, dialects=DIALECTS), registry


async def guess(guarded: AuthGuard, times: int) -> list[bool]:
    return await asyncio.gather(*(guarded.passes(LIA, "API1", "198.51.100.1", is_right=False) for _ in range(times)))


def counted(registry: CollectorRegistry, reason: str) -> float:
    return registry.get_sample_value("homing_auth_failures_total", {"dialect": "lia", "reason": reason}) or 0.0


async def test_of_guesses_at_once_no_more_are_looked_at_than_one_by_one() -> None:
    guarded, registry = guard()
    assert not any(await guess(guarded, 500))
    assert counted(registry, "password") == limits.PASSWORD_FAILURES_MAX
    assert counted(registry, "locked_out") == 500 - limits.PASSWORD_FAILURES_MAX


async def test_who_is_locked_out_is_refused_at_once() -> None:
    guarded, _registry = guard()
    await guess(guarded, limits.PASSWORD_FAILURES_MAX)
    began_s = time.monotonic()
    await guess(guarded, 100)
    assert time.monotonic() - began_s < PASSWORD_DELAY_FIRST_S


async def test_a_known_pair_never_waits() -> None:
    guarded, _registry = guard()
    assert await guarded.passes(LIA, "API1", "192.0.2.1", is_right=True)
    await guess(guarded, limits.PASSWORD_FAILURES_MAX)
    began_s = time.monotonic()
    assert await guarded.passes(LIA, "API1", "192.0.2.1", is_right=True)
    assert time.monotonic() - began_s < PASSWORD_DELAY_FIRST_S


async def test_where_a_password_was_right_before_a_restart_it_does_not_wait_for_those_who_guess_elsewhere() -> None:
    database = Asked(dsn=NOWHERE)
    database.known = "192.0.2.1", "API1"
    guarded = AuthGuard(database=database, registry=CollectorRegistry(), dialects=DIALECTS)
    await guess(guarded, limits.PASSWORD_FAILURES_MAX)
    began_s = time.monotonic()
    assert await guarded.passes(LIA, "API1", "192.0.2.1", is_right=True)
    assert time.monotonic() - began_s < PASSWORD_DELAY_FIRST_S


async def test_who_is_locked_out_learns_nothing_from_the_time_that_a_right_password_takes() -> None:
    database, now_s = Asked(dsn=NOWHERE), 1000.0
    guarded = AuthGuard(database=database, registry=CollectorRegistry(), dialects=DIALECTS, clock_s=lambda: now_s)

    async def ask(is_right: bool) -> int:
        """How often the database was asked, which is what takes time."""
        before = database.times
        assert not await guarded.passes(LIA, "API1", "198.51.100.1", is_right=is_right)
        return database.times - before

    await guess(guarded, limits.PASSWORD_FAILURES_MAX)
    for first in (False, True):
        now_s += PASSWORD_LOCKS_S + 1
        assert [await ask(is_right) for is_right in (first, True, False, True, False)] == [1, 0, 0, 0, 0]


async def test_a_bind_that_waits_for_its_turn_has_it_when_others_of_its_network_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("homing.api.smpp.bind.PASSWORD_PENDING_WAIT_S", 2.0)
    looked = asyncio.Event()

    class Directory:
        async def find(self, _dialect: int, _key: str) -> None:
            await looked.wait()

    directory: Any = Directory()
    register: Any = None
    gatekeeper = BindAuthenticator(
        directory=directory, register=register, next_id=lambda: 1, auth=guard()[0], binding=DIALECTS.binding
    )

    async def bind(address: str) -> str:
        with pytest.raises(BindRefused) as refused:
            await gatekeeper.admit(pdus.BindTransmitter("nobody", "wrong"), address)
        return refused.value.reason

    first = [asyncio.ensure_future(bind("2001:db8::1")) for _ in range(limits.PASSWORD_PENDING_MAX)]
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(bind("2001:db8::2"))
    await asyncio.sleep(0.05)
    looked.set()
    assert set(await asyncio.gather(*first)) == {"password"}
    assert await waiting == "locked_out", "and not busy, after all of its time"
