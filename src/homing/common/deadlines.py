"""Time limits for many short waits at once: one sweep a second instead of a timer for each.

All waits have the same limit, so they end in the order in which they began: a queue replaces their timers at a tenth of
the cost. A wait may last up to a second longer than its limit.
"""

import asyncio
from types import TracebackType
from typing import Any

SWEEP_S = 1.0


class TimedWait:
    """A task's wait under a limit."""

    __slots__ = ("_waits", "is_late", "task")

    def __init__(self, waits: "dict[TimedWait, float]", task: "asyncio.Task[Any] | None") -> None:
        self._waits = waits
        self.task = task
        self.is_late = False

    def __enter__(self) -> None:
        """The time counts from the constructor."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waits.pop(
            self, None
        )  # removed with its call: objects that lived until the sweep would burden the garbage collector
        if self.is_late and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from None


class Deadlines:
    """`with deadlines.limit():` raises TimeoutError in the task that has been inside for longer than `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._waits: dict[TimedWait, float] = {}  # in the order of their beginning, with their ends
        self._sweeper: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many waits are under way."""
        return len(self._waits)

    def limit(self) -> TimedWait:
        """Counts from this call."""
        loop = asyncio.get_running_loop()
        if self._sweeper is None:
            self._sweeper = loop.create_task(self._sweep())
        wait = TimedWait(self._waits, asyncio.current_task(loop))
        self._waits[wait] = loop.time() + self._limit_s
        return wait

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            now_s = loop.time()
            while self._waits:
                wait, deadline_s = next(iter(self._waits.items()))
                if deadline_s > now_s:
                    break
                del self._waits[wait]
                wait.is_late = True
                if wait.task is not None:
                    wait.task.cancel()
