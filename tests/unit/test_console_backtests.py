"""Backtests that operators start on a page, which nobody waits for."""

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest

from homing.admin import guard_strictness
from homing.console.backtests import GuardBacktests
from homing.store.database import Database


async def test_a_backtest_that_fails_for_whatever_reason_is_shown_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_given: object) -> None:
        raise ValueError

    monkeypatch.setattr(guard_strictness, "backtest", failing)
    backtests = GuardBacktests(cast("Database", None), lambda: datetime.now(UTC))
    assert backtests.start(7, "acme")
    while backtests.running:
        await asyncio.sleep(0)
    assert backtests.has_failed
    await backtests.close()
