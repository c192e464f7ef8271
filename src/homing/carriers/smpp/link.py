"""A link to a carrier: connects, binds, keeps the session alive, and reconnects for ever."""

import asyncio
import random
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Protocol

import structlog

from homing.carriers.smpp.answers import describe_status
from homing.carriers.smpp.settings import SmppSettings
from homing.carriers.smpp.throttle import CongestionWindow
from homing.common.backoff import doubling_s
from homing.common.host_lookup import HostLookup
from homing.smpp import connection as connections
from homing.smpp.codec import UnencodablePdu
from homing.smpp.connection import SmppConnection
from homing.smpp.open_requests import RequestFailure, ResponseOrFailure
from homing.smpp.pdus import BindReceiver, BindTransceiver, BindTransmitter, EnquireLink
from homing.smpp.session import IncomingRequest, SessionEnd
from homing.smpp.statuses import CommandStatus, StatusKind, meaning
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.timers import SessionTimers

SMPP_CARRIER_STEADY_S: Final = 30.0  # a link that lived so long was not a failure
SMPP_CARRIER_REFUSED_WAIT_FACTOR_S: Final = 10.0  # how much longer a refused bind waits than a lost link
SMPP_CARRIER_WINDOW_IN: Final = 500  # receipts of one link that wait to be stored; beyond it we do not read
log = structlog.get_logger()

RTT_WEIGHT: Final = 0.05
"""Weight of the latest round trip in the mean that health shows."""


class LinkDirection(Enum):
    """How a link binds; the value is its name in health."""

    BOTH = "transceiver"
    OUT = "transmitter"
    IN = "receiver"


_BINDS: Final = {
    LinkDirection.BOTH: BindTransceiver,
    LinkDirection.OUT: BindTransmitter,
    LinkDirection.IN: BindReceiver,
}


class LinkObserver(Protocol):
    """The owner of a carrier's links. Called from the loop; must not block."""

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        """Requests from a link, to be answered with `connection.respond`."""

    def on_room(self) -> None:
        """A link has room again."""

    def on_down(self, link: "CarrierLink") -> None:
        """A link is down; the callback of each of its submits was called."""


