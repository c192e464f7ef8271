"""The SMPP server for customers: it listens, lets binds in, and ends them. What their requests do is the business of
`smpp_commands`; what they are told, of `events/bind_delivery`.
"""

import asyncio
import contextlib
import resource
import ssl
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias

import structlog

from homing import config, errors, limits
from homing.accounts.binds import BindRegister
from homing.accounts.directory import Directory
from homing.accounts.profile import Credential, Profile
from homing.config import Smpp
from homing.doors.failures import FailureLog
from homing.doors.smpp_bind import AdmittedBind, BindAuthenticator, BindRefused, check_account
from homing.doors.smpp_commands import CommandHandler
from homing.doors.smpp_newcomers import UnboundConnections
from homing.doors.smpp_tls import TlsHandshake, TlsListener
from homing.doors.smpp_words import VendorStatus
from homing.events.bind_delivery import BindDelivery, Receiver
from homing.model import BindKind
from homing.observe.logs import describe
from homing.observe.smpp import SmppMetrics
from homing.smpp import pdus
from homing.smpp.codec import UnencodablePdu
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import INTERFACE_VERSION
from homing.smpp.session import IncomingRequest, SessionEnd, SmppSession
from homing.smpp.states import BINDS, SessionRole
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.tlvs import SC_INTERFACE_VERSION

SYSTEM_ID = "homing"
"""What we call ourselves in the answer to a bind."""

BIND_RESPONSES: Final[Mapping[type[pdus.BindRequest], Callable[..., pdus.ResponsePdu]]] = {
    pdus.BindTransmitter: pdus.BindTransmitterResp,
    pdus.BindReceiver: pdus.BindReceiverResp,
    pdus.BindTransceiver: pdus.BindTransceiverResp,
}

log = structlog.get_logger()


class EsmeSession:
    """One customer's connection, from connecting to closing."""

    __slots__ = ("_door", "_held", "address", "admitted", "app_id", "connection", "credential", "name", "receiver")

    credential: Credential

    def __init__(self, door: "SmppListener", connection: SmppConnection) -> None:
        self._door = door
        self._held: list[list[IncomingRequest]] = []
        self.connection = connection
        self.address = connection.peer[0]
        self.admitted: AdmittedBind | None = None
        self.receiver: Receiver | None = None
        self.app_id = ""
        self.name = ""

    def admit(self, admitted: AdmittedBind, request: pdus.BindRequest) -> None:
        """It is bound from now on."""
        bind = admitted.bind
        self.admitted = admitted
        self.app_id = admitted.app_id
        self.name = f"{bind.bind_id:x}"
        self.use(admitted.credential)
        if bind.kind is not BindKind.TRANSMITTER:
            with_tlvs = request.interface_version >= INTERFACE_VERSION
            charset = admitted.credential.profile.smpp_charset
            self.receiver = Receiver(bind.account_id, self.connection, with_tlvs, charset)

    def use(self, credential: Credential) -> None:
        """The account's settings as they are now."""
        self.credential = credential
        window = credential.profile.bind_window
        self.connection.session.window_in = self.connection.session.window_out = window

    def respond(self, sequence: int, answer: pdus.ResponsePdu | int) -> None:
        """Never raises: an answer that cannot be written is our failure, and is told so."""
        try:
            self.connection.respond(sequence, answer)
        except UnencodablePdu as error:
            log.error("answer_impossible", answer=type(answer).__name__, **describe(error))
            self.connection.respond(sequence, CommandStatus.RSYSERR)

    @property
    def has_held(self) -> bool:
        return bool(self._held)

    def hold(self, batch: list[IncomingRequest]) -> bool:
        """Keeps a batch until the account is known anew; whether it is the first."""
        self._held.append(batch)
        return len(self._held) == 1

    def take_held(self) -> list[IncomingRequest]:
        held, self._held = self._held, []
        return [one for batch in held for one in batch]

    def close(self) -> None:
        self.connection.close()

    # ---- For the connection

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        if self.admitted is None:
            self._door.on_bind(self, batch)
        else:
            self._door.on_batch(self, batch)

    def on_room(self, connection: SmppConnection) -> None:
        """Deliveries are claimed for the room that there is."""

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self._door.on_closed(self, end)


ListenAddress: TypeAlias = tuple[tuple[str, int], ssl.SSLContext | None]
"""Host and port, and how TLS is spoken there; None: it is not."""


