"""Deltas of stored messages that become known later than their messages: replays take them when it is time. Pure."""

import heapq
from collections.abc import Sequence

from homing.statistics.delta import Delta


class DueDeltas:
    """By unix time; of one time in the order in which they were added."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Delta]] = []
        self._count = 0

    def add(self, at_s: float, delta: Delta) -> None:
        self._count += 1
        heapq.heappush(self._due, (at_s, self._count, delta))

    def take(self, now_s: float) -> Sequence[Delta]:
        """Removes and returns those that are known by now."""
        deltas = []
        while self._due and self._due[0][0] <= now_s:
            deltas.append(heapq.heappop(self._due)[2])
        return deltas
