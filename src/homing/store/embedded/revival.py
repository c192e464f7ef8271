"""Starts the embedded PostgreSQL again when it ends under `homing serve`: killed, out of memory, or crashed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from homing import limits
from homing.store.embedded.server import EmbeddedPostgres

DATABASE_RESTART_PAUSE_S_MAX: Final = 30.0
log = structlog.get_logger()


async def keep_running(embedded: EmbeddedPostgres, revived: Callable[[], Awaitable[None]]) -> None:
    """For ever. One that does not start (its disk is full, its recovery failed, no thread can be had) is tried again
    with growing pauses.

    revived: called each time that it had ended and runs again.
    """
    pause_s = limits.DATABASE_WATCH_S
    while True:
        await asyncio.sleep(pause_s)
        try:
            was_down = await asyncio.to_thread(embedded.revive)
            if was_down:
                log.error("database_restarted")
                await revived()
        except Exception as error:
            pause_s = min(2 * pause_s, DATABASE_RESTART_PAUSE_S_MAX)
            log.error("database_not_restarted", detail=str(error)[-500:], again_in_s=pause_s)
            continue
        pause_s = limits.DATABASE_WATCH_S
