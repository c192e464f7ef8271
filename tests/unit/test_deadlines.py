"""One sweep for many waits: who is late hears it, who is not leaves nothing behind."""

import asyncio

import pytest

from homing.common import deadlines
from homing.common.deadlines import Deadlines


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "SWEEP_S", 0.02)


async def test_who_is_late_is_told_and_the_others_are_not() -> None:
    limit = Deadlines(0.1)

    async def wait(seconds: float) -> str:
        try:
            with limit.limit():
                await asyncio.sleep(seconds)
        except TimeoutError:
            return "late"
        return "in time"

    outcomes = await asyncio.gather(*(wait(seconds) for seconds in (0.01, 5, 0.02, 5)))
    assert outcomes == ["in time", "late", "in time", "late"]
    assert len(limit) == 0


async def test_a_cancel_from_elsewhere_stays_a_cancel() -> None:
    limit = Deadlines(5)

    async def wait() -> None:
        with limit.limit():
            await asyncio.sleep(5)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(limit) == 0


async def test_a_failure_inside_is_not_hidden() -> None:
    limit = Deadlines(5)
    with pytest.raises(KeyError), limit.limit():
        raise KeyError("x")
    assert len(limit) == 0
