"""A receiver for pushes: says 200 at once, counts, and remembers which messages it has heard of.

`with Sink() as sink` starts it in a process of its own, so that its CPU is not the generator's. It takes
`GET /push?id=` for a push (Kannel calls so), and answers `GET /count` with its counts and `GET /ids` with a JSON object
of message id -> number of pushes.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import msgspec
import uvloop

from bench.framing import frame_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ID_FIELDS = (b'"msgid":', b'"message_id":')
"""Where the two dialects keep a push's message id."""

CALL = b"GET /push?id="


class Counts(msgspec.Struct, frozen=True):
    """What has been received so far."""

    posts: int
    malformed: int
    """Bodies that are not one JSON object, by their first and last byte."""
    nameless: int
    """Well-formed bodies without a message id."""
    messages: int
    """Different message ids."""
    cpu_s: float
    """CPU of the sink's process since it started."""


class Sink:
    """The receiver as its users see it: start, ask, stop."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str]
        self.address = ("127.0.0.1", 0)
        self.pid = 0

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}/push"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sink"],
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.address = ("127.0.0.1", int(self._process.stdout.readline()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(10)

    def counts(self) -> Counts:
        """Ask now; blocks for about a millisecond."""
        return msgspec.convert(self._get("/count"), Counts)

    def pushes(self) -> dict[str, int]:
        """Message id -> how many pushes named it."""
        return msgspec.convert(self._get("/ids"), dict[str, int])

    async def reached(self, messages: int, timeout_s: float) -> Counts:
        """Wait until so many different messages were heard of, or for the timeout; the counts tell which."""
        deadline_s = time.monotonic() + timeout_s
        while (counts := self.counts()).messages < messages and time.monotonic() < deadline_s:
            await asyncio.sleep(0.05)
        return counts

    def _get(self, path: str) -> Any:
        connection = HTTPConnection(*self.address, timeout=30)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class _Received:
    """The counts of one sink process."""

    __slots__ = ("malformed", "messages", "nameless", "posts")

    def __init__(self) -> None:
        self.posts = self.malformed = self.nameless = 0
        self.messages: Counter[bytes] = Counter()

    def take(self, body: bytes) -> None:
        self.posts += 1
        if not (body.startswith(b"{") and body.endswith(b"}")):
            self.malformed += 1
            return
        for field in ID_FIELDS:
            at = body.find(field)
            if at >= 0:
                start = at + len(field)
                end = body.find(b",", start)
                self.messages[body[start : end if end >= 0 else -1].strip(b' "')] += 1
                return
        self.nameless += 1

    def called(self, line: bytes) -> None:
        self.posts += 1
        self.messages[line.removeprefix(CALL).partition(b"&")[0]] += 1

    def answer(self, line: bytes) -> bytes:
        if line.startswith(b"GET /count"):
            counts = Counts(self.posts, self.malformed, self.nameless, len(self.messages), time.process_time())
            body = msgspec.json.encode(counts)
        elif line.startswith(b"GET /ids"):
            body = msgspec.json.encode({name.decode(): n for name, n in self.messages.items()})
        else:
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class _Receiver(asyncio.Protocol):
    """One connection: any number of requests, in order, pipelined or in pieces."""

    __slots__ = ("_buffer", "_received", "_transport")

    def __init__(self, received: _Received) -> None:
        self._received = received
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, of the same shape

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        start = 0
        while start < len(data):
            frame = frame_request(data, start)
            if not start < frame.end <= len(data):
                break
            if data.startswith(b"POST ", start):
                self._received.take(data[frame.body : frame.end])
                self._transport.write(OK)
            elif data.startswith(CALL, start):
                self._received.called(data[start : data.index(b" HTTP", start)])
                self._transport.write(OK)
            else:
                self._transport.write(self._received.answer(data[start : frame.body]))
            start = frame.end
        self._buffer = data[start:]


async def _serve() -> None:
    received = _Received()
    server = await asyncio.get_running_loop().create_server(lambda: _Receiver(received), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
