"""The server adapter: plain request → response functions on granian's RSGI.

It routes by path, bounds bodies and waits, gives each call a request id, and counts. What a call means is the doors'
business; what a socket does is the server's.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from homing import limits
from homing.accounts.refusal_log import RefusalLog
from homing.api.http.body import BodyFailure, BodyReader, BodyTooLarge, linger
from homing.api.http.stray_calls import StrayCalls
from homing.api.http.wire import METHODS_WITH_BODY, HttpEndpoint, HttpRequest, HttpResponse
from homing.common.client_address import client_address
from homing.common.networks import Network
from homing.observe.http import HttpMetrics
from homing.observe.logs import describe
from homing.serving import SERVER

HTTP_ADDRESSES_KEYS_MAX: Final = 5_000  # peers and X-Forwarded-For whose caller is remembered
log = structlog.get_logger()
PLAIN: Final = "text/plain; charset=utf-8"
NOT_FOUND: Final = 404
SERVER_HEADER: Final = ("server", SERVER)


class HttpAdapter:
    """Serves endpoints by path. Paths under `/api/` match in any letter case, a trailing slash is dropped. An endpoint
    whose own path ends with a slash serves all that begins with it.
    """

    def __init__(
        self,
        endpoints: Mapping[str, HttpEndpoint],
        *,
        trusted_proxies: Sequence[Network],
        metrics: HttpMetrics,
        refusal_log: RefusalLog,
        stray_calls: StrayCalls,
    ) -> None:
        self._endpoints = dict(endpoints)
        self._beginnings = tuple(path for path in endpoints if path.endswith("/"))
        self._trusted = tuple(trusted_proxies)
        self._metrics = metrics
        self._refusal_log = refusal_log
        self._stray_calls = stray_calls
        self._addresses: dict[tuple[str, ...], str] = {}
        self.bodies = BodyReader()
        self._prefix = secrets.token_hex(4)
        self._count = 0
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Any, protocol: Any) -> None:
        """One RSGI call."""
        started_s = time.perf_counter()
        self._count += 1
        request_id = f"{self._prefix}{self._count:x}"
        self._in_flight += 1
        self._idle.clear()
        endpoint: HttpEndpoint | None = None
        status = 500
        # Each look at the scope is a call into the server, and copies what it gives.
        method, path, query, headers = scope.method, scope.path, scope.query_string, scope.headers
        call = _Call(door=self, scope=scope, headers=headers, protocol=protocol, method=method)
        request = HttpRequest(method, path, query, headers, b"", request_id, call)
        try:
            endpoint = self._find(path)
            if len(headers.get_all("host")) != 1 and scope.http_version == "1.1":
                response = HttpResponse(b"one Host is needed\n", 400, PLAIN)  # RFC 9112, section 3.2
            elif endpoint is None:
                response = HttpResponse(b"not found\n", 404, PLAIN)
                request.stray_code = "404"
            elif method not in endpoint.methods:
                response = HttpResponse(b"method not allowed\n", 405, PLAIN)
                request.stray_code = "405"
            elif len(query) > limits.HTTP_QUERY_BYTES_MAX:
                response = HttpResponse(b"query too long\n", 414, PLAIN)
            else:
                response = await _serve(endpoint, request)
                if request.refused:
                    self._log_refused(endpoint.name, request)
            status = response.status
            await _answer(protocol, response, request_id)
            if request.stray_code:
                name = endpoint.name if endpoint is not None and status != NOT_FOUND else ""
                await self._stray_calls.note(request, request.stray_code, name)
            if call.is_body_left:
                await linger(protocol)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
            self._metrics.count(endpoint.name if endpoint else "none", status, time.perf_counter() - started_s)

    async def drained(self) -> None:
        """Returns when no call is under way."""
        await self._idle.wait()

    def _log_refused(self, name: str, request: HttpRequest) -> None:
        address = request.call.find_address()
        for refused in request.refused:
            self._refusal_log.note(name, request.caller, refused, address=address, request_id=request.request_id)

    def _find(self, path: str) -> HttpEndpoint | None:
        endpoint = self._endpoints.get(path)
        if endpoint is None:
            plain = path.rstrip("/")
            endpoint = self._endpoints.get(plain)
            if endpoint is None and plain[:5].lower() == "/api/":
                endpoint = self._endpoints.get(plain.lower())
            if endpoint is None:
                beginning = next((each for each in self._beginnings if path.startswith(each)), "")
                endpoint = self._endpoints.get(beginning)
        return endpoint

    def address_of(self, scope: Any, headers: Any) -> str:
        """Every call asks, and few addresses make most calls."""
        peer: str = scope.client.rpartition(":")[0].strip("[]")
        if not self._trusted or headers.get("x-forwarded-for") is None:
            return peer
        key = (peer, *headers.get_all("x-forwarded-for"))
        address = self._addresses.get(key)
        if address is None:
            if len(self._addresses) >= HTTP_ADDRESSES_KEYS_MAX:
                self._addresses.clear()
            address = self._addresses[key] = client_address(peer, key[1:], self._trusted)
        return address


class _Call:
    """A call as the server has it. `is_body_left`: nobody has read its body to the end."""

    __slots__ = ("_address", "_door", "_headers", "_protocol", "_scope", "is_body_left")

    def __init__(self, *, door: HttpAdapter, scope: Any, headers: Any, protocol: Any, method: str) -> None:
        self._door = door
        self._scope = scope
        self._headers = headers
        self._protocol = protocol
        self._address: str | None = None
        self.is_body_left = method in METHODS_WITH_BODY

    def find_address(self) -> str:
        if self._address is None:
            self._address = self._door.address_of(self._scope, self._headers)
        return self._address

    async def fetch_body(self, bytes_max: int) -> bytes:
        self.is_body_left = False
        try:
            return await self._door.bodies.read(self._headers.get("content-length"), self._protocol, bytes_max)
        except BodyTooLarge:
            self.is_body_left = True
            raise


async def _serve(endpoint: HttpEndpoint, request: HttpRequest) -> HttpResponse:
    try:
        return await endpoint.handler(request)
    except BodyFailure as failure:
        return HttpResponse(failure.text, failure.status, PLAIN)
    except Exception as error:  # what no dialect had words for; the caller gets no detail
        log.error("request_failed", request_id=request.request_id, endpoint=endpoint.name, **describe(error))
        return HttpResponse(b"internal error\n", 500, PLAIN)


async def _answer(protocol: Any, response: HttpResponse, request_id: str) -> None:
    headers = [("content-type", response.content_type), ("x-request-id", request_id), SERVER_HEADER]
    if response.headers:
        headers.extend(response.headers)
    if isinstance(response.body, bytes):
        protocol.response_bytes(response.status, headers, response.body)
        return
    async with contextlib.aclosing(response.body) as pieces:
        transport = protocol.response_stream(response.status, headers)
        async for piece in pieces:
            await transport.send_bytes(piece)
