"""An HTTP client for customers' addresses that cannot reach the operator's own network (SSRF)."""

import ipaddress
import socket
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from yarl import URL

from homing import limits
from homing.common.deadlines import Deadlines
from homing.common.networks import Network
from homing.common.urls import divided, in_request_line
from homing.delivery.resolver import CONNECTING_ACCOUNT_ID, Lookup, PushResolver, system_lookup

PUSH_CONNECT_TIMEOUT_S: Final = 5.0
PUSH_ANSWER_CHARS_MAX: Final = 200
HEADERS: Final = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Homing"}


class PostResult(msgspec.Struct, frozen=True):
    """The result of a POST. `status` None: there was no HTTP response, and `answer` is the reason; otherwise `answer`
    is the beginning of the body.
    """

    status: int | None
    answer: str
    took_ms: int


class AddressRefused(OSError):
    """The address, or what its name resolves to, is not one that pushes may go to."""


class SafeHttpClient:
    """Posts JSON. The IP address that is connected to is checked, after resolution, so that a name cannot resolve to
    another one between check and connect (DNS rebinding). Redirects are not followed.
    """

    def __init__(self, allowed: Sequence[Network], lookup: Lookup = system_lookup) -> None:
        """`allowed`: private and loopback networks that the operator lets pushes go to. `lookup`: of names."""
        self._lookup = lookup
        self._allowed = tuple(allowed)
        self._deadlines = Deadlines(limits.PUSH_TIMEOUT_S)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=limits.PUSH_IN_FLIGHT_MAX,
                limit_per_host=0,  # by recipient instead (push_places.py): many can be at one host
                socket_factory=self._socket,
                resolver=PushResolver(self._lookup),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=PUSH_CONNECT_TIMEOUT_S),
            headers=HEADERS,
            skip_auto_headers=("Accept", "Accept-Encoding"),
            auto_decompress=False,
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def post(self, url: str, body: str, headers: dict[str, str], account_id: int = 0) -> PostResult:
        """Posts `body`; failures of the address are part of the result. The name is resolved in the share of threads of
        `account_id`.
        """
        assert self._session is not None
        CONNECTING_ACCOUNT_ID.set(account_id)
        started_s = time.perf_counter()
        try:
            check_port(url)
            with self._deadlines.limit():
                async with self._session.post(
                    encoded_as_written(url), data=body.encode(), headers=headers, allow_redirects=False
                ) as response:
                    start = await response.content.read(PUSH_ANSWER_CHARS_MAX)
                    status: int | None = response.status
                    answer = start.decode(errors="replace").replace("\0", "")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            status, answer = None, _reason(error)
        return PostResult(status, answer, round((time.perf_counter() - started_s) * 1000))

    def check(self, url: str) -> None:
        """Raises `AddressRefused` for a URL that is refused already as it is written. One with a name is looked at when
        it is connected to.
        """
        check_port(url)
        try:
            ipaddress.ip_address(host := urlsplit(url).hostname or "")
        except ValueError:
            return
        check_address(host, self._allowed)

    def _socket(self, address: Any) -> socket.socket:
        family, kind, protocol, _name, target = address
        check_address(target[0], self._allowed)
        return socket.socket(family, kind, protocol)


def encoded_as_written(url: str) -> URL:
    """The URL as its owner wrote it; only white space and non-ASCII characters are encoded."""
    head, target = divided(url)
    if not head.isascii():
        head = str(URL(head)).removesuffix("/")
    return URL(f"{head}{in_request_line(target)}", encoded=True)


def check_address(address: str, allowed: Sequence[Network]) -> None:
    """Raises `AddressRefused` unless the address is public or in a network that the operator allows."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or _embedded(ip) or ip
    if any(ip.version == network.version and ip in network for network in allowed):
        return
    if (
        ip in HOST_AGENTS
        or not ip.is_global
        or ip.is_multicast
        or (isinstance(ip, ipaddress.IPv6Address) and _is_no_host(ip))
    ):
        raise AddressRefused(f"{address} is not a public address")


EMBEDDING: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
NO_HOSTS: Final = tuple(
    map(
        ipaddress.IPv6Network,
        ("64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16", "100:0:0:1::/64"),
    )
)
HOST_AGENTS: Final = frozenset((ipaddress.ip_address("168.63.129.16"),))
"""Addresses that are public by their range and belong to the machine's own provider (Azure's host agent)."""
PORTS_REFUSED: Final = frozenset((22, 23, 25, 110, 111, 143, 465, 587, 993, 995, 2049, 3306, 5432, 6379, 11211, 27017))
"""Ports of services that could take a request's lines for commands: mail, shells, databases."""


def check_port(url: str) -> None:
    """Raises `AddressRefused` for a port of `PORTS_REFUSED`."""
    port = urlsplit(url).port
    if port in PORTS_REFUSED:
        raise AddressRefused(f"port {port} is no web server's")


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a translator (NAT64, RFC 6052) or an old tunnel would forward to."""
    if int(ip) > 1 and any(ip in network for network in EMBEDDING):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def _is_no_host(ip: ipaddress.IPv6Address) -> bool:
    """Ranges without public hosts that `is_global` does not exclude: local-use translation (RFC 8215), the old
    site-local range, documentation (RFC 9637), segment routing (RFC 9602), dummy prefix (RFC 9780).
    """
    return any(ip in network for network in NO_HOSTS)


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AddressRefused):
            return f"address refused: {cause}"
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    if isinstance(error, TimeoutError):
        return "timeout"
    return f"{type(error).__name__}: {error}"[:PUSH_ANSWER_CHARS_MAX]
