"""A session on a socket: the one module of this package that does I/O. TCP or TLS, either end, any asyncio loop.

A connection has no task and no timer of its own. The output of one turn of the loop is one write; the requests of one
read are one batch for the owner.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias, cast

from homing import limits
from homing.common.host_lookup import HostLookup
from homing.smpp import timers as defaults
from homing.smpp.open_requests import RequestFailure, ResponseOrFailure
from homing.smpp.pdus import RequestPdu, ResponsePdu
from homing.smpp.session import (
    SMPP_WINDOW_IN_DEFAULT,
    SMPP_WINDOW_OUT_DEFAULT,
    IncomingRequest,
    SessionEnd,
    SmppSession,
)
from homing.smpp.states import SessionRole, SessionState
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.timers import SessionTimers

SMPP_SOCKET_BUFFER_BYTES_MAX: Final = 256 * 1024  # handed to the transport before we wait for it
SMPP_CONNECT_TIMEOUT_S: Final = 10.0


ResponseCallback: TypeAlias = Callable[[ResponseOrFailure], None]
"""Called once, from the loop, with the response to a request or the reason why there is none. If it has a method
`late`, that is called with a response that comes after `RequestFailure.NO_ANSWER`.
"""


class ConnectionOwner(Protocol):
    """The owner of a connection. All of this is called from the loop and must not block."""

    def on_requests(self, connection: "SmppConnection", batch: list[IncomingRequest]) -> None:
        """Requests to answer with `respond`, now or later, in any order.

        A bind is the last of its batch; PDUs behind it are deferred until it is answered. outbind and
        alert_notification come too; they have no response.
        """

    def on_room(self, connection: "SmppConnection") -> None:
        """There is room again in the window, after a `send` for which there was none."""

    def on_closed(self, connection: "SmppConnection", end: SessionEnd) -> None:
        """The connection is gone, and every request's callback was called. Called once."""


OwnerFactory: TypeAlias = Callable[["SmppConnection"], ConnectionOwner | None]
"""Called when a connection is made: returns its owner, or None to close it. Its `peer` is known."""


