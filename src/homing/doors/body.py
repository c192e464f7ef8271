"""Reading request bodies within bounds of size and time."""

import asyncio
import contextlib
from collections import deque
from typing import Any

from homing import limits


class BodyTooLarge(Exception):
    """The body is larger than `HTTP_BODY_BYTES_MAX`."""


class BodyBroken(Exception):
    """The client went away, or its framing is wrong."""


class LengthRequired(Exception):
    """A chunked body whose end cannot be told from its breaking off."""


class Read:
    """A body that is being read: until when, and by which task (None once it has been read)."""

    __slots__ = ("deadline_s", "is_late", "task")

    def __init__(self, deadline_s: float, task: "asyncio.Task[Any] | None") -> None:
        self.deadline_s = deadline_s
        self.task = task
        self.is_late = False


class BodyReader:
    """Reads bodies; one sweep a second cuts off the clients that dribble theirs.

    All reads have the same time, so they end in the order they began and a queue does what a timer for each would,
    at a tenth of the cost: bodies nearly always arrive with their headers.
    """

    def __init__(self) -> None:
        self._reads: deque[Read] = deque()
        self._sweeper: asyncio.Task[None] | None = None

    async def read(self, content_length: str | None, protocol: Any) -> bytes:
        """Raises `BodyTooLarge`, `BodyBroken`, `LengthRequired`, or TimeoutError when it does not arrive in time."""
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        read = Read(asyncio.get_running_loop().time() + limits.HTTP_BODY_TIMEOUT_S, asyncio.current_task())
        self._reads.append(read)
        try:
            if content_length is None:
                return await _read_chunked(protocol)
            if not _within(content_length):
                raise BodyTooLarge
            return bytes(await protocol())
        except RuntimeError:  # the server's word for a connection or a framing that broke
            raise BodyBroken from None
        except asyncio.CancelledError:
            if read.is_late:
                raise TimeoutError from None
            raise
        finally:
            read.task = None

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            now_s = loop.time()
            while self._reads and (self._reads[0].task is None or self._reads[0].deadline_s <= now_s):
                read = self._reads.popleft()
                if read.task is not None:
                    read.is_late = True
                    read.task.cancel()


async def linger(protocol: Any) -> None:
    """Reads on after a body was refused, for a while: a client that sends all before it reads would otherwise find a
    broken connection instead of its answer.
    """
    size = 0
    with contextlib.suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout(limits.HTTP_LINGER_S):
            async for chunk in protocol:
                size += len(chunk)
                if size > limits.HTTP_LINGER_BYTES_MAX:
                    return


def _within(content_length: str) -> bool:
    return (
        content_length.isascii()
        and content_length.isdigit()
        and len(content_length) <= 12
        and int(content_length) <= limits.HTTP_BODY_BYTES_MAX
    )


async def _read_chunked(protocol: Any) -> bytes:
    """The server ends the stream alike when the body is complete and when it breaks off. JSON shows which by itself;
    a form cut in the middle is a shorter text, so a form has to say its length.
    """
    chunks, size = [], 0
    async for chunk in protocol:
        size += len(chunk)
        if size > limits.HTTP_BODY_BYTES_MAX:
            raise BodyTooLarge
        chunks.append(bytes(chunk))
    body = b"".join(chunks)
    if body.strip()[:1] not in (b"{", b"["):
        raise LengthRequired
    return body
