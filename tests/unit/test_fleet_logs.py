"""What is logged when a carrier's own code fails."""

import asyncio
from types import SimpleNamespace
from typing import Any

import structlog

from homing.carriers.base import Health
from homing.dispatch import fleet
from homing.dispatch.fleet import Running


async def test_a_failure_in_a_carriers_work_is_logged_with_what_it_was_and_where() -> None:
    running: Any = object.__new__(Running)
    running.row = {"name": "acme"}
    running._failures = {}
    running._carrier = SimpleNamespace(health=lambda: Health(True, {"links": 1}))
    running._dispatcher = SimpleNamespace(breaker_is_closed=True)
    failed = asyncio.Event()

    async def work() -> None:
        failed.set()
        raise KeyError(("lost", 7))

    with structlog.testing.capture_logs() as logs:
        task = asyncio.get_running_loop().create_task(fleet.Running._for_ever(running, work))
        await failed.wait()
        await asyncio.sleep(0)
        task.cancel()
    failed_work = running.health().detail["work_failed"]
    assert failed_work["error"] == "KeyError"
    assert any("test_fleet_logs.py" in place for place in failed_work["at"])
    assert logs[0]["event"] == "carrier_work_failed"
    assert logs[0]["text"] == "KeyError(('lost', 7))"
    assert any("test_fleet_logs.py" in place for place in logs[0]["at"])
