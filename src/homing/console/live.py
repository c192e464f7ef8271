"""Live pages: one poll every few seconds for all viewers. Open pages get an event when something has changed, and
request their live parts again; the values they read are cached as long, so that many viewers cost no more than one.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar, cast

from homing import errors
from homing.store import statements
from homing.store.database import Database

CONSOLE_LIVE_S: Final = 3.0  # between two polls
CONSOLE_SLOW_S: Final = 30.0  # age of cached values that cost more and change less
CONSOLE_LIVE_KEEP_ALIVE_S: Final = 20.0  # a comment on a quiet stream, so that a dead connection is noticed
CONSOLE_VIEWERS_MAX: Final = 500  # open streams
CONSOLE_VIEWERS_PER_USER_MAX: Final = 20
V = TypeVar("V")
PULSE_MINUTES: Final = 10


class CachedValues:
    """Values by key, computed again on request when older than `age_s`; concurrent callers share a computation."""

    def __init__(self, age_s: float, items_max: int = 1_000) -> None:
        self._age_s = age_s
        self._items_max = items_max
        self._values: dict[object, tuple[float, asyncio.Task[object]]] = {}

    async def get(self, key: object, make: Callable[[], Awaitable[V]]) -> V:
        """Raises what `make` raises; a failure is not cached."""
        now_s = asyncio.get_running_loop().time()
        made_s, task = self._values.get(key, (0.0, None))
        if task is None or now_s - made_s >= self._age_s or (task.done() and _failed(task)):
            task = asyncio.ensure_future(_awaited(make))
            self._values.pop(key, None)
            self._values[key] = now_s, task
            while len(self._values) > self._items_max:
                self._values.pop(next(iter(self._values)))
        return cast(V, await asyncio.shield(task))

    def forget(self) -> None:
        """Drops all values."""
        self._values.clear()


async def _awaited(make: Callable[[], Awaitable[V]]) -> object:
    return await make()


def _failed(task: "asyncio.Task[object]") -> bool:
    return task.cancelled() or task.exception() is not None


class LiveUpdates:
    """The poll, which runs while there are viewers, and their event streams."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.cache = CachedValues(CONSOLE_LIVE_S)
        self.slow_cache = CachedValues(CONSOLE_SLOW_S)
        self._viewers: set[asyncio.Event] = set()
        self._streams: Counter[int] = Counter()  # by user
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False
        self._turn = 0

    async def stream(self, user_id: int) -> AsyncIterator[bytes]:
        """Server-sent events until the viewer goes or this process stops."""
        is_full = len(self._viewers) >= CONSOLE_VIEWERS_MAX
        if self._is_closed or is_full or self._streams[user_id] >= CONSOLE_VIEWERS_PER_USER_MAX:
            yield b"retry: 30000\n\n"
            return
        woken = asyncio.Event()
        self._viewers.add(woken)
        self._streams[user_id] += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            yield b"retry: 3000\n\n"
            while not self._is_closed:
                try:
                    async with asyncio.timeout(CONSOLE_LIVE_KEEP_ALIVE_S):
                        await woken.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                woken.clear()
                if not self._is_closed:
                    yield f"event: changed\ndata: {self._turn}\n\n".encode()
        finally:
            self._viewers.discard(woken)
            self._streams[user_id] -= 1
            if not self._streams[user_id]:
                del self._streams[user_id]

    async def close(self) -> None:
        """Ends the streams: without that, stopping would wait for them."""
        self._is_closed = True
        self._wake()
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        seen: object = None
        while self._viewers:
            with contextlib.suppress(errors.PlatformFailure):
                row = await statements.statistics.stat_pulse(
                    self._database, first_minute=self._minutes_ago(PULSE_MINUTES)
                )
                if row != seen:
                    seen = row
                    self._turn += 1
                    self.cache.forget()  # before the event, so that viewers do not get the old values
                    self._wake()
            await asyncio.sleep(CONSOLE_LIVE_S)

    def _minutes_ago(self, minutes: int) -> int:
        return int(self._clock().timestamp()) // 60 - minutes

    def _wake(self) -> None:
        for woken in self._viewers:
            woken.set()
