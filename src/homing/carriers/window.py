"""The capacity of a carrier over HTTP: window, rate and pauses. Pure except for the waiting."""

import asyncio
import contextlib
import math
import random
from collections.abc import Callable, Iterator
from typing import Final

from homing import limits
from homing.common.backoff import doubling_s
from homing_clients.errors import ClientError, NotSent, TooFrequent

API_REST_FIRST_S: Final = 0.5  # without a connection; then doubling
API_REST_S_MAX: Final = 30.0
API_BURST_S: Final = 1.0  # a rate's messages that may leave at once
ROUNDING: Final = 1e-6  # of a message: a tenth of a second has no exact double


class CarrierWindow:
    """Counts the messages under way. The clock is passed in, in seconds.

    Without a connection it rests, longer each time, and then lets one message try. A vendor that is called too often
    is left alone for as long as it says.
    """

    def __init__(
        self, *, size: int, per_s: float | None, rng: random.Random, clock_s: Callable[[], float] | None = None
    ) -> None:
        """`per_s`: messages a second; None for as many as there is room for."""
        self._size = size
        self._per_s = per_s
        self._burst_s = max(API_BURST_S, 1 / per_s) if per_s else 0.0
        self._rng = rng
        self._clock_s = clock_s or (lambda: asyncio.get_running_loop().time())
        self._under_way = 0
        self._failures = 0
        self._rests_until_s = 0.0
        self._paid_until_s = 0.0
        self._freed = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return not self._failures

    @property
    def under_way(self) -> int:
        return self._under_way

    def room(self) -> int:
        now_s = self._clock_s()
        if now_s < self._rests_until_s:
            return 0
        if self._failures:
            return 0 if self._under_way else 1
        return max(0, min(self._size - self._under_way, self._allowed_messages(now_s)))

    async def until_room(self) -> None:
        while not self.room():
            self._freed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s()):
                    await self._freed.wait()

    @contextlib.contextmanager
    def holding(self, messages: int) -> Iterator[None]:
        """Counts the messages as in flight inside the block."""
        self._under_way += messages
        if self._per_s:
            self._paid_until_s = max(self._paid_until_s, self._clock_s()) + messages / self._per_s
        try:
            yield
        finally:
            self._under_way -= messages
            self._freed.set()

    def worked(self) -> None:
        """A call succeeded."""
        self._failures = 0

    def failed(self, error: ClientError) -> None:
        now_s = self._clock_s()
        if isinstance(error, NotSent):
            if now_s >= self._rests_until_s:  # of many calls that fail together one counts
                self._failures += 1
                rest_s = doubling_s(self._failures, API_REST_FIRST_S, API_REST_S_MAX, self._rng)
                self._rests_until_s = now_s + rest_s
            return
        self._failures = 0  # it answers, or takes what it is given
        if isinstance(error, TooFrequent):
            rest_s = min(error.retry_after_s or limits.API_THROTTLE_S, limits.API_THROTTLE_S_MAX)
            self._rests_until_s = max(self._rests_until_s, now_s + rest_s)

    def _allowed_messages(self, now_s: float) -> int:
        """What the rate leaves: the messages of `API_BURST_S` may go at once."""
        if not self._per_s:
            return self._size
        ahead_s = max(0.0, self._paid_until_s - now_s)
        return math.floor((self._burst_s - ahead_s) * self._per_s + ROUNDING)

    def _wait_s(self) -> float | None:
        """Until the rest is over or the rate lets a message go; None: until what is under way is answered."""
        now_s = self._clock_s()
        if now_s < self._rests_until_s:
            return self._rests_until_s - now_s
        if self._per_s and not self._failures and self._under_way < self._size:
            return max(0.001, self._paid_until_s - now_s - self._burst_s + 1 / self._per_s)
        return None
