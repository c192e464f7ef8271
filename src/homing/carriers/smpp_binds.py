"""One of a carrier's links: connected, bound, kept alive, and connected again for ever."""

import asyncio
import random
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Protocol

import structlog

from homing import limits
from homing.carriers.smpp_answers import describe_status
from homing.carriers.smpp_ramp import CongestionWindow
from homing.carriers.smpp_settings import SmppSettings
from homing.kit.backoff import doubling_s
from homing.kit.names import Names
from homing.smpp import connection as connections
from homing.smpp.codec import UnencodablePdu
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import BindReceiver, BindTransceiver, BindTransmitter, EnquireLink
from homing.smpp.session import IncomingRequest, RequestFailure, ResponseOrFailure, SessionEnd
from homing.smpp.statuses import CommandStatus, StatusKind, meaning
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.timers import SessionTimers

log = structlog.get_logger()

RTT_WEIGHT: Final = 0.05
"""Of the latest round trip in the mean that is shown."""


class LinkDirection(Enum):
    """What a link carries; the value is what health calls it."""

    BOTH = "transceiver"
    OUT = "transmitter"
    IN = "receiver"


_BINDS: Final = {
    LinkDirection.BOTH: BindTransceiver,
    LinkDirection.OUT: BindTransmitter,
    LinkDirection.IN: BindReceiver,
}


class LinkObserver(Protocol):
    """Who a carrier's links belong to. Called from the loop; must not block."""

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        """What came by a link, to be answered with `connection.respond`."""

    def on_room(self) -> None:
        """A link has room that it had not."""

    def on_down(self, bind: "CarrierLink") -> None:
        """A link is gone; every submit that it carried has had its answer."""