class SmppConnection(asyncio.Protocol):
    """Made by `connect` and `serve`."""

    __slots__ = (
        "_accept",
        "_closing_s",
        "_had_room_in",
        "_is_flushing",
        "_is_reading",
        "_is_room_awaited",
        "_is_take_scheduled",
        "_loop",
        "_owner",
        "_transport",
        "peer",
        "session",
        "timer_wheel",
    )

    def __init__(self, accept: OwnerFactory, session: SmppSession[ResponseCallback], timer_wheel: TimerWheel) -> None:
        self._accept = accept
        self._owner: ConnectionOwner | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._is_flushing = False
        self._is_reading = True
        self._had_room_in = True
        self._is_take_scheduled = False
        self._is_room_awaited = False
        self._closing_s: float | None = None
        self.session = session
        self.timer_wheel = timer_wheel
        self.peer: tuple[str, int] = ("", 0)
        """The other end's address and port, kept after the end; an empty address until it is connected."""

    # ---- For the owner

    @property
    def state(self) -> SessionState:
        return self.session.state

    @property
    def is_bound(self) -> bool:
        """Whether a bind was accepted and neither end has begun to unbind."""
        return self.session.is_bound

    @property
    def room(self) -> int:
        """How many more requests can be sent now."""
        return self.session.room if self._transport is not None else 0

    def send(self, request: RequestPdu, on_answer: ResponseCallback) -> None:
        """Sends a request and returns at once. `on_answer` is called once, later, in any case.

        Where the window is full or the state does not allow it, the answer is `RequestFailure.NOT_SENT`; `on_room` is
        called when there is room again. Raises UnencodablePdu, and then `on_answer` is not called.
        """
        if self.session.send(request, on_answer, self.timer_wheel.now_s) is None:
            self._is_room_awaited = True
            self._loop.call_soon(self._call_back, on_answer, RequestFailure.NOT_SENT)
        elif not self._is_flushing:
            self._flush_soon()

    async def request(self, request: RequestPdu) -> ResponseOrFailure:
        """Sends a request and waits for its response: for binds, and where speed does not matter. Raises
        UnencodablePdu.
        """
        answer: asyncio.Future[ResponseOrFailure] = self._loop.create_future()
        self.send(request, lambda result: None if answer.done() else answer.set_result(result))
        return await answer

    def notify(self, request: RequestPdu) -> bool:
        """Sends outbind or alert_notification, which have no response. False when the state does not allow it."""
        is_sent = self.session.notify(request)
        self._flush_soon()
        return is_sent

    def respond(self, sequence: int, answer: ResponsePdu | int) -> bool:
        """Responds to a request of `on_requests`. An integer is the status of a response without a body.

        False when it is too late: the session has ended, or there was a response before. Raises UnencodablePdu, and
        TypeError for the response of another command.
        """
        if self._closing_s is not None:
            return False
        is_taken = self.session.respond(sequence, answer)
        if is_taken and not self._is_flushing:
            self._flush_soon()
        return is_taken

    def unbind(self) -> None:
        """Ends the session in order; `on_closed` is called when it is over."""
        self.session.unbind(self.timer_wheel.now_s)
        self._flush_soon()

    def close(self) -> None:
        """Ends the connection once its output is written. Open requests end with a RequestFailure."""
        self.session.end = self.session.end or SessionEnd.CLOSED
        self._flush_soon()

    # ---- For the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=SMPP_SOCKET_BUFFER_BYTES_MAX)
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            self.peer = (name[0], name[1])
        self._owner = self._accept(self)
        if self._owner is None:
            self._transport.abort()
            return
        self.timer_wheel.add(self)
        self.timer_wheel.run()

    def data_received(self, data: bytes) -> None:
        # Whatever the owner sends meanwhile goes out in the one write at the end.
        self._is_flushing = True
        requests, answers = self.session.receive(data, self.timer_wheel.now_s)
        for on_answer, answer in answers:
            self._call_back(on_answer, answer)
        if self.session.has_late:
            self._call_back_late()
        if requests and self._owner is not None:
            try:
                self._owner.on_requests(self, requests)
            except Exception as fault:
                self._report_owner_error(fault)
        self._flush()

    def pause_writing(self) -> None:
        self.session.stall(self.timer_wheel.now_s)

    def resume_writing(self) -> None:
        self.session.unstall()
        self._flush()

    def eof_received(self) -> bool:
        # A half-closed connection is of no use to SMPP: no response can come any more.
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.timer_wheel.discard(self)
        self._transport = None
        for on_answer, answer in self.session.close():
            self._call_back(on_answer, answer)
        if self._owner is None:
            return
        try:
            self._owner.on_closed(self, self.session.end or SessionEnd.LOST)
        except Exception as fault:
            self._report_owner_error(fault)

    def tick(self, now_s: float) -> None:
        for on_answer, answer in self.session.tick(now_s):
            self._call_back(on_answer, answer)
        if self._closing_s is not None and now_s - self._closing_s >= limits.SMPP_CLOSE_S:
            # The other end does not read what is in the socket's buffer, which would hold the connection for ever.
            assert self._transport is not None, "a lost connection is not ticked"
            self._transport.abort()
        elif self.session.has_output or self.session.end is not None:
            self._flush()

    # ---- Output

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Writes all output at once, then acts on the session's state."""
        self._is_flushing = False
        transport, session = self._transport, self.session
        # A transport that is closing drops its output, which must not count as written.
        if transport is None or transport.is_closing():
            return
        if session.has_output and (not session.is_stalled or session.end is not None):
            transport.write(session.take())
        if session.end is not None:
            self._closing_s = self.timer_wheel.now_s
            transport.close()
            return
        self._adjust_reading(transport)
        if self._is_room_awaited and session.room:
            self._is_room_awaited = False
            self._loop.call_soon(self._call_on_room)

    def _adjust_reading(self, transport: asyncio.Transport) -> None:
        """Reads while there is room and nothing is deferred; deferred PDUs are taken in the next turn of the loop."""
        has_room_in, had_room_in = self.session.has_room_in, self._had_room_in
        self._had_room_in = has_room_in
        if has_room_in and not had_room_in:
            self.session.resume(self.timer_wheel.now_s)
        may_read = self.session.may_read
        if may_read != self._is_reading:
            self._is_reading = may_read
            if may_read:
                transport.resume_reading()
            else:
                transport.pause_reading()
        if self.session.has_deferred and not self._is_take_scheduled:
            self._is_take_scheduled = True
            self._loop.call_soon(self._take_deferred)

    def _take_deferred(self) -> None:
        self._is_take_scheduled = False
        if self._transport is not None and self.session.has_deferred:
            self.data_received(b"")

    # ---- An owner's exceptions do not end the connection

    def _call_back(self, on_answer: ResponseCallback, answer: ResponseOrFailure) -> None:
        try:
            on_answer(answer)
        except Exception as fault:
            self._report_owner_error(fault)

    def _call_back_late(self) -> None:
        answers = self.session.take_late()
        for on_answer, answer in answers:
            on_late = getattr(on_answer, "late", None)
            if on_late is not None:
                self._call_back(on_late, answer)

    def _call_on_room(self) -> None:
        if self._transport is None or self._owner is None:
            return
        try:
            self._owner.on_room(self)
        except Exception as fault:
            self._report_owner_error(fault)

    def _report_owner_error(self, fault: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "the owner of an SMPP connection failed", "exception": fault, "protocol": self}
        )


