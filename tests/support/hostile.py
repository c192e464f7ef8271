"""A vendor under a test's control: a raw HTTP server that does to each request what it is told."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

DRIBBLE_S = 0.02


@dataclass(frozen=True)
class Asked:
    """A request as it came, whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Deed = Callable[[asyncio.StreamWriter], Awaitable[bool]]
"""What is done to a request; whether the connection is kept."""


def answer(body: bytes | str, status: int = 200, **headers: str) -> Deed:
    """A well-framed answer. `content_type` and so on name headers."""
    sent = body.encode() if isinstance(body, str) else body
    named = {"content_type": "application/json", "content_length": str(len(sent)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return raw(f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + sent, keep=True)


def raw(sent: bytes, *, keep: bool = False) -> Deed:
    async def do(writer: asyncio.StreamWriter) -> bool:
        writer.write(sent)
        await writer.drain()
        return keep

    return do


async def close(_writer: asyncio.StreamWriter) -> bool:
    return False


async def reset(writer: asyncio.StreamWriter) -> bool:
    writer.transport.abort()
    return False


async def silence(_writer: asyncio.StreamWriter) -> bool:
    await asyncio.Event().wait()
    return False


async def dribble(writer: asyncio.StreamWriter) -> bool:
    """An answer that never ends, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(DRIBBLE_S)


async def dribble_head(writer: asyncio.StreamWriter) -> bool:
    """Headers that never end, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(DRIBBLE_S)


async def flood(writer: asyncio.StreamWriter) -> bool:
    """A body without a length and without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


class Vendor:
    """Serves on 127.0.0.1; `deeds` are done in turn, the last one for ever."""

    def __init__(self, *deeds: Deed, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = port
        self._deeds = list(deeds)
        self._tls = tls
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _version = head[0].split(" ")
        lines = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _colon, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append(Asked(method, target, headers, body))
        deed = self._deeds.pop(0) if len(self._deeds) > 1 else self._deeds[0]
        return await deed(writer)
