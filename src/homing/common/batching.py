"""Group commit: work that arrives while a batch is under way becomes the next batch.

A batch may also linger for a few milliseconds before it leaves, so that what arrives close together shares it. So a
hundred callers share one fsync, and a row costs a tenth of what it costs alone. A single item leaves after one short
wait. While more items arrive and are still few, the batch waits on, at most twice as long as a batch takes: that is
nothing on an idle machine, and lets a busy one keep up.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from homing import errors

Item = TypeVar("Item")
Result = TypeVar("Result")

RUN_WEIGHT: Final = 0.2
"""Of the latest batch in the average time of a batch."""


class Batcher(Generic[Item, Result]):
    """Gathers items and runs them through `run`, `lanes` batches at a time.

    `run` gets up to `weight_max` worth of items and returns one result each, in order. When it fails for a batch of
    several, the batch is cut in two and tried again, so that one poisoned item fails alone; while the
    database is unavailable all fail at once, since a retry would only make callers wait.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        weight_max: int,
        pending_max: int,
        lanes: int = 1,
        linger_s: float = 0.0,
        linger_s_max: float = 0.0,
        weight_target: int | None = None,
        weigh: Callable[[Item], int] = lambda _item: 1,
    ) -> None:
        """`weight_target`: the weight at which a batch stops waiting for more (None: `weight_max`)."""
        self._run = run
        self._weight_max = weight_max
        self._pending_max = pending_max
        self._lanes = lanes
        self._linger_s = linger_s
        self._linger_s_max = linger_s_max
        self._weight_target = weight_max if weight_target is None else weight_target
        self._run_s = 0.0
        self._weigh = weigh
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._waiting_weight = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._is_gathering = False

    def put(self, item: Item) -> asyncio.Future[Result]:
        """Queues an item; the future gives its result. Raises `Overloaded` when too much is waiting."""
        if self._waiting_weight >= self._pending_max:
            raise errors.Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        self._waiting_weight += self._weigh(item)
        self._gather()
        return future

    async def drained(self) -> None:
        """Returns when nothing is waiting or under way."""
        while self._workers:
            await asyncio.gather(*self._workers, return_exceptions=True)

    def _gather(self) -> None:
        """Starts a lane that gathers what waits, if one is free and none gathers."""
        if self._waiting and not self._is_gathering and len(self._workers) < self._lanes:
            self._is_gathering = True
            self._workers.add(asyncio.get_running_loop().create_task(self._work()))

    async def _work(self) -> None:
        try:
            while True:
                try:
                    await self._linger()
                    batch = self._take()
                finally:
                    self._is_gathering = False
                self._gather()
                await self._serve(batch)
                if self._is_gathering or not self._waiting:  # another lane gathers what waits
                    return
                self._is_gathering = True
        finally:
            # in the same step that found nothing waiting: a caller who puts an item right after must start a worker
            self._workers.discard(asyncio.current_task())

    async def _linger(self) -> None:
        """Waits `linger_s`, and again while more arrives and the weight is below `weight_target`: in all twice as long
        as a batch takes, at most `linger_s_max`.
        """
        if not self._linger_s or self._waiting_weight >= self._weight_max:
            return
        limit_s = min(self._run_s * 2, self._linger_s_max)
        lingered_s = 0.0
        while True:
            before = self._waiting_weight
            await asyncio.sleep(self._linger_s)
            lingered_s += self._linger_s
            if self._waiting_weight == before or self._waiting_weight >= self._weight_target or lingered_s >= limit_s:
                return

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        if self._waiting_weight <= self._weight_max:
            batch, self._waiting = self._waiting, []
            self._waiting_weight = 0
            return batch
        weight = 0
        for count, (item, _future) in enumerate(self._waiting):
            weight += self._weigh(item)
            if weight > self._weight_max and count:
                weight -= self._weigh(item)
                break
        else:
            count = len(self._waiting)
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_weight -= weight
        return batch

    async def _serve(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        began_s = time.monotonic()
        try:
            results = await self._run([item for item, _future in batch])
            self._run_s += RUN_WEIGHT * (time.monotonic() - began_s - self._run_s)
            if len(results) != len(batch):
                raise errors.DatabaseFailed(f"{len(results)} results for {len(batch)} items")
        except errors.DatabaseUnavailable as failure:
            self._fail(batch, failure)
        except Exception as error:
            if len(batch) == 1 or (isinstance(error, errors.DatabaseFailed) and not error.poison):
                self._fail(batch, error)
                return
            middle = len(batch) // 2
            await self._serve(batch[:middle])
            await self._serve(batch[middle:])
        else:
            for (_item, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    @staticmethod
    def _fail(batch: list[tuple[Item, asyncio.Future[Result]]], error: Exception) -> None:
        for _item, future in batch:
            if not future.done():
                future.set_exception(error)
