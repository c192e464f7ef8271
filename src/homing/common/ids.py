"""Time-ordered 53-bit ids: 41 bits of milliseconds, 6 of node, 6 of sequence.

Below 2^53 because in some dialects ids are JSON numbers, which JavaScript keeps exact only that far. Ids of one
process strictly increase; across processes they are ordered by millisecond.
"""

import time
from collections.abc import Callable
from typing import Final

from homing import errors, limits

EPOCH_MS: Final = 1_735_689_600_000  # 2025-01-01T00:00:00Z; 41 bits reach the year 2094
NODE_BITS: Final = 6
SEQUENCE_BITS: Final = 6
SHIFT: Final = NODE_BITS + SEQUENCE_BITS
NODES: Final = 1 << NODE_BITS
ID_MAX: Final = (1 << 53) - 1


def wall_clock_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


class IdSource:
    """Makes IDs for one node number (0..63), which the process holds under a lease in the database.

    When a millisecond's 64 ids are used up, the next ones borrow from the milliseconds to come; a clock that
    steps back is handled the same way. Raises `Overloaded` when that would lead too far ahead of the clock.
    """

    def __init__(self, node: int, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        if not 0 <= node < NODES:
            raise ValueError(f"node {node} is outside 0..{NODES - 1}")
        self._clock_ms = clock_ms
        self._node_bits = node << SEQUENCE_BITS
        self._at_ms = 0
        self._sequence = 0

    def next(self) -> int:
        now_ms = self._clock_ms() - EPOCH_MS
        if now_ms > self._at_ms:
            self._at_ms = now_ms
            self._sequence = 0
        elif self._sequence == (1 << SEQUENCE_BITS) - 1:
            if self._at_ms - now_ms > limits.ID_AHEAD_MS_MAX:
                raise errors.Overloaded("more ids than the clock has milliseconds")
            self._at_ms += 1
            self._sequence = 0
        else:
            self._sequence += 1
        return (self._at_ms << SHIFT) | self._node_bits | self._sequence


def id_time_ms(message_id: int) -> int:
    """Unix time in milliseconds at which an id was given out."""
    return (message_id >> SHIFT) + EPOCH_MS


def first_id_at(unix_ms: int) -> int:
    """The smallest id of a millisecond: the bound for queries and partitions by time."""
    return max(0, unix_ms - EPOCH_MS) << SHIFT
