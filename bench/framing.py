"""Where an HTTP/1.1 message ends: all the parsing that generator and sink do. Pure: bytes in, lengths out.

The source of the rules is RFC 9112 section 6.3, less the chunked coding: both sides here send whole bodies,
and a server that answers a few hundred bytes in chunks is told so rather than guessed at.
"""

from typing import Final, NamedTuple

INCOMPLETE: Final = -1
"""The head has not arrived whole; ask again when there are more bytes."""
UNTIL_CLOSE: Final = -2
"""No length was given: the body ends where the connection does (HTTP/1.0, or `Connection: close`)."""


class FramingError(ValueError):
    """The peer frames its bodies in a way that this bench does not read."""


class Frame(NamedTuple):
    """The extent of one response: bytes [0, body) are the head, [body, end) the body."""

    body: int
    end: int
    keep_alive: bool


_UNKNOWN: Final = Frame(0, INCOMPLETE, True)


def frame_response(data: bytes) -> Frame:
    """The frame of the response at the start of `data`; `end` may lie beyond it, or be one of the constants.

    Raises FramingError for chunked bodies and for bytes that are not HTTP/1.x.
    """
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return _UNKNOWN
    if not data.startswith(b"HTTP/1."):
        raise FramingError(f"not HTTP/1.x: {data[:40]!r}")
    body = head + 4
    # "ength:" is the part of Content-Length that servers agree on; RFC 9110 leaves the letter case to them.
    at = data.find(b"ength:", 0, head)
    if at < 0:
        if data.find(b"hunked", 0, head) >= 0:
            raise FramingError("chunked body")
        return Frame(body, UNTIL_CLOSE, False)
    length = int(data[at + 6 : data.find(b"\r", at)])
    # HTTP/1.1 stays open unless it says "close"; HTTP/1.0 closes unless it says "keep-alive"
    is_1_1 = data[7] == 0x31
    keep_alive = data.find(b"lose\r\n", 0, body) < 0 if is_1_1 else b"keep-alive" in data[:body].lower()
    return Frame(body, body + length, keep_alive)


def frame_request(data: bytes | bytearray, start: int) -> Frame:
    """The frame of the request at `start` of `data`, positions counted from the start of `data`.

    A request without a length has no body (RFC 9112 section 6.3, rule 7).
    """
    head = data.find(b"\r\n\r\n", start)
    if head < 0:
        return _UNKNOWN
    body = head + 4
    at = data.find(b"ength:", start, head)
    length = 0 if at < 0 else int(data[at + 6 : data.find(b"\r", at)])
    return Frame(body, body + length, True)
