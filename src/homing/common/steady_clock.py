"""A process's clock, which does not go back when the machine's clock is stepped."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class SteadyClock:
    """Called, it gives the time. It follows the machine's clock, but not backwards: when that is stepped back, time
    goes on at the normal pace, so that due work stays due, leases end in time and IDs increase.

    `ahead_s`: how far it is ahead of the machine's clock. `stepped_s`: the last step of the machine's clock, positive
    for forwards; 0 if there was none.
    """

    def __init__(
        self,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
        step_s_min: float = 2.0,
    ) -> None:
        """`step_s_min`: a smaller difference between the two clocks is drift."""
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
        if ahead_s or self.ahead_s:  # usually both are 0: the clocks agree
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
        """Advances to `at`, a time that another process, or this one before a restart, has reached."""
        missing_s = at.timestamp() - self.unix_s()
        if missing_s > 0.0:
            self._lead_s += missing_s
            self.ahead_s += missing_s
