"""How much of a span the machine kept from this process: what a test of speed leaves out of its measure."""

import asyncio
import time
from types import TracebackType
from typing import Self

TICK_S = 0.005


class LoopDelay:
    """`total_s`: by how much the event loop's timers were late while it was entered. A product that is slow by itself
    waits, and so leaves the loop free; a machine that does other things delays it.
    """

    def __init__(self) -> None:
        self.total_s = 0.0
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._ticking is not None
        self._ticking.cancel()

    async def _tick(self) -> None:
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(TICK_S)
            late_s = time.monotonic() - began_s - TICK_S
            if late_s > TICK_S:
                self.total_s += late_s
