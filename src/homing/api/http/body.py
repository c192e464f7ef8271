"""Reading request bodies within bounds of size and time."""

import asyncio
import contextlib
from typing import Any, Final

from homing import limits
from homing.api.http.wire import BYTE_ORDER_MARK
from homing.common.deadlines import Deadlines

HTTP_LINGER_BYTES_MAX: Final = 16 * 1024 * 1024  # of a refused body that is still read, so that its sender hears why
HTTP_LINGER_S: Final = 5.0


class BodyFailure(Exception):
    """A body that cannot be had; the status and the words for callers whose dialect has none."""

    status = 400
    text = b"the body broke off\n"


class BodyTooLarge(BodyFailure):
    """The body is larger than the call may have."""

    status = 413
    text = b"body too large\n"


class BodyBroken(BodyFailure):
    """The client went away, or its framing is wrong."""


class LengthRequired(BodyFailure):
    """A chunked body whose end cannot be told from its breaking off."""

    status = 411
    text = b"a form needs a Content-Length\n"


class BodyLate(BodyFailure):
    """The body did not arrive within `HTTP_BODY_TIMEOUT_S`."""

    status = 408
    text = b"the body did not arrive in time\n"


class BodyReader:
    """Reads bodies; clients that dribble theirs are cut off."""

    def __init__(self) -> None:
        self._deadlines = Deadlines(limits.HTTP_BODY_TIMEOUT_S)

    async def read(self, content_length: str | None, protocol: Any, bytes_max: int) -> bytes:
        """Raises a `BodyFailure`."""
        try:
            with self._deadlines.limit():
                if content_length is None:
                    return await _read_chunked(protocol, bytes_max)
                if not _is_within(content_length, bytes_max):
                    raise BodyTooLarge
                return bytes(await protocol())
        except RuntimeError:  # the server's word for a connection or a framing that broke
            raise BodyBroken from None
        except TimeoutError:
            raise BodyLate from None


async def linger(protocol: Any) -> None:
    """Reads on after a body was refused, for a while: a client that sends all before it reads would otherwise find a
    broken connection instead of its answer.
    """
    size = 0
    with contextlib.suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout(HTTP_LINGER_S):
            async for chunk in protocol:
                size += len(chunk)
                if size > HTTP_LINGER_BYTES_MAX:
                    return


def _is_within(content_length: str, bytes_max: int) -> bool:
    return (
        content_length.isascii()
        and content_length.isdigit()
        and len(content_length) <= 12
        and int(content_length) <= bytes_max
    )


async def _read_chunked(protocol: Any, bytes_max: int) -> bytes:
    """The server ends the stream alike when the body is complete and when it breaks off. JSON shows which by itself;
    a form cut in the middle is a shorter text, so a form has to say its length.
    """
    chunks, size = [], 0
    async for chunk in protocol:
        size += len(chunk)
        if size > bytes_max:
            raise BodyTooLarge
        chunks.append(bytes(chunk))
    body = b"".join(chunks)
    if body.removeprefix(BYTE_ORDER_MARK).strip()[:1] not in (b"{", b"["):
        raise LengthRequired
    return body
