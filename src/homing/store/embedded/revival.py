"""Restarts the embedded PostgreSQL when it ends under `homing serve`: killed, out of memory, or crashed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from homing import limits
from homing.store.embedded.server import EmbeddedPostgres

DATABASE_RESTART_PAUSE_S_MAX: Final = 30.0
log = structlog.get_logger()


async def keep_running(embedded: EmbeddedPostgres, on_restart: Callable[[], Awaitable[None]]) -> None:
    """Runs until it is cancelled. A server that does not start (disk full, recovery failed, no thread available) is
    tried again with growing pauses. `on_restart` is called after each restart.
    """
    pause_s = limits.DATABASE_WATCH_S
    while True:
        await asyncio.sleep(pause_s)
        try:
            was_down = await asyncio.to_thread(embedded.revive)
            if was_down:
                log.error("database_restarted")
                await on_restart()
        except Exception as error:
            pause_s = min(2 * pause_s, DATABASE_RESTART_PAUSE_S_MAX)
            log.error("database_not_restarted", detail=str(error)[-500:], again_in_s=pause_s)
            continue
        pause_s = limits.DATABASE_WATCH_S
