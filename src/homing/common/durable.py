"""Storing what must not be lost: again and again while the database is away, and by halves when it refuses."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from homing import errors

Item = TypeVar("Item")


async def until_durable(
    store: Callable[[Sequence[Item]], Awaitable[None]],
    batch: Sequence[Item],
    *,
    waits: Callable[[Sequence[Item], errors.PlatformFailure], None],
    refused: Callable[[Item], None],
    pause_s: float,
) -> None:
    """Returns when `store` has taken every item that can be stored.

    What the database refuses is found by halving, told to `refused`, and is all that is lost. `waits` is told of each
    failure; `pause_s` passes before the next try.
    """
    while True:
        try:
            await store(batch)
            return
        except errors.PlatformFailure as failure:
            waits(batch, failure)
            if isinstance(failure, errors.DatabaseFailed) and failure.poison:
                break
            await asyncio.sleep(pause_s)
    if len(batch) == 1:
        refused(batch[0])
        return
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        await until_durable(store, half, waits=waits, refused=refused, pause_s=pause_s)
