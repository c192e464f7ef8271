"""The SMPP server for customers: listens, admits binds, and ends them. Their requests are served by `commands`;
deliveries to them by `delivery/bind_delivery`.
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
from homing.accounts.profile import Profile
from homing.accounts.refusal_log import RefusalLog
from homing.accounts.refused_calls import Caller, RefusedCall, reason_for
from homing.api.http.failure_log import FailureLog
from homing.api.smpp.bind import BindAuthenticator, BindRefused, check_account
from homing.api.smpp.commands import CommandHandler
from homing.api.smpp.session import EsmeSession
from homing.api.smpp.statuses import VendorStatus, shown_status
from homing.api.smpp.tls import TlsHandshake, TlsListener
from homing.api.smpp.unbound import UnboundConnections
from homing.config import SmppServerSettings
from homing.delivery.bind_delivery import BindDelivery
from homing.observe.smpp import SmppMetrics
from homing.reasons import Reason, ReasonCode
from homing.smpp import pdus
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import INTERFACE_VERSION
from homing.smpp.session import IncomingRequest, SessionEnd, SmppSession
from homing.smpp.states import BINDS, SessionRole
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.tlvs import SC_INTERFACE_VERSION

BIND_UNBOUND_CONNECTIONS_MAX: Final = 2_000  # connections that have not bound; beyond it new ones are closed
BIND_UNBOUND_PER_ADDRESS_CONNECTIONS_MAX: Final = 500
BIND_KNOWN_NETWORKS_MAX: Final = 10_000  # of which it is remembered that they have bound: they are no strangers
BIND_FILES_RESERVED: Final = 256  # open files that no customer's connection may take: for the database and the rest
BIND_CHECK_S: Final = 60.0  # between looks whether those who are bound still may
BIND_CLOSE_S: Final = 5.0  # for customers to answer our unbind, when we stop
SYSTEM_ID = "homing"
"""Our system_id in the response to a bind."""

BIND_RESPONSES: Final[Mapping[type[pdus.BindRequest], Callable[..., pdus.ResponsePdu]]] = {
    pdus.BindTransmitter: pdus.BindTransmitterResp,
    pdus.BindReceiver: pdus.BindReceiverResp,
    pdus.BindTransceiver: pdus.BindTransceiverResp,
}

BIND_REASONS: Final[Mapping[str, Reason]] = {
    "address": Reason.of(ReasonCode.CALL_ADDRESS_NOT_ALLOWED),
    "locked": Reason.of(ReasonCode.CALL_ACCOUNT_LOCKED),
    "too_many": Reason.of(ReasonCode.CALL_BINDS_TOO_MANY),
    "busy": Reason.of(ReasonCode.CALL_OVERLOADED),
}
"""By the reason of a bind's refusal; others are about its password."""

log = structlog.get_logger()


ListenAddress: TypeAlias = tuple[tuple[str, int], ssl.SSLContext | None]
"""Host and port, and the TLS context; None: without TLS."""


