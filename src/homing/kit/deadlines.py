"""Time limits for many short waits at once: one sweep a second instead of a timer for each.

All waits of one kind have the same limit, so they run out in the order in which they began: a queue does what a timer
for each would, at a tenth of the cost. A wait may last up to a second longer than its limit.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Any

SWEEP_S = 1.0


class Wait:
    """A task's stay inside a limit; without a task it has ended."""

    __slots__ = ("deadline_s", "is_late", "task")

    def __init__(self, deadline_s: float, task: "asyncio.Task[Any] | None") -> None:
        self.deadline_s = deadline_s
        self.task = task
        self.is_late = False

    def __enter__(self) -> None:
        """Nothing to do: it runs since it was made."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.task = None
        if self.is_late and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from None


class Deadlines:
    """`with deadlines.limit():` raises TimeoutError in the task that has been inside for longer than `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._waits: deque[Wait] = deque()
        self._sweeper: asyncio.Task[None] | None = None

    def limit(self) -> Wait:
        """Counts from this call."""
        loop = asyncio.get_running_loop()
        if self._sweeper is None:
            self._sweeper = loop.create_task(self._sweep())
        wait = Wait(loop.time() + self._limit_s, asyncio.current_task(loop))
        self._waits.append(wait)
        return wait

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            now_s = loop.time()
            while self._waits and (self._waits[0].task is None or self._waits[0].deadline_s <= now_s):
                wait = self._waits.popleft()
                if wait.task is not None:
                    wait.is_late = True
                    wait.task.cancel()
