"""A timer wheel: one sweep for the timers of all sessions of a process, instead of a timer for each.

The sessions are spread over the slots of a ring. Each step ticks those of one slot, so that ten thousand idle sessions
cost a little all the time and never much at once.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from homing import limits

SLOTS: Final = 16


class Tickable(Protocol):
    """A member of the wheel. It must be hashable by identity."""

    def tick(self, now_s: float) -> None:
        """Called once every `limits.SMPP_SWEEP_S`; must not raise."""


class TimerWheel:
    """`now_s` is the time of the last step: near enough for timers of seconds, and free to read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, slots: int = SLOTS) -> None:
        self._clock = clock
        self._slots: list[set[Tickable]] = [set() for _ in range(slots)]
        self._slot_of: dict[Tickable, int] = {}
        self._at = 0
        self._handle: asyncio.TimerHandle | None = None
        self.now_s = clock()

    def __len__(self) -> int:
        return len(self._slot_of)

    def read(self) -> float:
        """The time of the last step; the clock's while there are no members, for then there are no steps."""
        if not self._slot_of:
            self.now_s = self._clock()
        return self.now_s

    def add(self, member: Tickable) -> None:
        """Ticks `member` from now on."""
        self.read()
        slot = min(range(len(self._slots)), key=lambda index: len(self._slots[index]))
        self._slots[slot].add(member)
        self._slot_of[member] = slot

    def discard(self, member: Tickable) -> None:
        """Stops ticking `member`; nothing where it is no member."""
        slot = self._slot_of.pop(member, None)
        if slot is not None:
            self._slots[slot].discard(member)

    def step(self) -> None:
        """Reads the clock and ticks the members of the next slot."""
        self.now_s = self._clock()
        self._at = (self._at + 1) % len(self._slots)
        for member in list(self._slots[self._at]):
            member.tick(self.now_s)

    def sweep(self) -> None:
        """One full turn: ticks every member once."""
        for _slot in self._slots:
            self.step()

    def run(self) -> None:
        """Steps from now on in the running loop, until `stop` or until there are no members."""
        if self._handle is None:
            self._schedule(asyncio.get_running_loop())

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = loop.call_later(limits.SMPP_SWEEP_S / len(self._slots), self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = None
        try:
            self.step()
        finally:
            if self._slot_of:
                self._schedule(loop)
