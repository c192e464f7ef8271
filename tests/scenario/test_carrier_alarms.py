"""A carrier that cannot be used, or whose own code fails: told where the operator looks, and gone when it is over."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import structlog
from prometheus_client import CollectorRegistry

from homing import limits
from homing.carriers.base import CarrierHealth, CarrierReport
from homing.common.crypto import Vault
from homing.dialects.registry import DIALECTS
from homing.dispatch.failover import Failover
from homing.dispatch.fleet import CarrierFleet, RunningCarrier
from homing.dispatch.leases import CarrierLeases
from homing.dispatch.written_marks import WrittenMarks
from homing.observe.work import WorkMetrics
from homing.store.alarms import read_alarms
from homing.store.due_poller import DuePoller
from tests.support.bank import Bank
from tests.support.server import migrated_database
from tests.support.waiting import until

OWNER = "here:1:link-1"


def now() -> datetime:
    return datetime.now(UTC)


async def sink(_carrier_id: int, _name: str, _reports: Sequence[CarrierReport]) -> None:
    """Receipts are not what this is about."""


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"carrier_alarms_{worker}"), 1)
    yield opened
    await opened.close()


def fleet_of(bank: Bank, folder: Path) -> CarrierFleet:
    database = bank.databases[0]
    return CarrierFleet(
        database=database,
        sink=sink,
        owner=OWNER,
        due_poller=DuePoller(database, now),
        clock=now,
        work_metrics=WorkMetrics(CollectorRegistry()),
        rng=random.Random(1),
        failover=Failover(bank.boards[0]),
        unknown_retry_s=10,
        vault=Vault(bytes(32)),
        marks=WrittenMarks(folder=folder, owner=OWNER, clock=now),
        dialects=DIALECTS,
    )


async def alarms(bank: Bank) -> list[tuple[str, str, str]]:
    return [(one.component, one.code, one.subject) for one in await read_alarms(bank.databases[0])]


async def test_settings_that_cannot_be_used_stand_as_an_alarm_until_they_are_mended_or_the_carrier_is_disabled(
    bank: Bank, tmp_path: Path
) -> None:
    fleet = fleet_of(bank, tmp_path)
    await fleet.open()
    try:
        await bank.query(
            "INSERT INTO carrier (name, kind, settings) SELECT name, 'simulator', '{\"submit_ms\": \"soon\"}'"
            " FROM unnest(ARRAY['charlie', 'delta']) AS broken (name)"
        )
        stand = [("carrier", "unusable", "charlie"), ("carrier", "unusable", "delta")]
        await until(lambda: alarms(bank), lambda found: sorted(found) == stand)
        await bank.query("UPDATE carrier SET enabled = false WHERE name = 'charlie'")
        await until(lambda: alarms(bank), lambda found: found == stand[1:])
        await bank.query("UPDATE carrier SET settings = '{}' WHERE name = 'delta'")
        await until(lambda: alarms(bank), lambda found: found == [])
    finally:
        await fleet.close()


async def test_a_failure_in_a_carriers_work_stands_as_an_alarm_with_what_it_was_and_where(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DISPATCH_ERROR_PAUSE_S", 0.05)
    monkeypatch.setattr("homing.store.loops.LOOP_STEADY_S", 0.3)
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise KeyError(("lost", 7))
        await asyncio.Event().wait()

    carrier: Any = SimpleNamespace(health=lambda: CarrierHealth(True, {"links": 1}))
    dispatcher: Any = SimpleNamespace(breaker_is_closed=True)
    row: Any = SimpleNamespace(name="acme")
    running = RunningCarrier(row=row, carrier=carrier, dispatcher=dispatcher, sink=sink, database=bank.databases[0])
    with structlog.testing.capture_logs() as logs:
        task = asyncio.get_running_loop().create_task(running._run_supervised("sending_failed", work))
        try:
            await until(lambda: alarms(bank), lambda found: found == [("carrier", "sending_failed", "acme")])
            await until(lambda: alarms(bank), lambda found: found == [])
        finally:
            task.cancel()
    assert runs == 3
    failed_work: Any = running.health().detail["work_failed"]
    assert failed_work["error"] == "KeyError"
    assert any("test_carrier_alarms.py" in place for place in failed_work["at"])
    assert "lost" not in str(logs), "its text can hold a customer's data"
    assert any("test_carrier_alarms.py" in place for place in logs[0]["at"])


async def test_what_a_vendor_says_keeps_no_lease_from_being_renewed(bank: Bank) -> None:
    """PostgreSQL's JSON has no NUL: one vendor's words would cost the process all of its carriers."""
    leases = CarrierLeases(bank.databases[0], OWNER)
    (row,) = await bank.query("INSERT INTO carrier (name, kind, settings) VALUES ('echo', 'lia', '{}') RETURNING *")
    carrier_id = row["carrier_id"]
    assert await leases.tick([carrier_id], {}) == {carrier_id}
    words = {"last_error": "refused (a\0b\ud800)", "binds": [{"\0": ("\0",)}], "up": 1.5}
    assert await leases.tick([carrier_id], {carrier_id: CarrierHealth(True, words)}) == {carrier_id}
    (row,) = await bank.query("SELECT detail FROM carrier_session WHERE carrier_id = $1", carrier_id)
    assert msgspec.json.decode(row["detail"]) == {"last_error": "refused (ab?)", "binds": [{"": [""]}], "up": 1.5}
    await leases.release({carrier_id})


async def test_a_look_at_the_carriers_that_fails_is_not_the_last(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CARRIER_LEASE_TICK_S", 0.05)
    fleet = fleet_of(bank, tmp_path)
    await fleet.open()
    tick, failures = CarrierLeases.tick, [KeyError("lost"), KeyError("lost")]

    async def failing(leases: CarrierLeases, *arguments: Any) -> set[int]:
        if failures:
            raise failures.pop()
        return await tick(leases, *arguments)

    monkeypatch.setattr(CarrierLeases, "tick", failing)
    try:
        await bank.query("INSERT INTO carrier (name, kind, settings) VALUES ('foxtrot', 'simulator', '{}')")

        leased = "SELECT FROM carrier_session JOIN carrier USING (carrier_id) WHERE name = 'foxtrot'"
        await until(lambda: bank.query(leased))
        assert failures == []
    finally:
        await fleet.close()
