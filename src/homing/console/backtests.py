"""Backtests of the guard that operators start on a page: one at a time in a process, beside its requests."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from homing.admin import guard_strictness
from homing.observe.logs import describe
from homing.store.database import Database

log = structlog.get_logger()


class GuardBacktests:
    """`running`: the account of which past messages are being run through the guard; None: of none. `has_failed`: the
    latest ended without a result.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.running: str | None = None
        self.has_failed = False

    def start(self, account_id: int, name: str) -> bool:
        """False: another is running."""
        if self.running is not None:
            return False
        self.running, self.has_failed = name, False
        self._task = asyncio.get_running_loop().create_task(self._run(account_id))
        return True

    async def _run(self, account_id: int) -> None:
        try:
            await guard_strictness.backtest(self._database, account_id, self._clock())
        except Exception as error:  # nobody awaits this task: the page is what tells of it
            self.has_failed = True
            log.error("guard_backtest_failed", account=account_id, **describe(error))
        finally:
            self.running = None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
