"""Reading request bodies within bounds of size and time."""

import asyncio
import contextlib
from typing import Any

from homing import limits
from homing.kit.deadlines import Deadlines


class BodyTooLarge(Exception):
    """The body is larger than `HTTP_BODY_BYTES_MAX`."""


class BodyBroken(Exception):
    """The client went away, or its framing is wrong."""


class LengthRequired(Exception):
    """A chunked body whose end cannot be told from its breaking off."""


class BodyReader:
    """Reads bodies; clients that dribble theirs are cut off."""

    def __init__(self) -> None:
        self._deadlines = Deadlines(limits.HTTP_BODY_TIMEOUT_S)

    async def read(self, content_length: str | None, protocol: Any) -> bytes:
        """Raises `BodyTooLarge`, `BodyBroken`, `LengthRequired`, or TimeoutError when it does not arrive in time."""
        with self._deadlines.limit():
            try:
                if content_length is None:
                    return await _read_chunked(protocol)
                if not _within(content_length):
                    raise BodyTooLarge
                return bytes(await protocol())
            except RuntimeError:  # the server's word for a connection or a framing that broke
                raise BodyBroken from None


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
