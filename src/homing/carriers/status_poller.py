"""Which messages to query at a vendor, and when. Pure: the clock is passed in, in seconds.

A message is asked about some time after it was sent, then less and less often, until its end is known or no answer can
come any more.
"""

import heapq
import itertools
from typing import Final

import msgspec

from homing import limits

API_ASK_PAUSE_S_MAX: Final = 3_600.0  # between two questions about one message


class PendingQuery(msgspec.Struct, frozen=True):
    """A message to ask about: the vendor's id, when it was sent, and how often it was asked about."""

    carrier_ref: str
    sent_s: float
    times: int = 0


class StatusPoller:
    """The messages to ask about by when it is time, `OUTSTANDING_MAX` at most: later ones are not asked about."""

    def __init__(self, first_s: float) -> None:
        """`first_s`: how long after it was sent a message is asked about; 0: never."""
        self._first_s = first_s
        self._due: list[tuple[float, int, PendingQuery]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._due)

    def add(self, carrier_ref: str, sent_s: float, now_s: float) -> None:
        if self._first_s and len(self._due) < limits.OUTSTANDING_MAX:
            self._put(PendingQuery(carrier_ref, sent_s), max(now_s, sent_s + self._first_s))

    def next_s(self) -> float | None:
        """When there is something to ask; None: nothing."""
        return self._due[0][0] if self._due else None

    def take(self, now_s: float, queries_max: int) -> list[PendingQuery]:
        """What is to be asked now, the longest due first."""
        queries: list[PendingQuery] = []
        while self._due and self._due[0][0] <= now_s and len(queries) < queries_max:
            queries.append(heapq.heappop(self._due)[2])
        return queries

    def again(self, query: PendingQuery, now_s: float) -> None:
        """It is still on its way: later, unless too much time has passed."""
        if now_s - query.sent_s < limits.API_ASK_S_MAX:
            wait_s = min(API_ASK_PAUSE_S_MAX, self._first_s * 2.0 ** min(query.times, 32))
            self._put(msgspec.structs.replace(query, times=query.times + 1), now_s + wait_s)

    def put_back(self, query: PendingQuery, at_s: float) -> None:
        """It could not be asked."""
        self._put(query, at_s)

    def _put(self, query: PendingQuery, at_s: float) -> None:
        heapq.heappush(self._due, (at_s, next(self._order), query))
