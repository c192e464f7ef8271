"""The synchronous transport: the standard library's HTTP over kept connections, for any number of threads."""

import functools
import http.client
import io
import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast

from homing_clients import limits
from homing_clients.call import BaseUrl, CallTerms, ClientCall, ClientDialect, ClientReply, ClientRequest
from homing_clients.course import RetryState
from homing_clients.errors import ClientError, NotSent, TooLarge, Unanswered

C = TypeVar("C", bound=ClientDialect)
C_co = TypeVar("C_co", bound=ClientDialect, covariant=True)  # a call of a base class is made by its subclass' client
P = ParamSpec("P")
T = TypeVar("T")


class BlockingClient(Generic[C_co]):
    """Makes calls, one at a time for each thread. Close it, or use it in a `with`."""

    def __init__(self, calls: C_co, terms: CallTerms) -> None:
        self._calls = calls
        self._terms = terms
        self._transport = BlockingTransport(calls.base, terms)
        self._rng = random.SystemRandom()

    def run(self, call: ClientCall[T]) -> T:
        """A call's result. Raises a `ClientError`."""
        course = RetryState(call=call, terms=self._terms, now_s=time.monotonic(), rng=self._rng)
        while True:
            try:
                request = self._calls.render(call, time.time())
                return course.read(self._transport.exchange(request, course.left_s(time.monotonic())))
            except ClientError as error:
                pause_s = course.pause_s(error, time.monotonic())
            time.sleep(pause_s)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def blocking(
    build: Callable[Concatenate[C, P], ClientCall[T]],
) -> Callable[Concatenate[BlockingClient[C], P], T]:
    """The method of a synchronous client that makes the call which `build` builds, with the same arguments."""

    @functools.wraps(build)
    def method(client: BlockingClient[C], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client.run(build(client._calls, *args, **kwargs))

    return method


class BlockingTransport:
    """One HTTP exchange at a time on a connection; idle connections are kept for whoever comes next."""

    def __init__(self, base: BaseUrl, terms: CallTerms) -> None:
        self._base = base
        self._terms = terms
        self._lock = threading.Lock()
        self._idle: list[HttpConnection] = []
        self._closed = False
        self._tls = terms.tls

    def exchange(self, request: ClientRequest, timeout_s: float) -> ClientReply:
        """Raises `NotSent` when there was no connection, `Unanswered` when it broke or took too long, `TooLarge`."""
        deadline_s = time.monotonic() + timeout_s
        connection = self._take() or self._dial(deadline_s)
        try:
            reply = connection.exchange(request, deadline_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise Unanswered(_reason(error), in_doubt=True) from error
        except BaseException:  # an interrupt too: what is left unread would be the next call's answer
            connection.close()
            raise
        self._keep(connection)
        return reply

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> "HttpConnection | None":
        while True:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the client is closed")
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.is_fresh():
                return connection
            connection.close()

    def _keep(self, connection: "HttpConnection") -> None:
        with self._lock:
            if connection.is_reusable() and not self._closed and len(self._idle) < self._terms.connections:
                self._idle.append(connection)
                return
        connection.close()

    def _dial(self, deadline_s: float) -> "HttpConnection":
        until_s = min(deadline_s, time.monotonic() + self._terms.connect_timeout_s)
        try:
            raw = _connect(self._base.host, self._base.port, until_s)
            try:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._base.scheme == "https":
                    raw = self._context().wrap_socket(raw, server_hostname=self._base.host)
            except BaseException:
                raw.close()
                raise
        except (OSError, ValueError) as error:
            raise NotSent(_reason(error)) from error
        return HttpConnection(raw, self._base)

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            return self._tls


class HttpConnection:
    """A connected socket and the library's HTTP on it."""

    def __init__(self, raw: socket.socket, base: BaseUrl) -> None:
        self._raw = raw
        self._wire = Wire(raw)
        self._host = base.authority
        self._http = http.client.HTTPConnection(base.host)
        self._http.auto_open = 0
        self._http.sock = cast(Any, self._wire)
        self._used_s = time.monotonic()
        self._reusable = True

    def exchange(self, request: ClientRequest, deadline_s: float) -> ClientReply:
        self._wire.deadline_s = deadline_s
        self._http.request(request.method, request.target, request.body, {"Host": self._host, **request.headers})
        response = self._http.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = _read(response)
        self._reusable = not response.will_close
        self._used_s = time.monotonic()
        return ClientReply(response.status, headers, body)

    def is_reusable(self) -> bool:
        return self._reusable

    def is_fresh(self) -> bool:
        """Whether the vendor is likely to read on: used lately, and silent. One that has closed its end, or speaks
        unasked, is readable.
        """
        if time.monotonic() - self._used_s > limits.IDLE_S:
            return False
        poll = select.poll()
        poll.register(self._raw, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)

    def close(self) -> None:
        self._http.close()
        self._raw.close()


class Wire:
    """A socket whose every wait ends at one deadline: a vendor that dribbles is cut off like one that is silent."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self.deadline_s = 0.0

    def limit(self) -> None:
        """Raises TimeoutError at the deadline."""
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._raw.settimeout(left_s)

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self.limit()
            rest = rest[self._raw.send(rest) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(Incoming(self, self._raw.makefile("rb", buffering=0)))

    def close(self) -> None:
        self._raw.close()


class Incoming(io.RawIOBase):
    """A wire's bytes."""

    def __init__(self, wire: Wire, raw: socket.SocketIO) -> None:
        self._wire = wire
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._wire.limit()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _connect(host: str, port: int, until_s: float) -> socket.socket:
    """Tries the name's addresses in turn; each gets its share of the time that is left."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = TimeoutError()
    for position, (family, kind, protocol, _name, address) in enumerate(addresses):
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            break
        raw = socket.socket(family, kind, protocol)
        try:
            raw.settimeout(left_s / (len(addresses) - position))
            raw.connect(address)
            raw.settimeout(max(0.001, until_s - time.monotonic()))  # for the TLS handshake
        except OSError as error:
            raw.close()
            failure = error
        else:
            return raw
    raise failure


def _read(response: http.client.HTTPResponse) -> bytes:
    """A body within bounds. The library tells a body that breaks off only where it is read without a bound, or comes
    in chunks.
    """
    if response.length is None:
        body = response.read(limits.REPLY_BYTES_MAX + 1)
        if len(body) <= limits.REPLY_BYTES_MAX:
            return body
    elif response.length <= limits.REPLY_BYTES_MAX:
        return response.read()
    raise TooLarge(f"above {limits.REPLY_BYTES_MAX} bytes", http_status=response.status, in_doubt=True)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return f"{type(error).__name__}: {error}"