class SmppListener:
    """Serves customers' sessions on its addresses, which several processes may share."""

    def __init__(
        self,
        *,
        addresses: Sequence[ListenAddress],
        directory: Directory,
        register: BindRegister,
        authenticator: BindAuthenticator,
        commands: CommandHandler,
        delivery: BindDelivery,
        metrics: SmppMetrics,
        refusal_log: RefusalLog,
        is_dead: Callable[[str], bool],
    ) -> None:
        """`is_dead`: whether an owner of binds is a process of this machine that has ended."""
        self._addresses = addresses
        self._directory = directory
        self._register = register
        self._authenticator = authenticator
        self._commands = commands
        self._delivery = delivery
        self._metrics = metrics
        self._refusal_log = refusal_log
        self._is_dead = is_dead
        self._timer_wheel = TimerWheel()
        self._servers: list[asyncio.Server] = []
        self._listeners: list[TlsListener] = []
        self._sessions: dict[int, set[EsmeSession]] = {}
        self._unbound: UnboundConnections[EsmeSession | TlsHandshake] = UnboundConnections(
            items_max=BIND_UNBOUND_CONNECTIONS_MAX,
            per_network_max=BIND_UNBOUND_PER_ADDRESS_CONNECTIONS_MAX,
            known_max=BIND_KNOWN_NETWORKS_MAX,
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
        """Raises OSError when an address cannot be bound, a `PlatformFailure` when the database is unavailable."""
        self._files_max = raise_open_files() - BIND_FILES_RESERVED
        await self._register.tidy(self._is_dead)
        loop = asyncio.get_running_loop()
        for (host, port), tls in self._addresses:
            if tls is not None:
                self._listeners.append(
                    TlsListener(
                        host=host,
                        port=port,
                        tls=tls,
                        connect=self._connect,
                        unbound=self._unbound,
                        has_room=self._has_room,
                    )
                )
            else:
                self._servers.append(
                    await loop.create_server(self._connect, host, port, backlog=limits.SMPP_BACKLOG, reuse_port=True)
                )

    async def watch(self) -> None:
        """For ever: checks whether the binds are still allowed, also where a notification was missed."""
        while True:
            await asyncio.sleep(BIND_CHECK_S)
            try:
                await self._register.tidy(self._is_dead)
                if self._delivery.accounts:
                    await self._register.seen(self._delivery.accounts)
                for session in self._bound():
                    await self._renew(session)
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="smpp_binds", failure=str(failure))

    async def close(self) -> None:
        """Takes no new connections and unbinds: open requests are answered first."""
        self._is_closing = True
        for server in self._servers:
            server.close()
        for listener in self._listeners:
            listener.close()
        for connection in self._unbound:
            connection.close()
        for session in self._bound():
            session.connection.unbind()
        self._emptied.clear()
        if self._sessions:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BIND_CLOSE_S):
                    await self._emptied.wait()
        for session in self._bound():
            session.connection.close()
        await self._commands.drained()
        await self._register.drained()
        self._timer_wheel.stop()

    def settings_changed(self, account: str) -> None:
        """The account's binds take the new settings over, or end. The directory must have been told before."""
        if account.isdigit() and int(account) in self._sessions:
            for session in self._sessions[int(account)]:
                self._spawn(self._reload(session))

    def settings_missed(self) -> None:
        """Nothing to do: `watch` looks after every bind within `BIND_CHECK_S`."""

    def _bound(self) -> list[EsmeSession]:
        return [session for sessions in self._sessions.values() for session in sessions]

    # ---- Connections

    def _connect(self) -> SmppConnection:
        # Not the timer wheel's time: that stands still while there are no connections.
        return SmppConnection(
            self._accept, SmppSession(role=SessionRole.SMSC, now_s=time.monotonic()), self._timer_wheel
        )

    def _accept(self, connection: SmppConnection) -> EsmeSession | None:
        if not self._has_room():
            return None
        session = EsmeSession(self, connection)
        self._unbound.add(session, session.address)
        return session

    def _has_room(self) -> bool:
        """Whether another connection may be taken. Where open files are few, connections that have not bound could take
        them all: one of those is dropped.
        """
        if self._is_closing:
            return False
        if len(self._unbound) + self._bound_count < self._files_max or self._unbound.make_room():
            return True
        self._metrics.refused("too_many_connections")
        return False

    def _drop(self, unbound: "EsmeSession | TlsHandshake") -> None:
        self._metrics.refused("too_many_connections")
        unbound.close()

    def on_bind(self, session: EsmeSession, batch: list[IncomingRequest]) -> None:
        for sequence, request in batch:
            if type(request) in BINDS:
                assert isinstance(request, pdus.BindRequest)
                self._spawn(self._bind(session, sequence, request))

    async def _bind(self, session: EsmeSession, sequence: int, request: pdus.BindRequest) -> None:
        try:
            admitted = await self._authenticator.admit(request, session.address)
        except BindRefused as refused:
            self._log_refused(session, sequence, request, refused.status, BIND_REASONS.get(refused.reason))
            self._refuse(session, sequence, refused.status, refused.reason)
            return
        except Exception as error:  # without a response the connection would stay open for ever
            self._failures.tell("bind", "smpp.bind", error)
            known = error if isinstance(error, errors.HomingError) else errors.HomingError()
            self._log_refused(session, sequence, request, CommandStatus.RSYSERR, reason_for(known))
            self._refuse(session, sequence, CommandStatus.RSYSERR, "platform")
            return
        tlvs = (SC_INTERFACE_VERSION.make(INTERFACE_VERSION),)
        response = BIND_RESPONSES[type(request)](
            SYSTEM_ID, tlvs=tlvs if request.interface_version >= INTERFACE_VERSION else ()
        )
        if self._is_closing or not session.connection.respond(sequence, response):
            self._register.release(admitted.bind)  # the customer is gone
            session.connection.close()
            return
        self._unbound.bound(session, session.address)
        self._bound_count += 1
        session.admit(admitted, request)
        self._sessions.setdefault(admitted.bind.account_id, set()).add(session)
        self._metrics.bound(admitted.bind.kind.name.lower(), 1)
        if session.receives:
            self._delivery.add(session)

    def _log_refused(
        self, session: EsmeSession, sequence: int, request: pdus.BindRequest, status: int, reason: Reason | None
    ) -> None:
        """`reason` None: the system_id or its password is wrong."""
        account_id = self._authenticator.account_named(request.system_id)
        if reason is None and account_id is None:
            reason = Reason.of(ReasonCode.CALL_KEY_UNKNOWN)
        self._refusal_log.note(
            "smpp.bind",
            Caller(account_id, request.system_id),
            RefusedCall(code=shown_status(status), reason=reason or Reason.of(ReasonCode.CALL_SECRET_WRONG)),
            address=session.address,
            request_id=f"bind/{sequence}",
        )

    def _refuse(self, session: EsmeSession, sequence: int, status: CommandStatus, reason: str) -> None:
        self._metrics.refused(reason)
        session.connection.respond(sequence, status)
        session.connection.close()

    def on_closed(self, session: EsmeSession, end: SessionEnd) -> None:
        if end is SessionEnd.FLOOD:
            self._metrics.refused("flood")
            log.warning("connection_ended", reason=end.value, address=session.address, bind=session.name)
        if session.admitted is None:
            self._unbound.discard(session)
            return
        self._bound_count -= 1
        bind = session.admitted.bind
        self._metrics.bound(bind.kind.name.lower(), -1)
        if session.receives:
            self._delivery.remove(session)
        sessions = self._sessions[bind.account_id]
        sessions.discard(session)
        if not sessions:
            del self._sessions[bind.account_id]
            if not self._sessions:
                self._emptied.set()
        self._register.release(bind)

    # ---- Requests

    def on_batch(self, session: EsmeSession, batch: list[IncomingRequest]) -> None:
        used = session.credential
        current = self._directory.peek(used.dialect, used.key)
        if current is used and not session.has_deferred:
            self._commands.serve(session, used.profile, batch)
        elif session.defer(batch):
            self._spawn(self._reload(session))

    async def _reload(self, session: EsmeSession) -> None:
        """Reads the account anew, ends the bind if it is no longer allowed, and serves the deferred requests."""
        status: int = CommandStatus.RSYSERR
        account: Profile | None = None
        try:
            account = await self._renew(session)
            status = VendorStatus.ACCOUNT_LOCKED
        except Exception as error:  # the bind stays; the deferred requests are refused
            self._failures.tell(session.name, "smpp.account", error)
        batch = session.take_deferred()
        if account is not None:
            self._commands.serve(session, account, batch)
        else:
            self._commands.refuse(session, batch, status)

    async def _renew(self, session: EsmeSession) -> Profile | None:
        """The account as it is now. None: it may not be bound any more, and is being unbound.

        Raises a `PlatformFailure`.
        """
        credential = await self._directory.find(session.credential.dialect, session.credential.key)
        try:
            if credential is None:
                raise BindRefused(CommandStatus.RBINDFAIL, "credential")
            check_account(credential.profile, session.address)
        except BindRefused as refused:
            log.info("bind_ended", account_id=session.credential.profile.account_id, reason=refused.reason)
            session.connection.unbind()
            return None
        session.use(credential)
        return credential.profile

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def raise_open_files() -> int:
    """Raises this process's limit of open files to the hard limit: each connection is one, and the usual soft limit of
    1,024 is below what a machine can carry. Returns the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if files_max == resource.RLIM_INFINITY else files_max


def listen_addresses(settings: SmppServerSettings) -> list[ListenAddress]:
    """The addresses to listen on, each with its TLS context. Raises `InvalidInput`."""
    plain, tls = config.host_port(settings.address), tls_context(settings.tls_certificate, settings.tls_key)
    if not settings.tls_address:
        return [(plain, tls)]
    if tls is None:
        raise errors.InvalidInput("smpp.tls_address needs smpp.tls_certificate and smpp.tls_key")
    return [(plain, None), (config.host_port(settings.tls_address), tls)]


def tls_context(certificate: str, key: str) -> ssl.SSLContext | None:
    """None without both. Raises `InvalidInput`."""
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise errors.InvalidInput("smpp.tls_certificate and smpp.tls_key must be set together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An encrypted key fails with this passphrase: without one OpenSSL would wait for it on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise errors.InvalidInput(f"smpp.tls_certificate or smpp.tls_key: {error}") from None
    return context
