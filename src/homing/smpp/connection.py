"""A session on a socket: the one place of this package that does I/O. TCP or TLS, either end, any asyncio loop.

No task and no timer belongs to a connection. What a turn of the loop makes goes out in one write; what one read
brings goes to the owner as one batch.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

from homing import limits
from homing.kit.names import Names
from homing.smpp import timers as defaults
from homing.smpp.pdus import RequestPdu, ResponsePdu
from homing.smpp.session import IncomingRequest, RequestFailure, ResponseOrFailure, SessionEnd, SmppSession
from homing.smpp.states import SessionRole, SessionState
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.timers import SessionTimers

ResponseCallback: TypeAlias = Callable[[ResponseOrFailure], None]
"""Called once, from the loop, with the answer to a request or with why there is none. Where it has a method `late`,
that is called with an answer that comes after it was told that there is none.
"""


class ConnectionOwner(Protocol):
    """Who a connection belongs to. All of this is called from the loop and must not block."""

    def on_requests(self, connection: "SmppConnection", batch: list[IncomingRequest]) -> None:
        """Requests to answer with `respond`, now or later, in any order.

        A bind is the last of its batch, and what came behind it is kept until it is answered. outbind and
        alert_notification come too; they have no answer.
        """

    def on_room(self, connection: "SmppConnection") -> None:
        """There is room again, after a `send` for which there was none."""

    def on_closed(self, connection: "SmppConnection", end: SessionEnd) -> None:
        """The connection is gone, and every request that was sent has had its answer. Called once."""


OwnerFactory: TypeAlias = Callable[["SmppConnection"], ConnectionOwner | None]
"""Called when a connection is made: its owner, or None to close it without a word. Its `peer` is known."""


class SmppConnection(asyncio.Protocol):
    """One link. Made by `connect` and `serve`."""

    __slots__ = (
        "_accept",
        "_closing_s",
        "_had_room_in",
        "_is_flushing",
        "_is_reading",
        "_is_taking",
        "_loop",
        "_lost_room",
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
        self._is_taking = False
        self._lost_room = False
        self._closing_s: float | None = None
        self.session = session
        self.timer_wheel = timer_wheel
        self.peer: tuple[str, int] = ("", 0)
        """The other end's address and port, also after the end; an empty address until it is connected."""

    # ---- For the owner

    @property
    def state(self) -> SessionState:
        return self.session.state

    @property
    def is_bound(self) -> bool:
        """Whether a bind was accepted and nobody has begun to end it."""
        return self.session.is_bound

    @property
    def room(self) -> int:
        """How many more requests can be sent now."""
        return self.session.room if self._transport is not None else 0

    def send(self, request: RequestPdu, on_answer: ResponseCallback) -> None:
        """Sends a request and returns at once. `on_answer` is called once, later, whatever happens.

        Where the window is full or the state does not allow it, the answer is `RequestFailure.NOT_SENT`; `on_room` is
        called when there is room again. Raises UnencodablePdu, and then `on_answer` is not called.
        """
        if self.session.send(request, on_answer, self.timer_wheel.now_s) is None:
            self._lost_room = True
            self._loop.call_soon(self._tell, on_answer, RequestFailure.NOT_SENT)
        elif not self._is_flushing:
            self._flush_soon()

    async def ask(self, request: RequestPdu) -> ResponseOrFailure:
        """Sends a request and waits for its answer: for binds, and where there is no hurry. Raises UnencodablePdu."""
        answer: asyncio.Future[ResponseOrFailure] = self._loop.create_future()
        self.send(request, lambda given: None if answer.done() else answer.set_result(given))
        return await answer

    def tell(self, request: RequestPdu) -> bool:
        """Sends outbind or alert_notification, which have no answer. False when the state does not allow it."""
        is_told = self.session.tell(request)
        self._flush_soon()
        return is_told

    def respond(self, sequence: int, answer: ResponsePdu | int) -> bool:
        """Answers a request of `on_requests`. An integer is the status of a response without a body.

        False when it is too late: the session has ended, or the request was answered before. Raises UnencodablePdu,
        and TypeError for the response of another command.
        """
        if self._closing_s is not None:
            return False
        is_taken = self.session.respond(sequence, answer)
        if is_taken and not self._is_flushing:
            self._flush_soon()
        return is_taken

    def unbind(self) -> None:
        """Ends the session in good order; `on_closed` tells when it is over."""
        self.session.unbind(self.timer_wheel.now_s)
        self._flush_soon()

    def close(self) -> None:
        """Ends the connection once what was sent is written. Requests without an answer are told so."""
        self.session.end = self.session.end or SessionEnd.CLOSED
        self._flush_soon()

    # ---- For the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=limits.SMPP_SOCKET_BUFFER_BYTES_MAX)
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
        # Whatever the owner does meanwhile goes out in the one write at the end.
        self._is_flushing = True
        requests, answers = self.session.receive(data, self.timer_wheel.now_s)
        for on_answer, answer in answers:
            self._tell(on_answer, answer)
        if self.session.late:
            self._tell_late()
        if requests and self._owner is not None:
            try:
                self._owner.on_requests(self, requests)
            except Exception as fault:
                self._report(fault)
        self._flush()

    def pause_writing(self) -> None:
        self.session.stall(self.timer_wheel.now_s)

    def resume_writing(self) -> None:
        self.session.flow()
        self._flush()

    def eof_received(self) -> bool:
        # Half a connection is of no use to SMPP: what was awaited cannot come any more.
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.timer_wheel.discard(self)
        self._transport = None
        for on_answer, answer in self.session.close():
            self._tell(on_answer, answer)
        if self._owner is None:
            return
        try:
            self._owner.on_closed(self, self.session.end or SessionEnd.LOST)
        except Exception as fault:
            self._report(fault)

    def tick(self, now_s: float) -> None:
        for on_answer, answer in self.session.tick(now_s):
            self._tell(on_answer, answer)
        if self._closing_s is not None and now_s - self._closing_s >= limits.SMPP_CLOSE_S:
            # The other end does not take what is in the socket's buffer; it would hold the connection for ever.
            assert self._transport is not None, "what is lost is not swept"
            self._transport.abort()
        elif self.session.has_output or self.session.end is not None:
            self._flush()

    # ---- Output

    def _flush_soon(self) -> None:
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """One write of all there is; then what follows from the session's state."""
        self._is_flushing = False
        transport, session = self._transport, self.session
        # What is given to a transport that is closing is thrown away: it must not count as written.
        if transport is None or transport.is_closing():
            return
        if session.has_output and (not session.is_stalled or session.end is not None):
            transport.write(session.take())
        if session.end is not None:
            self._closing_s = self.timer_wheel.now_s
            transport.close()
            return
        self._follow_reading(transport)
        if self._lost_room and session.room:
            self._lost_room = False
            self._loop.call_soon(self._tell_room)

    def _follow_reading(self, transport: asyncio.Transport) -> None:
        """Reads while there is room and nothing is left of what came; the rest gets its next turn."""
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
        if self.session.has_held and not self._is_taking:
            self._is_taking = True
            self._loop.call_soon(self._take_held)

    def _take_held(self) -> None:
        self._is_taking = False
        if self._transport is not None and self.session.has_held:
            self.data_received(b"")

    # ---- What owners get wrong stays theirs

    def _tell(self, on_answer: ResponseCallback, answer: ResponseOrFailure) -> None:
        try:
            on_answer(answer)
        except Exception as fault:
            self._report(fault)

    def _tell_late(self) -> None:
        answers, self.session.late = self.session.late, []
        for on_answer, answer in answers:
            on_late = getattr(on_answer, "late", None)
            if on_late is not None:
                self._tell(on_late, answer)

    def _tell_room(self) -> None:
        if self._transport is None or self._owner is None:
            return
        try:
            self._owner.on_room(self)
        except Exception as fault:
            self._report(fault)

    def _report(self, fault: Exception) -> None:
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
    window_out: int = limits.SMPP_WINDOW_OUT_DEFAULT,
    window_in: int = limits.SMPP_WINDOW_IN_DEFAULT,
    tls: ssl.SSLContext | None = None,
    names: Names | None = None,
) -> SmppConnection:
    """A connection to a message centre, not bound yet: the next step is `ask(BindTransceiver(...))`. `names`: by which
    the host's name is looked up.

    Raises OSError (TimeoutError and ssl.SSLError are such) when there is none.
    """

    def make() -> SmppConnection:
        return SmppConnection(
            lambda _made: owner,
            SmppSession(SessionRole.ESME, timer_wheel.read(), timers, window_out, window_in),
            timer_wheel,
        )

    loop = asyncio.get_running_loop()
    failure: OSError = ConnectionError(f"{host} has no address")
    async with asyncio.timeout(limits.SMPP_CONNECT_TIMEOUT_S):
        for _family, address in await (names or Names(1)).look_up(host, port):
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
    window_out: int = limits.SMPP_WINDOW_OUT_DEFAULT,
    window_in: int = limits.SMPP_WINDOW_IN_DEFAULT,
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server:
    """Listens; `accept` gives each connection's owner. Port 0: any free one, `sockets[0].getsockname()[1]`."""

    def make() -> SmppConnection:
        return SmppConnection(
            accept, SmppSession(SessionRole.SMSC, timer_wheel.read(), timers, window_out, window_in), timer_wheel
        )

    loop = asyncio.get_running_loop()
    return await loop.create_server(make, host, port, ssl=tls, backlog=limits.SMPP_BACKLOG)
