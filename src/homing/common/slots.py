"""Slots for expensive work: few in all, and one for each owner, so that nobody takes all of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable


class NoFreeSlot(Exception):
    """No slot became free in time."""


class Slots:
    """`async with slots.take(owner):` waits at most `wait_s` for one of `slots_max` slots."""

    def __init__(self, slots_max: int, wait_s: float) -> None:
        self._slots_max = slots_max
        self._wait_s = wait_s
        self._owners: set[Hashable] = set()
        self._freed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def take(self, owner: Hashable) -> AsyncIterator[None]:
        """Raises `NoFreeSlot`."""
        if not self._is_free(owner):
            try:
                async with asyncio.timeout(self._wait_s):
                    while not self._is_free(owner):
                        await self._freed.wait()
            except TimeoutError:
                raise NoFreeSlot from None
        self._owners.add(owner)
        try:
            yield
        finally:
            self._owners.discard(owner)
            freed, self._freed = self._freed, asyncio.Event()
            freed.set()

    def _is_free(self, owner: Hashable) -> bool:
        return len(self._owners) < self._slots_max and owner not in self._owners
