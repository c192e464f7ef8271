"""Stores the latest time of all processes, from which a process that starts goes on, and raises an alarm when the
machine's clock was stepped.
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from homing import errors, limits
from homing.common.steady_clock import SteadyClock
from homing.store import statements
from homing.store.alarms import CLOCK, STEPPED_BACK, clear_alarms, raise_alarm
from homing.store.database import Database

CLOCK_WATCH_S: Final = 2.0  # between two checks of the machine's clock
CLOCK_AHEAD_S_MAX: Final = 86_400.0  # a stored time that is further ahead is a wrong clock's, and ignored
log = structlog.get_logger()


class ClockWatch:
    """`open` before the clock is used, then `run`."""

    def __init__(self, database: Database, clock: SteadyClock, process: str) -> None:
        """`place`: the machine and the process, for people."""
        self._database = database
        self._clock = clock
        self._process = process
        self._logged_s = 0.0
        self._is_alarmed = False

    async def open(self) -> None:
        """Continues from the latest stored time, unless that is so far ahead that a wrong clock stored it. Raises a
        `PlatformFailure`.
        """
        latest_at = await statements.clock.clock_latest(self._database)
        if latest_at is None:
            return
        now = self._clock()
        if latest_at - now < timedelta(seconds=CLOCK_AHEAD_S_MAX):
            self._clock.no_earlier_than(latest_at)
        else:
            log.error("clock_far_behind", seconds=round((latest_at - now).total_seconds()))

    async def run(self) -> None:
        while True:
            try:
                await self.check()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="clock", failure=str(failure))
            await asyncio.sleep(CLOCK_WATCH_S)

    async def check(self) -> None:
        """Stores the time, and logs and alarms a step. Raises a `PlatformFailure`."""
        now, clock = self._clock(), self._clock
        if clock.stepped_s != self._logged_s:
            self._logged_s = clock.stepped_s
            log.error("clock_stepped", seconds=round(clock.stepped_s, 1), ahead_s=round(clock.ahead_s, 1))
        await statements.clock.clock_advance(self._database, latest_at=now)
        is_ahead = clock.ahead_s >= limits.CLOCK_STEP_S_MIN
        if is_ahead:
            await raise_alarm(self._database, CLOCK, STEPPED_BACK, self._process, {"seconds": round(clock.ahead_s)})
        elif self._is_alarmed:
            await clear_alarms(self._database, CLOCK, STEPPED_BACK, self._process)
        self._is_alarmed = is_ahead