class CarrierLink:
    """A link of a carrier over all its connections. `number` counts from 1."""

    def __init__(
        self,
        *,
        number: int,
        direction: LinkDirection,
        settings: SmppSettings,
        timer_wheel: TimerWheel,
        rng: random.Random,
        observer: LinkObserver,
        names: HostLookup,
    ) -> None:
        self._names = names
        self.direction = direction
        self.connection: SmppConnection | None = None
        """Set while it is bound."""
        self.congestion = CongestionWindow(settings.window, settings.throttle_pause_s)
        self.in_flight = 0
        self.submitted = 0
        self._number = number
        self._settings = settings
        self._timer_wheel = timer_wheel
        self._rng = rng
        self._observer = observer
        self._timers = SessionTimers(
            session_init_s=settings.response_timeout_s,
            enquire_link_s=settings.enquire_link_s,
            inactivity_s=None,
            response_s=settings.response_timeout_s,
        )
        self._current: _LinkConnection | None = None
        self._is_ending = False
        self._is_suspect = False
        self._round_trip_s: float | None = None
        self._state = "connecting"
        self._since = datetime.now(UTC)
        self._peer = ""
        self._error: str | None = None

    # ---- Room

    @property
    def is_up(self) -> bool:
        return self.connection is not None

    @property
    def carries_out(self) -> bool:
        """Whether it binds for submits."""
        return self.direction is not LinkDirection.IN

    @property
    def sends(self) -> bool:
        """Whether it takes submits now, apart from its window."""
        return (
            self.connection is not None and self.carries_out and not self._is_suspect and not self.congestion.is_paused
        )

    @property
    def room(self) -> int:
        """How many submits it takes now."""
        if self.connection is None or self._is_suspect or not self.carries_out:
            return 0
        room = self.connection.room
        return min(room, self.congestion.allowed - self.in_flight) if self.congestion.is_limited else room

    # ---- Results of its submits

    def accepted(self, round_trip_s: float) -> None:
        """The carrier accepted a submit."""
        self._is_suspect = False
        self.congestion.accepted()
        mean = self._round_trip_s
        self._round_trip_s = round_trip_s if mean is None else mean + RTT_WEIGHT * (round_trip_s - mean)

    def throttled(self, description: str) -> bool:
        """The carrier throttled a submit: the link pauses, then one submit probes. Returns whether this began the
        pause.
        """
        self._error = description
        pause_s = self.congestion.throttled()
        if pause_s is not None:
            asyncio.get_running_loop().call_later(pause_s, self._resume)
        return pause_s is not None

    def suspect(self) -> None:
        """A submit timed out. The link takes no more until the other end has answered enquire_link, or is closed."""
        if self._is_suspect or self.connection is None:
            return
        self._is_suspect = True
        self._error = "no answer to a submit"
        self.connection.send(EnquireLink(), self._enquiry_answered)

    def refused(self, description: str) -> None:
        """The carrier refused a submit: the reason is kept for health."""
        self._error = description

    def _resume(self) -> None:
        self.congestion.resume()
        self._observer.on_room()

    def _enquiry_answered(self, answer: ResponseOrFailure) -> None:
        if answer is RequestFailure.NO_ANSWER and self.connection is not None:
            self._error = SessionEnd.SILENT.value
            self.connection.close()
        elif self._is_suspect:
            self._is_suspect = False
            self._observer.on_room()

    # ---- Connecting

    async def run(self) -> None:
        """Connects for ever, to each address in turn; cancel it to end the link at once."""
        failures = 0
        while not self._is_ending:
            was_refused = False
            for host, port in self._settings.targets:
                bound_s, was_refused = await self._hold_connection(host, port)
                if bound_s:
                    failures = 0 if bound_s >= SMPP_CARRIER_STEADY_S else failures
                    break
            failures += 1
            self._set_state("refused" if was_refused else "waiting")
            await asyncio.sleep(self._wait_s(failures, was_refused))

    async def end(self) -> None:
        """Unbinds, and does not reconnect. The caller bounds the time."""
        self._is_ending = True
        if self.connection is not None and self._current is not None:
            self.connection.unbind()
            await asyncio.wait([self._current.ended])

    def _wait_s(self, failures: int, was_refused: bool) -> float:
        first_s, longest_s = self._settings.reconnect_first_s, self._settings.reconnect_longest_s
        if was_refused:  # it would be refused again, and carriers lock accounts that keep trying
            first_s = min(longest_s, first_s * SMPP_CARRIER_REFUSED_WAIT_FACTOR_S)
        return doubling_s(failures, first_s, longest_s, self._rng)

    async def _hold_connection(self, host: str, port: int) -> tuple[float, bool]:
        """One connection, to its end: for how many seconds it was bound, and whether the bind was refused for good."""
        loop = asyncio.get_running_loop()
        self._set_state("connecting", f"{host}:{port}")
        owner = self._current = _LinkConnection(self)
        try:
            connection = await connections.connect(
                host,
                port,
                owner,
                self._timer_wheel,
                timers=self._timers,
                window_out=self._settings.window,
                window_in=SMPP_CARRIER_WINDOW_IN,
                tls=self._settings.context(),
                names=self._names,
            )
        except (OSError, ValueError) as error:  # ValueError: not a host name
            self._record_error(str(error) or type(error).__name__)
            return 0.0, False
        try:
            status = await self._request_bind(connection)
            if status != CommandStatus.ROK or owner.ended.done():
                return 0.0, status is not None and is_lasting(status)
            since_s = loop.time()
            self.connection = connection
            self._is_suspect = False
            self._set_state("bound")
            log.info("smpp_bound", peer=self._peer, bind=self._number, direction=self.direction.value)
            self._observer.on_room()
            await asyncio.shield(owner.ended)
            return max(loop.time() - since_s, 1e-6), False
        finally:
            self.connection = None
            connection.close()

    async def _request_bind(self, connection: SmppConnection) -> int | None:
        """The status of the response; None when there was none."""
        settings = self._settings
        bind = _BINDS[self.direction](
            system_id=settings.system_id,
            password=settings.password,
            system_type=settings.system_type,
            interface_version=settings.interface_version,
            address_range=settings.address_range,
        )
        try:
            answer = await connection.request(bind)
        except UnencodablePdu as error:
            self._record_error(str(error))
            return None
        if isinstance(answer, RequestFailure):
            self._record_error(f"bind: {answer.value}")
            return None
        if answer.status != CommandStatus.ROK:
            self._record_error(f"bind: {describe_status(answer.status)}")
        return answer.status

    def _set_state(self, state: str, peer: str | None = None) -> None:
        if state != self._state:
            self._state, self._since = state, datetime.now(UTC)
        if peer is not None:
            self._peer = peer

    def _record_error(self, description: str) -> None:
        if description != self._error or self._state == "bound":
            log.warning("smpp_link_failed", peer=self._peer, bind=self._number, reason=description)
        self._error = description

    def received(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        """Requests from its connection."""
        self._observer.on_requests(connection, batch)

    def room_opened(self) -> None:
        """Its connection has room again."""
        self._observer.on_room()

    def closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        """One of its connections is gone, which need not be the current one."""
        if self.connection is not connection:
            return
        self.connection = None
        if end is not SessionEnd.UNBOUND:
            self._record_error(self._error if end is SessionEnd.CLOSED and self._error else end.value)
        self._observer.on_down(self)

    # ---- Health

    def health(self) -> dict[str, object]:
        """Its entry in the carrier's health."""
        state = "bound" if self.is_up else self._state
        if self.is_up and (self.congestion.is_paused or self._is_suspect):
            state = "throttled" if self.congestion.is_paused else "doubtful"
        return {
            "bind": self._number,
            "direction": self.direction.value,
            "state": state,
            "since": self._since.isoformat(timespec="seconds"),
            "peer": self._peer,
            "in_flight": self.in_flight,
            "window": self._settings.window if not self.congestion.is_limited else self.congestion.allowed,
            "submitted": self.submitted,
            "round_trip_ms": None if self._round_trip_s is None else round(self._round_trip_s * 1000, 1),
            "last_error": self._error,
        }


class _LinkConnection:
    """Owns one connection: an old one that closes late must not be taken for the current one."""

    def __init__(self, link: CarrierLink) -> None:
        self.ended: asyncio.Future[SessionEnd] = asyncio.get_running_loop().create_future()
        self._link = link

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        self._link.received(connection, batch)

    def on_room(self, connection: SmppConnection) -> None:
        self._link.room_opened()

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self.ended.set_result(end)
        self._link.closed(connection, end)


def is_lasting(status: int) -> bool:
    """Whether a bind that was refused with this status will be refused again. RALYBND will not: the other end answers
    it until it has noticed that our last connection was lost.
    """
    return status not in (CommandStatus.ROK, CommandStatus.RALYBND) and meaning(status).kind in (
        StatusKind.SESSION,
        StatusKind.PERMANENT,
    )
