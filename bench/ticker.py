"""A clock tick finer than the event loop's: libuv's timers count whole milliseconds and fire up to two late.

Of a latency of a few milliseconds that would be a good part. A Linux timerfd wakes the loop as a socket does.
Python offers it from 3.13 on; before that it is two calls into the C library.
"""

import asyncio
import ctypes
import os
from collections.abc import Callable


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("first", _Timespec))


class Ticker:
    """Calls `on_tick` every `period_s` seconds (below 1) until stopped. Ticks that were missed merge."""

    def __init__(self, period_s: float, on_tick: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._on_tick = on_tick
        self._loop = asyncio.get_running_loop()
        self._timer: int = libc.timerfd_create(1, os.O_NONBLOCK | os.O_CLOEXEC)  # 1: CLOCK_MONOTONIC
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        period = _Timespec(0, int(period_s * 1e9))
        if libc.timerfd_settime(self._timer, 0, ctypes.byref(_Itimerspec(period, period)), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self._loop.add_reader(self._timer, self._ticked)

    def stop(self) -> None:
        """Idempotent."""
        if self._timer >= 0:
            self._loop.remove_reader(self._timer)
            os.close(self._timer)
            self._timer = -1

    def _ticked(self) -> None:
        os.read(self._timer, 8)  # how many ticks have passed: who is called asks a clock anyway
        self._on_tick()
