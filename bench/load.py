"""A lean HTTP/1.1 load generator: closed loop for the peak rate, open loop for latencies at a given rate.

It is written by hand on uvloop's `asyncio.Protocol` because it shares two cores with the system that it
measures: each microsecond that a request costs here is one that the server cannot have, and client libraries
cost 200 to 18,000 of them where this costs about 17. It keeps one request in flight on a connection, opens
connections again when the server closes them, and checks every answer (status, and bytes that the body must
hold): a fast refusal is no success.

Run it under `uvloop.run`, in a process that does nothing else, or its CPU figure tells nothing.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from math import inf
from time import perf_counter, process_time

from bench.connection import Connection
from bench.tally import Result, Tally
from bench.ticker import Ticker

Address = tuple[str, int]
Requests = Callable[[], bytes] | Iterator[bytes]
"""Whole requests, head and body. An iterator that ends ends the run."""

DRAIN_S = 10.0
"""How long answers are awaited after the last request; what is missing then counts as an error."""
CLOSE_S = 1.0
"""How long connections may take to close after that; nothing is counted any more."""
RECONNECT_WAIT_S = 0.05
TICK_S = 0.00025
"""Open loop: due requests leave a tick at a time, and the wait is part of their latency."""


async def closed_loop(
    address: Address,
    requests: Requests,
    connections: int,
    duration_s: float,
    warmup_s: float,
    expect: bytes,
    *,
    status: int = 200,
    collect: Callable[[bytes], None] | None = None,
) -> Result:
    """Keep `connections` requests in flight for warm-up and duration; count the answers of the duration.

    `expect` must occur in each body; `collect` is given the body of each right answer, to read ids from.
    An iterator that ends before the time is up shortens the window: the rate stays a rate.
    Raises OSError when the first connections cannot be opened.
    """
    return await _Closed(address, requests, Tally(expect, status, collect)).run(connections, duration_s, warmup_s)


async def open_loop(
    address: Address,
    requests: Requests,
    rate_per_s: float,
    connections: int,
    duration_s: float,
    warmup_s: float,
    expect: bytes,
    *,
    status: int = 200,
    collect: Callable[[bytes], None] | None = None,
    tick_s: float = TICK_S,
) -> Result:
    """Send `rate_per_s` requests a second whatever the server does, over at most `connections` at once.

    Latencies run from the moment when a request was due, not from when it could leave: a stall is felt by all
    whom it would have kept waiting (no coordinated omission). The window counts requests by that moment.
    A longer `tick_s` makes the generator cheaper where throughput is asked and not latency.
    Raises OSError when the first connections cannot be opened.
    """
    tally = Tally(expect, status, collect)
    return await _Open(address, requests, tally, rate_per_s, tick_s).run(connections, duration_s, warmup_s)


class _Loop(ABC):
    """What both loops share: connections that are kept up, a window that is measured, a drain."""

    def __init__(self, address: Address, requests: Requests, tally: Tally) -> None:
        self._address = address
        self._next: Callable[[], bytes | None]
        self._next = partial(next, requests, None) if isinstance(requests, Iterator) else requests
        self._tally = tally
        self._live: set[Connection] = set()
        self._reconnecting: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._waiting: deque[float] = deque()
        """When the requests were due that no connection was free for (open loop)."""
        self._start_s = self._end_s = inf
        self._stopping = False
        """No further request becomes due; those that are still go out and are awaited."""
        self._closing = False
        self._drained = asyncio.Event()

    async def run(self, connections: int, duration_s: float, warmup_s: float) -> Result:
        await asyncio.gather(*(self._connect(0.0) for _ in range(connections)))
        origin_s = perf_counter()
        self._start_s = origin_s + warmup_s
        self._end_s = self._start_s + duration_s
        self._begin(origin_s)
        await self._drained_within(warmup_s)
        cpu_s = process_time()
        await self._drained_within(self._end_s - perf_counter())
        cpu_s = process_time() - cpu_s
        seconds = max(0.0, min(self._end_s, perf_counter()) - self._start_s)
        self._stopping = True
        self._check_drained()
        if not await self._drained_within(DRAIN_S):
            self._tally.fault("unanswered", count=self._in_flight + len(self._waiting))
        await self._close()
        if not self._tally.accepted and not self._tally.faults:
            self._tally.fault("nothing was answered")
        return self._tally.result(seconds, cpu_s)

    @abstractmethod
    def _begin(self, now_s: float) -> None:
        """Send the first requests."""

    def opened(self, connection: Connection) -> None:
        self._live.add(connection)
        if self._closing:
            connection.close()

    @abstractmethod
    def idle(self, connection: Connection, since_s: float) -> None: ...

    @abstractmethod
    def answered(self, connection: Connection, data: bytes, body: int, now_s: float) -> None: ...

    def lost(self, connection: Connection, fault: str, data: bytes) -> None:
        self._live.discard(connection)
        if self._closing:
            return
        if connection.busy:
            self._in_flight -= 1
        if fault:
            self._tally.fault(fault, data)
        else:
            self._tally.reconnects += 1
        task = asyncio.get_running_loop().create_task(self._reconnect(perf_counter()))
        self._reconnecting.add(task)
        task.add_done_callback(self._reconnecting.discard)
        self._check_drained()

    def _send(self, connection: Connection, since_s: float) -> None:
        request = self._next()
        if request is None:
            self._stopping = True
            self._waiting.clear()
            self._check_drained()
            return
        self._in_flight += 1
        connection.send(request, since_s)

    def _check_drained(self) -> None:
        if self._stopping and not self._in_flight and not self._waiting:
            self._drained.set()

    async def _drained_within(self, timeout_s: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._drained.wait(), timeout_s)
        return self._drained.is_set()

    async def _connect(self, since_s: float) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Connection(self, since_s), *self._address)

    async def _reconnect(self, since_s: float) -> None:
        while not self._closing:
            try:
                return await self._connect(since_s)
            except OSError as error:
                self._tally.fault(f"connect: {type(error).__name__}")
                await asyncio.sleep(RECONNECT_WAIT_S)

    async def _close(self) -> None:
        self._closing = True
        # Not cancelled while they may succeed: uvloop would lose such a connection unseen.
        if self._reconnecting:
            await asyncio.wait(self._reconnecting, timeout=CLOSE_S)
        for task in self._reconnecting:
            task.cancel()
        for connection in list(self._live):
            connection.close()
        deadline_s = perf_counter() + CLOSE_S
        while self._live and perf_counter() < deadline_s:
            await asyncio.sleep(0.001)


class _Closed(_Loop):
    """A connection sends again as soon as it is answered."""

    def _begin(self, now_s: float) -> None:
        for connection in list(self._live):
            self._send(connection, now_s)

    def idle(self, connection: Connection, since_s: float) -> None:
        if self._start_s < inf and not self._stopping:
            self._send(connection, since_s)

    def answered(self, connection: Connection, data: bytes, body: int, now_s: float) -> None:
        self._in_flight -= 1
        if self._tally.right(data, body) and self._start_s <= now_s < self._end_s:
            self._tally.latencies_s.append(now_s - connection.since_s)
        if self._stopping:
            self._check_drained()


class _Open(_Loop):
    """A clock decides when a request is due; connections serve those that wait, first come first."""

    def __init__(self, address: Address, requests: Requests, tally: Tally, rate_per_s: float, tick_s: float) -> None:
        super().__init__(address, requests, tally)
        self._rate_per_s = rate_per_s
        self._tick_s = tick_s
        self._origin_s = 0.0
        self._issued = 0
        self._free: list[Connection] = []
        self._ticker: Ticker

    def _begin(self, now_s: float) -> None:
        self._origin_s = now_s
        self._ticker = Ticker(self._tick_s, self._tick)

    def _tick(self) -> None:
        now_s = min(perf_counter(), self._end_s)
        while (since_s := self._origin_s + self._issued / self._rate_per_s) < now_s and not self._stopping:
            self._issued += 1
            if self._free:
                self._send_due(self._free.pop(), since_s, now_s)
            else:
                self._waiting.append(since_s)
        if now_s >= self._end_s or self._stopping:
            self._ticker.stop()

    def idle(self, connection: Connection, since_s: float) -> None:
        if self._waiting:
            self._send_due(connection, self._waiting.popleft(), since_s)
        else:
            self._free.append(connection)

    def _send_due(self, connection: Connection, since_s: float, now_s: float) -> None:
        if self._start_s <= since_s < self._end_s:
            self._tally.lags_s.append(now_s - since_s)
        self._send(connection, since_s)

    def answered(self, connection: Connection, data: bytes, body: int, now_s: float) -> None:
        self._in_flight -= 1
        since_s = connection.since_s
        if self._tally.right(data, body) and self._start_s <= since_s < self._end_s:
            self._tally.latencies_s.append(now_s - since_s)
        if self._stopping:
            self._check_drained()

    def lost(self, connection: Connection, fault: str, data: bytes) -> None:
        if connection in self._free:
            self._free.remove(connection)
        super().lost(connection, fault, data)