class CarrierLink:
    """A link of a carrier, while it is up and while it is not. `number` counts from 1."""

    def __init__(
        self,
        number: int,
        direction: LinkDirection,
        settings: SmppSettings,
        timer_wheel: TimerWheel,
        chance: random.Random,
        switchboard: LinkObserver,
        names: Names,
    ) -> None:
        self._names = names
        self.direction = direction
        self.connection: SmppConnection | None = None
        """Set while it is bound."""
        self.ramp = CongestionWindow(settings.window, settings.throttle_pause_s)
        self.in_flight = 0
        self.submitted = 0
        self._number = number
        self._settings = settings
        self._timer_wheel = timer_wheel
        self._chance = chance
        self._switchboard = switchboard
        self._timers = SessionTimers(
            session_init_s=settings.response_timeout_s,
            enquire_link_s=settings.enquire_link_s,
            inactivity_s=None,
            response_s=settings.response_timeout_s,
        )
        self._life: _LinkConnection | None = None
        self._is_ending = False
        self._is_doubtful = False
        self._round_trip_s: float | None = None
        self._state = "connecting"
        self._since = datetime.now(UTC)
        self._peer = ""
        self._error: str | None = None

    # ---- What may go

    @property
    def is_up(self) -> bool:
        return self.connection is not None

    @property
    def carries_out(self) -> bool:
        """Whether it is a link for submits."""
        return self.direction is not LinkDirection.IN

    @property
    def sends(self) -> bool:
        """Whether submits may go by it now, but for its window."""
        return self.connection is not None and self.carries_out and not self._is_doubtful and not self.ramp.is_paused

    @property
    def room(self) -> int:
        """How many submits it can be given now."""
        if self.connection is None or self._is_doubtful or not self.carries_out:
            return 0
        room = self.connection.room
        return min(room, self.ramp.allowed - self.in_flight) if self.ramp.is_limited else room

    # ---- What its submits tell

    def answered(self, round_trip_s: float) -> None:
        """The carrier took a submit."""
        self._is_doubtful = False
        self.ramp.taken()
        mean = self._round_trip_s
        self._round_trip_s = round_trip_s if mean is None else mean + RTT_WEIGHT * (round_trip_s - mean)

    def throttled(self, words: str) -> bool:
        """The carrier wants less: the link pauses, then one submit probes. Whether this answer began the pause."""
        self._error = words
        pause_s = self.ramp.throttled()
        if pause_s is not None:
            asyncio.get_running_loop().call_later(pause_s, self._resume)
        return pause_s is not None

    def doubt(self) -> None:
        """A submit had no answer. The link gets no more until it has shown that it lives, or it is ended."""
        if self._is_doubtful or self.connection is None:
            return
        self._is_doubtful = True
        self._error = "no answer to a submit"
        self.connection.send(EnquireLink(), self._reassure)

    def refused(self, words: str) -> None:
        """The carrier refused a submit: kept to be shown."""
        self._error = words

    def _resume(self) -> None:
        self.ramp.resume()
        self._switchboard.on_room()

    def _reassure(self, answer: ResponseOrFailure) -> None:
        if answer is RequestFailure.NO_ANSWER and self.connection is not None:
            self._error = SessionEnd.SILENT.value
            self.connection.close()
        elif self._is_doubtful:
            self._is_doubtful = False
            self._switchboard.on_room()

    # ---- Its life

    async def run(self) -> None:
        """Connects for ever, each address in turn; cancel it to end the link at once."""
        failures = 0
        while not self._is_ending:
            was_refused = False
            for host, port in self._settings.targets:
                lived_s, was_refused = await self._live(host, port)
                if lived_s:
                    failures = 0 if lived_s >= limits.SMPP_CARRIER_STEADY_S else failures
                    break
            failures += 1
            self._enter("refused" if was_refused else "waiting")
            await asyncio.sleep(self._wait_s(failures, was_refused))

    async def end(self) -> None:
        """Ends the link in good order, and it stays so. Whoever calls it bounds the time."""
        self._is_ending = True
        if self.connection is not None and self._life is not None:
            self.connection.unbind()
            await asyncio.wait([self._life.ended])

    def _wait_s(self, failures: int, was_refused: bool) -> float:
        first_s, longest_s = self._settings.reconnect_first_s, self._settings.reconnect_longest_s
        if was_refused:  # a wrong password does not get better, and carriers lock accounts that keep trying
            first_s = min(longest_s, first_s * limits.SMPP_CARRIER_REFUSED_WAIT_FACTOR_S)
        return doubling_s(failures, first_s, longest_s, self._chance)

    async def _live(self, host: str, port: int) -> tuple[float, bool]:
        """One life of the link: how many seconds it was bound, and whether the bind was refused for good."""
        loop = asyncio.get_running_loop()
        self._enter("connecting", f"{host}:{port}")
        life = self._life = _LinkConnection(self)
        try:
            connection = await connections.connect(
                host,
                port,
                life,
                self._timer_wheel,
                timers=self._timers,
                window_out=self._settings.window,
                window_in=limits.SMPP_CARRIER_WINDOW_IN,
                tls=self._settings.context(),
                names=self._names,
            )
        except (OSError, ValueError) as error:  # ValueError: no name of a host
            self._fail(str(error) or type(error).__name__)
            return 0.0, False
        try:
            status = await self._bind(connection)
            if status != CommandStatus.ROK or life.ended.done():
                return 0.0, status is not None and is_lasting(status)
            since_s = loop.time()
            self.connection = connection
            self._is_doubtful = False
            self._enter("bound")
            log.info("smpp_bound", peer=self._peer, bind=self._number, direction=self.direction.value)
            self._switchboard.on_room()
            await asyncio.shield(life.ended)
            return max(loop.time() - since_s, 1e-6), False
        finally:
            self.connection = None
            connection.close()

    async def _bind(self, connection: SmppConnection) -> int | None:
        """The answer's status; None when there was none."""
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
            self._fail(str(error))
            return None
        if isinstance(answer, RequestFailure):
            self._fail(f"bind: {answer.value}")
            return None
        if answer.status != CommandStatus.ROK:
            self._fail(f"bind: {describe_status(answer.status)}")
        return answer.status

    def _enter(self, state: str, peer: str | None = None) -> None:
        if state != self._state:
            self._state, self._since = state, datetime.now(UTC)
        if peer is not None:
            self._peer = peer

    def _fail(self, words: str) -> None:
        if words != self._error or self._state == "bound":
            log.warning("smpp_link_failed", peer=self._peer, bind=self._number, reason=words)
        self._error = words

    def passes(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        """What came by its connection."""
        self._switchboard.on_requests(connection, batch)

    def has_room(self) -> None:
        """Its connection takes more again."""
        self._switchboard.on_room()

    def closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        """A connection of its own is gone, which need not be the one it has now."""
        if self.connection is not connection:
            return
        self.connection = None
        if end is not SessionEnd.UNBOUND:
            self._fail(self._error if end is SessionEnd.CLOSED and self._error else end.value)
        self._switchboard.on_down(self)

    # ---- For people

    def shown(self) -> dict[str, object]:
        """What health tells of it."""
        state = "bound" if self.is_up else self._state
        if self.is_up and (self.ramp.is_paused or self._is_doubtful):
            state = "throttled" if self.ramp.is_paused else "doubtful"
        return {
            "bind": self._number,
            "direction": self.direction.value,
            "state": state,
            "since": self._since.isoformat(timespec="seconds"),
            "peer": self._peer,
            "in_flight": self.in_flight,
            "window": self._settings.window if not self.ramp.is_limited else self.ramp.allowed,
            "submitted": self.submitted,
            "round_trip_ms": None if self._round_trip_s is None else round(self._round_trip_s * 1000, 1),
            "last_error": self._error,
        }


class _LinkConnection:
    """The owner of one connection: an old one that closes late must not be taken for the one after it."""

    def __init__(self, bind: CarrierLink) -> None:
        self.ended: asyncio.Future[SessionEnd] = asyncio.get_running_loop().create_future()
        self._bind = bind

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        self._bind.passes(connection, batch)

    def on_room(self, connection: SmppConnection) -> None:
        self._bind.has_room()

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self.ended.set_result(end)
        self._bind.closed(connection, end)


def is_lasting(status: int) -> bool:
    """Whether a bind that was refused with this status will be refused again. Being bound already passes: it is said
    while the other end has not noticed yet that our last link died.
    """
    return status not in (CommandStatus.ROK, CommandStatus.RALYBND) and meaning(status).kind in (
        StatusKind.SESSION,
        StatusKind.PERMANENT,
    )
