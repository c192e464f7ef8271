"""A process's time, which does not go back when the machine's clock is stepped."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class SteadyClock:
    """Called, it gives the time. It follows the machine's clock, but not backwards: where that is stepped back, time
    goes on at its own pace from where it was, so that what is due stays due, leases end when they should and ids
    increase.

    `ahead_s`: how far it runs before the machine's clock. `stepped_s`: by how much the machine's clock was last found
    stepped, forwards above zero; 0 while it never was.
    """

    def __init__(
        self,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
        step_s_min: float = 2.0,
    ) -> None:
        """`step_s_min`: a smaller difference between the two clocks is drift, and none is told of."""
        self._wall_s = wall_s
        self._monotonic_s = monotonic_s
        self._step_s_min = step_s_min
        self._lead_s = wall_s() - monotonic_s()
        self.ahead_s = 0.0
        self.stepped_s = 0.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.unix_s(), UTC)

    def unix_s(self) -> float:
        read_s = self._monotonic_s()
        lead_s = self._wall_s() - read_s
        ahead_s = self._lead_s - lead_s
        if ahead_s or self.ahead_s:  # most often neither: the clocks go alike
            if abs(ahead_s - self.ahead_s) >= self._step_s_min:
                self.stepped_s = self.ahead_s - ahead_s
            if ahead_s > 0.0:
                self.ahead_s = ahead_s
            else:
                self.ahead_s = 0.0
                self._lead_s = lead_s
        return read_s + self._lead_s

    def unix_ms(self) -> int:
        return int(self.unix_s() * 1000)

    def no_earlier_than(self, at: datetime) -> None:
        """Another process, or this one before it was started anew, had got as far as `at`."""
        missing_s = at.timestamp() - self.unix_s()
        if missing_s > 0.0:
            self._lead_s += missing_s
            self.ahead_s += missing_s
