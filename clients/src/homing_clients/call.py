"""A call and its HTTP form, without I/O: parameters, request, and how the response is read."""

import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from homing_clients import limits

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

T = TypeVar("T")

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "Homing"}
"""Of every call."""


class ClientRequest(msgspec.Struct, frozen=True):
    """`target` is the path and query as they go over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


class ClientReply(msgspec.Struct, frozen=True):
    """Header names are in lower case; the body is as it came, compressed or not."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ClientEndpoint(msgspec.Struct, frozen=True):
    """One of a dialect's calls. `repeatable`: made twice it does no more than made once."""

    name: str
    method: str
    repeatable: bool


class ClientCall(msgspec.Struct, Generic[T], frozen=True):
    """What is asked of an endpoint, without credentials.

    `read` gives the typed result or raises a `ClientError`; its second argument says whether an earlier try of the same
    call may have been done. `idempotency_key`: by which the service knows a repetition; "" where it knows none.
    """

    endpoint: ClientEndpoint
    parameters: Mapping[str, object]
    read: Callable[[ClientReply, bool], T]
    repeatable: bool
    idempotency_key: str = ""


class BaseUrl(msgspec.Struct, frozen=True):
    """Where a vendor's API is. `prefix` is the path before an endpoint's name, without a slash at its end."""

    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def authority(self) -> str:
        """Host and port, as the Host header has them: the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"


class ClientDialect(Protocol):
    """Writes a call as HTTP with the credentials that it keeps."""

    @property
    def base(self) -> BaseUrl: ...

    def render(self, call: ClientCall[Any], now_s: float) -> ClientRequest:
        """`now_s`: Unix time; every try is rendered anew, for a signature ages."""
        ...


class CallTerms(msgspec.Struct, frozen=True):
    """How a client deals with its vendor. Times in seconds.

    `timeout_s` is for a call as a whole: connecting, every try and the waits between them. `connections`: how many at
    once (async), or how many are kept for the next call (sync). `resolver`: looks names up for an asynchronous client;
    None: aiohttp's own.
    """

    connect_timeout_s: float = limits.CONNECT_TIMEOUT_S
    timeout_s: float = limits.CALL_TIMEOUT_S
    attempts: int = limits.ATTEMPTS_MAX
    connections: int = limits.CONNECTIONS_MAX
    tls: ssl.SSLContext | None = None
    resolver: "AbstractResolver | None" = None


USUAL: Final = CallTerms()


def parse_base(url: str) -> BaseUrl:
    """Raises ValueError for anything but an http or https URL of host, port and path."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a base URL begins with http:// or https:// and names a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("a base URL has no user, query or fragment")
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise ValueError("a base URL is printable ASCII; write other letters percent-encoded")
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    return BaseUrl(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def check_credential(name: str, value: str) -> str:
    """What goes into a header: raises ValueError where it would be empty or break out."""
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"{name} is printable ASCII without spaces")
    return value
