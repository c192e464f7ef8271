"""Reloads a cache when a notice says that it is stale, and at least every `age_s`."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from homing import errors, limits


async def refresh_on_change(stale: asyncio.Event, read: Callable[[], Awaitable[None]], age_s: float) -> None:
    """Calls `read` when `stale` is set, and at the latest `age_s` after the last time, until it is cancelled. While the
    database is unavailable it tries again.
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
