"""Stores items that must not be lost: retries while the database is unavailable, and halves a batch that it refuses."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from homing import errors

Item = TypeVar("Item")


async def until_durable(
    store: Callable[[Sequence[Item]], Awaitable[None]],
    batch: Sequence[Item],
    *,
    on_failure: Callable[[Sequence[Item], errors.PlatformFailure], None],
    on_refused: Callable[[Item], None],
    pause_s: float,
) -> None:
    """Returns when `store` has taken every item that can be stored.

    Items that the database refuses are found by halving and passed to `on_refused`; no others are lost. `on_failure` is
    called with each failure; `pause_s` passes before the next try.
    """
    while True:
        try:
            await store(batch)
            return
        except errors.PlatformFailure as failure:
            on_failure(batch, failure)
            if isinstance(failure, errors.DatabaseFailed) and failure.poison:
                break
            await asyncio.sleep(pause_s)
    if len(batch) == 1:
        on_refused(batch[0])
        return
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        await until_durable(store, half, on_failure=on_failure, on_refused=on_refused, pause_s=pause_s)