class SmppListener:
    """Serves customers' binds on its addresses, which several processes may share."""

    def __init__(
        self,
        listen_addresses: Sequence[ListenAddress],
        directory: Directory,
        register: BindRegister,
        gate: BindAuthenticator,
        commands: CommandHandler,
        delivery: BindDelivery,
        tally: SmppMetrics,
        is_dead: Callable[[str], bool],
    ) -> None:
        """`is_dead`: whether the owner of binds ran on this machine and runs no longer."""
        self._addresses = listen_addresses
        self._directory = directory
        self._register = register
        self._gate = gate
        self._commands = commands
        self._delivery = delivery
        self._tally = tally
        self._is_dead = is_dead
        self._timer_wheel = TimerWheel()
        self._servers: list[asyncio.Server] = []
        self._listeners: list[TlsListener] = []
        self._links: dict[int, set[EsmeSession]] = {}
        self._unbound: UnboundConnections[EsmeSession | TlsHandshake] = UnboundConnections(
            items_max=limits.BIND_UNBOUND_CONNECTIONS_MAX,
            per_network_max=limits.BIND_UNBOUND_PER_ADDRESS_CONNECTIONS_MAX,
            known_max=limits.BIND_KNOWN_NETWORKS_MAX,
            drop=self._drop,
        )
        self._bound_count = 0
        self._files_max = sys.maxsize
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._emptied = asyncio.Event()
        self._failures = FailureLog()

    # ---- Opening and closing

    async def open(self) -> None:
        """Raises OSError when an address cannot be had, a `PlatformFailure` when the database cannot."""
        self._files_max = raise_open_files() - limits.BIND_FILES_RESERVED
        await self._register.tidy(self._is_dead)
        loop = asyncio.get_running_loop()
        for (host, port), tls in self._addresses:
            if tls is not None:
                self._listeners.append(
                    TlsListener(host, port, tls, connect=self._connect, unbound=self._unbound, has_room=self._has_room)
                )
            else:
                self._servers.append(
                    await loop.create_server(self._connect, host, port, backlog=limits.SMPP_BACKLOG, reuse_port=True)
                )

    async def watch(self) -> None:
        """For ever: whether those who are bound still may, also where a notice was missed."""
        while True:
            await asyncio.sleep(limits.BIND_CHECK_S)
            try:
                await self._register.tidy(self._is_dead)
                if self._delivery.accounts:
                    await self._register.seen(self._delivery.accounts)
                for link in self._bound():
                    await self._renew(link)
            except errors.PlatformFailure as failure:
                log.warning("binds_not_looked_at", failure=str(failure))

    async def close(self) -> None:
        """No new connections; binds are ended in good order: what was asked is answered first."""
        self._is_closing = True
        for server in self._servers:
            server.close()
        for listener in self._listeners:
            listener.close()
        for newcomer in self._unbound:
            newcomer.close()
        for link in self._bound():
            link.connection.unbind()
        self._emptied.clear()
        if self._links:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.BIND_CLOSE_S):
                    await self._emptied.wait()
        for link in self._bound():
            link.connection.close()
        await self._commands.drained()
        await self._register.drained()
        self._timer_wheel.stop()

    def changed(self, account: str) -> None:
        """An account's settings have changed (its id as text): its binds follow, or end. Tell the directory first."""
        if account.isdigit() and int(account) in self._links:
            for link in self._links[int(account)]:
                self._spawn(self._follow(link))

    def _bound(self) -> list[EsmeSession]:
        return [link for links in self._links.values() for link in links]

    # ---- Connections

    def _connect(self) -> SmppConnection:
        # Not the timer wheel's time: that stands while there are no connections.
        return SmppConnection(self._accept, SmppSession(SessionRole.SMSC, time.monotonic()), self._timer_wheel)

    def _accept(self, connection: SmppConnection) -> EsmeSession | None:
        if not self._has_room():
            return None
        link = EsmeSession(self, connection)
        self._unbound.add(link, link.address)
        return link

    def _has_room(self) -> bool:
        """Whether another connection may be taken. Where files are few, strangers that are fewer than we take elsewhere
        would hold them all: one of them goes.
        """
        if self._is_closing:
            return False
        if len(self._unbound) + self._bound_count < self._files_max or self._unbound.make_room():
            return True
        self._tally.refused("too_many_connections")
        return False

    def _drop(self, newcomer: "EsmeSession | TlsHandshake") -> None:
        """One of too many."""
        self._tally.refused("too_many_connections")
        newcomer.close()

    def on_bind(self, link: EsmeSession, batch: list[IncomingRequest]) -> None:
        for sequence, request in batch:
            if type(request) in BINDS:
                assert isinstance(request, pdus.BindRequest)
                self._spawn(self._bind(link, sequence, request))

    async def _bind(self, link: EsmeSession, sequence: int, request: pdus.BindRequest) -> None:
        try:
            admitted = await self._gate.admit(request, link.address)
        except BindRefused as refused:
            self._refuse(link, sequence, refused.status, refused.reason)
            return
        except Exception as error:  # unanswered, the connection would stand for ever
            self._failures.tell("bind", "smpp.bind", error)
            self._refuse(link, sequence, CommandStatus.RSYSERR, "platform")
            return
        tlvs = (SC_INTERFACE_VERSION.make(INTERFACE_VERSION),)
        made = BIND_RESPONSES[type(request)]
        answer = made(SYSTEM_ID, tlvs=tlvs if request.interface_version >= INTERFACE_VERSION else ())
        if self._is_closing or not link.connection.respond(sequence, answer):
            self._register.release(admitted.bind)  # the customer did not wait
            link.connection.close()
            return
        self._unbound.bound(link, link.address)
        self._bound_count += 1
        link.admit(admitted, request)
        self._links.setdefault(admitted.bind.account_id, set()).add(link)
        self._tally.bound(admitted.bind.kind.name.lower(), 1)
        if link.receiver is not None:
            self._delivery.joined(link.receiver)

    def _refuse(self, link: EsmeSession, sequence: int, status: CommandStatus, reason: str) -> None:
        self._tally.refused(reason)
        link.connection.respond(sequence, status)
        link.connection.close()

    def on_closed(self, link: EsmeSession, end: SessionEnd) -> None:
        if end is SessionEnd.FLOOD:
            self._tally.refused("flood")
            log.warning("connection_ended", reason=end.value, address=link.address, bind=link.name)
        if link.admitted is None:
            self._unbound.discard(link)
            return
        self._bound_count -= 1
        bind = link.admitted.bind
        self._tally.bound(bind.kind.name.lower(), -1)
        if link.receiver is not None:
            self._delivery.left(link.receiver)
        links = self._links[bind.account_id]
        links.discard(link)
        if not links:
            del self._links[bind.account_id]
            if not self._links:
                self._emptied.set()
        self._register.release(bind)

    # ---- Requests

    def on_batch(self, link: EsmeSession, batch: list[IncomingRequest]) -> None:
        known = link.credential
        credential = self._directory.peek(known.door, known.key)
        if credential is known and not link.has_held:
            self._commands.serve(link, known.profile, batch)
        elif link.hold(batch):
            self._spawn(self._follow(link))

    async def _follow(self, link: EsmeSession) -> None:
        """Reads the account anew, ends the bind if it may not be any more, and serves what waited for that."""
        status: int = CommandStatus.RSYSERR
        account: Profile | None = None
        try:
            account = await self._renew(link)
            status = VendorStatus.ACCOUNT_LOCKED
        except Exception as error:  # the bind stays; who asks now is told
            self._failures.tell(link.name, "smpp.account", error)
        held = link.take_held()
        if account is not None:
            self._commands.serve(link, account, held)
        else:
            self._commands.refuse(link, held, status)

    async def _renew(self, link: EsmeSession) -> Profile | None:
        """The account as it is now. None: it may not be bound, and the bind is being ended.

        Raises a `PlatformFailure`.
        """
        credential = await self._directory.find(link.credential.door, link.credential.key)
        try:
            if credential is None:
                raise BindRefused(CommandStatus.RBINDFAIL, "credential")
            check_account(credential.profile, link.address)
        except BindRefused as refused:
            log.info("bind_ended", account_id=link.credential.profile.account_id, reason=refused.reason)
            link.connection.unbind()
            return None
        link.use(credential)
        return credential.profile

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def raise_open_files() -> int:
    """Each bind is an open file, and the usual bound of 1,024 is below what a machine can carry. How many there may be
    now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if most == resource.RLIM_INFINITY else most


def listen_addresses(settings: Smpp) -> list[ListenAddress]:
    """Where customers bind, each with its TLS. Raises `OperatorError`."""
    plain, tls = config.host_port(settings.address), tls_context(settings.tls_certificate, settings.tls_key)
    if not settings.tls_address:
        return [(plain, tls)]
    if tls is None:
        raise errors.OperatorError("smpp.tls_address needs smpp.tls_certificate and smpp.tls_key")
    return [(plain, None), (config.host_port(settings.tls_address), tls)]


def tls_context(certificate: str, key: str) -> ssl.SSLContext | None:
    """None without both. Raises `OperatorError`."""
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise errors.OperatorError("smpp.tls_certificate and smpp.tls_key belong together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A passphrase is answered with a wrong one: OpenSSL would ask for it on the terminal, and wait.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise errors.OperatorError(f"smpp.tls_certificate or smpp.tls_key: {error}") from None
    return context
