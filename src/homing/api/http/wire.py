"""HTTP request and response, independent of the server."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

import msgspec

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""UTF-8's. Some programs write it before what they send; it is no part of it (RFC 8259, section 8.1)."""
METHODS_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
JSON_UTF8 = "application/json; charset=utf-8"


class Headers(Protocol):
    """Looks a header up by its lower-case name."""

    def get(self, key: str, default: str | None = None) -> str | None:
        """None also for a value that is not ASCII."""
        ...

    def __contains__(self, key: str) -> bool: ...


class HttpCall(Protocol):
    """Parts of a call that the server reads on demand."""

    def find_address(self) -> str:
        """The client's, behind the proxies that are trusted."""
        ...

    async def fetch_body(self, bytes_max: int) -> bytes:
        """Once a call. Raises a `BodyFailure`, `BodyTooLarge` above so many bytes."""
        ...


class HttpRequest(msgspec.Struct):
    """One call. `query` is the raw query string. `body` is empty until `read`: what a stranger sends costs no more than
    its headers.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    request_id: str
    call: HttpCall

    async def read(self, bytes_max: int) -> None:
        """Fills `body`; once a call. Raises a `BodyFailure`, `BodyTooLarge` above so many bytes."""
        if self.method in METHODS_WITH_BODY:
            self.body = await self.call.fetch_body(bytes_max)


class HttpResponse(msgspec.Struct):
    """`body` is sent whole, or chunk by chunk where it is an iterator."""

    body: bytes | AsyncGenerator[bytes, None]
    status: int = 200
    content_type: str = JSON_UTF8
    headers: tuple[tuple[str, str], ...] = ()
    """Beside those that every answer has."""


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class HttpEndpoint(msgspec.Struct, frozen=True):
    """A path's handler; `name` labels its metrics."""

    name: str
    methods: frozenset[str]
    handler: Handler
