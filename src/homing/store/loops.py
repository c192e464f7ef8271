"""Background work that is restarted when it fails, with an alarm until it has run for a while."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from homing import errors
from homing.observe.logs import describe
from homing.store.alarms import clear_alarms, raise_alarm
from homing.store.database import Database

LOOP_RESTART_PAUSE_S: Final = 1.0  # before a background loop that failed is started again, then doubling
LOOP_RESTART_PAUSE_S_MAX: Final = 30.0
LOOP_STEADY_S: Final = 60.0  # without a failure, then it counts as well again
log = structlog.get_logger()


class SupervisedLoop(msgspec.Struct, frozen=True):
    """The alarm that is raised when the work fails: `component`.`code` of `subject`."""

    component: str
    code: str
    subject: str


async def run_supervised(
    loop: SupervisedLoop,
    work: Callable[[], Awaitable[None]],
    database: Database,
    *,
    pause_s: float = LOOP_RESTART_PAUSE_S,
    pause_s_max: float = LOOP_RESTART_PAUSE_S_MAX,
    on_failure: Callable[[Exception], None] = lambda _error: None,
) -> None:
    """Returns when `work` does. When that fails it is started again after `pause_s`, which doubles up to `pause_s_max`
    while it keeps failing; `on_failure` is called with each failure.
    """
    first_s = pause_s
    # Also at the start: a process of this name may have ended with its alarm standing.
    steady = asyncio.get_running_loop().create_task(_clear_when_steady(loop, database))
    while True:
        started_s = time.monotonic()
        try:
            await work()
            return
        except Exception as error:
            description = describe(error)
            log.error("background_loop_failed", loop=loop.code, subject=loop.subject, **description)
            on_failure(error)
            if time.monotonic() - started_s > LOOP_STEADY_S:
                pause_s = first_s
            with contextlib.suppress(errors.PlatformFailure):
                await raise_alarm(database, loop.component, loop.code, loop.subject, description)
        finally:
            steady.cancel()
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, pause_s_max)
        steady = asyncio.get_running_loop().create_task(_clear_when_steady(loop, database))


async def _clear_when_steady(loop: SupervisedLoop, database: Database) -> None:
    await asyncio.sleep(LOOP_STEADY_S)
    with contextlib.suppress(errors.PlatformFailure):
        await clear_alarms(database, loop.component, loop.code, loop.subject)
