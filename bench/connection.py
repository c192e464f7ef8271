"""One keep-alive connection of the generator, with at most one request in flight."""

import asyncio
from time import perf_counter
from typing import Protocol, cast

from bench.framing import INCOMPLETE, UNTIL_CLOSE, FramingError, frame_response


class Driver(Protocol):
    """What a connection reports to: the loop that decides what is sent next."""

    def opened(self, connection: "Connection") -> None:
        """The connection is up; `idle` follows."""

    def idle(self, connection: "Connection", since_s: float) -> None:
        """The connection can take a request; in a closed loop the next one is due since `since_s`."""

    def answered(self, connection: "Connection", data: bytes, body: int, now_s: float) -> None:
        """The response `data` is whole; its body begins at `body`."""

    def lost(self, connection: "Connection", fault: str, data: bytes) -> None:
        """The connection is gone; `fault` is empty when it ended in order, between two requests."""


class Connection(asyncio.Protocol):
    """Writes requests and cuts the byte stream into responses. Times are `perf_counter` seconds."""

    __slots__ = ("_buffer", "_driver", "_fault", "_need", "_transport", "busy", "since_s")

    def __init__(self, driver: Driver, since_s: float = 0.0) -> None:
        self._driver = driver
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._need = 0
        self._fault = ""
        self.busy = False
        self.since_s = since_s
        """When the request in flight was due. A reconnection starts from the loss, and so pays for it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, of the same shape
        self._driver.opened(self)
        self._driver.idle(self, self.since_s or perf_counter())

    def send(self, request: bytes, since_s: float) -> None:
        self.busy = True
        self.since_s = since_s
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._need:
                return
            data = bytes(self._buffer)
        try:
            body, end, keep_alive = frame_response(data)
        except (FramingError, ValueError) as error:
            self._abort(f"framing: {error}", data)
            return
        size = len(data)
        if end == size and self.busy:
            self._buffer.clear()
            self.busy = False
            now_s = perf_counter()
            self._driver.answered(self, data, body, now_s)
            if keep_alive:
                self._driver.idle(self, now_s)
            else:
                self._transport.close()
            return
        if 0 <= end <= size:
            self._abort("bytes that nobody asked for", data)
            return
        if not self._buffer:
            self._buffer += data
        # Any byte may complete a head; a body that ends with the connection is only taken when that does.
        self._need = size + 1 if end == INCOMPLETE else (1 << 62) if end == UNTIL_CLOSE else end

    def connection_lost(self, exc: Exception | None) -> None:
        data = bytes(self._buffer)
        if self.busy and not self._fault and exc is None and data:
            frame = frame_response(data)
            if frame.end == UNTIL_CLOSE:
                self.busy = False
                self._driver.answered(self, data, frame.body, perf_counter())
        fault = self._fault or ("connection lost with a request in flight" if self.busy else "")
        self._driver.lost(self, fault, data)

    def _abort(self, fault: str, data: bytes) -> None:
        self._fault = fault
        self._buffer[:] = data
        self._transport.abort()