async def connect(
    host: str,
    port: int,
    owner: ConnectionOwner,
    timer_wheel: TimerWheel,
    *,
    timers: SessionTimers = defaults.DEFAULT,
    window_out: int = SMPP_WINDOW_OUT_DEFAULT,
    window_in: int = SMPP_WINDOW_IN_DEFAULT,
    tls: ssl.SSLContext | None = None,
    names: HostLookup | None = None,
) -> SmppConnection:
    """A connection to a message centre, not bound yet: the next step is `request(BindTransceiver(...))`. `names`: looks
    up the host's name.

    Raises OSError (TimeoutError and ssl.SSLError are such) when it cannot be made.
    """

    def make() -> SmppConnection:
        return SmppConnection(
            lambda _made: owner,
            SmppSession(
                role=SessionRole.ESME,
                now_s=timer_wheel.read(),
                timers=timers,
                window_out=window_out,
                window_in=window_in,
            ),
            timer_wheel,
        )

    loop = asyncio.get_running_loop()
    failure: OSError = ConnectionError(f"{host} has no address")
    async with asyncio.timeout(SMPP_CONNECT_TIMEOUT_S):
        for _family, address in await (names or HostLookup(1)).look_up(host, port):
            try:
                _transport, connection = await loop.create_connection(
                    make, address, port, ssl=tls, server_hostname=host if tls else None
                )
                return connection
            except OSError as error:
                failure = error
    raise failure


async def serve(
    host: str,
    port: int,
    accept: OwnerFactory,
    timer_wheel: TimerWheel,
    *,
    timers: SessionTimers = defaults.DEFAULT,
    window_out: int = SMPP_WINDOW_OUT_DEFAULT,
    window_in: int = SMPP_WINDOW_IN_DEFAULT,
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server:
    """Listens; `accept` returns each connection's owner. Port 0: any free one, `sockets[0].getsockname()[1]`."""

    def make() -> SmppConnection:
        return SmppConnection(
            accept,
            SmppSession(
                role=SessionRole.SMSC,
                now_s=timer_wheel.read(),
                timers=timers,
                window_out=window_out,
                window_in=window_in,
            ),
            timer_wheel,
        )

    loop = asyncio.get_running_loop()
    return await loop.create_server(make, host, port, ssl=tls, backlog=limits.SMPP_BACKLOG)
