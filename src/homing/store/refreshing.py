"""Keeping in memory what the database holds: read again when told that it has changed, and now and then untold."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from homing import errors, limits


async def refresh_on_change(stale: asyncio.Event, read: Callable[[], Awaitable[None]], age_s: float) -> None:
    """For ever: reads when `stale` is set, and at the latest when the last look is `age_s` old. While the database is
    away it tries again.
    """
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(age_s):
                await stale.wait()
        stale.clear()
        try:
            await read()
        except errors.PlatformFailure:
            stale.set()
            await asyncio.sleep(limits.DATABASE_PROBE_INTERVAL_S)
