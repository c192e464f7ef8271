"""Messages that are followed by another request of the same number within minutes, as service reads them."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from homing.lab.event_queue import REPEATED, REPEATED_LOST, EventQueue
from homing.lab.world import Demand
from homing.learning.repeats import LOST_SOON_S, REPEAT_READ_S, REPEAT_WINDOW_S


class RepeatedRequests:
    """The first messages of the latest REPEAT_WINDOW_S, by app and number. Only these are repeated, and once each."""

    def __init__(self, events: EventQueue) -> None:
        self._events = events
        self._first: dict[tuple[int, int], tuple[float, int, float]] = {}  # sent, event key, when reported as lost

    def observe(
        self,
        tick: int,
        demand: Demand,
        passed: NDArray[np.bool_],
        event_keys: NDArray[np.int64],
        lost_s: NDArray[np.float64],
    ) -> None:
        """Takes in a tick's messages that `passed`. `lost_s`: when their carrier reports them as lost; inf: never."""
        repeated: dict[int, list[tuple[int, float, float]]] = {REPEATED: [], REPEATED_LOST: []}
        first = self._first
        rows = np.flatnonzero(passed)
        fields = (demand["app"][rows], demand["number"][rows], demand["at_s"][rows], event_keys[rows], lost_s[rows])
        for app, number, at_s, event_key, its_lost_s in zip(*(field.tolist() for field in fields), strict=True):
            person = app, number
            known = first.get(person)
            if known is not None and at_s - known[0] <= REPEAT_WINDOW_S:
                first[person] = known[0], -1, known[2]  # which has its repeat
                if known[1] >= 0:
                    kind = REPEATED_LOST if known[2] - known[0] <= LOST_SOON_S else REPEATED
                    repeated[kind].append((known[1], at_s, at_s - known[0]))
                continue
            first.pop(person, None)  # so that the oldest come first
            first[person] = at_s, event_key, its_lost_s
        for kind, of_kind in repeated.items():
            if of_kind:
                keys, at, took = (np.array(column) for column in zip(*of_kind, strict=True))
                self._events.add(
                    kind, keys, np.array([ceil(each / REPEAT_READ_S) * REPEAT_READ_S for each in at]), took, tick
                )
        self._forget(tick)

    def _forget(self, tick: int) -> None:
        until_s = tick * self._events.tick_s - REPEAT_WINDOW_S
        expired = []
        for person, (sent_s, _event_key, _lost_s) in self._first.items():
            if sent_s >= until_s:
                break
            expired.append(person)
        for person in expired:
            del self._first[person]
