"""A customer's session: an ESME's connection from connecting to closing, and its bind while it has one."""

from typing import Protocol

import structlog

from homing.accounts.profile import Credential
from homing.api.smpp.bind import AdmittedBind
from homing.model import BindKind
from homing.observe.logs import describe
from homing.smpp import pdus
from homing.smpp.codec import UnencodablePdu
from homing.smpp.connection import SmppConnection
from homing.smpp.data_coding import GSM7
from homing.smpp.pdus import INTERFACE_VERSION
from homing.smpp.session import IncomingRequest, SessionEnd
from homing.smpp.statuses import CommandStatus

log = structlog.get_logger()


class SessionHandler(Protocol):
    """What serves the sessions. Called from the loop; must not block."""

    def on_bind(self, session: "EsmeSession", batch: list[IncomingRequest]) -> None:
        """Requests of a session without a bind."""

    def on_batch(self, session: "EsmeSession", batch: list[IncomingRequest]) -> None:
        """Requests of a bound session."""

    def on_closed(self, session: "EsmeSession", end: SessionEnd) -> None:
        """The connection is gone."""


class EsmeSession:
    """Owns the connection. What is said of the bind is set by `admit`.

    name: of the bind, for logs and request ids. receives: whether the bind takes deliver_sm. with_tlvs: whether its
    interface version has optional parameters. charset: what the account's data_coding 0 was when it bound.
    """

    __slots__ = (
        "_deferred",
        "_handler",
        "account_id",
        "address",
        "admitted",
        "app_id",
        "charset",
        "connection",
        "credential",
        "name",
        "receives",
        "with_tlvs",
    )

    credential: Credential

    def __init__(self, handler: SessionHandler, connection: SmppConnection) -> None:
        self._handler = handler
        self._deferred: list[list[IncomingRequest]] = []
        self.connection = connection
        self.address = connection.peer[0]
        self.admitted: AdmittedBind | None = None
        self.account_id = 0
        self.app_id = ""
        self.name = ""
        self.receives = False
        self.with_tlvs = False
        self.charset = GSM7

    def admit(self, admitted: AdmittedBind, request: pdus.BindRequest) -> None:
        """It is bound from now on."""
        self.admitted = admitted
        self.account_id = admitted.bind.account_id
        self.app_id = admitted.app_id
        self.name = f"{admitted.bind.bind_id:x}"
        self.receives = admitted.bind.kind is not BindKind.TRANSMITTER
        self.with_tlvs = request.interface_version >= INTERFACE_VERSION
        self.charset = admitted.credential.profile.smpp_charset
        self.use(admitted.credential)

    def use(self, credential: Credential) -> None:
        """Applies the account's current settings."""
        self.credential = credential
        window = credential.profile.bind_window
        self.connection.session.window_in = self.connection.session.window_out = window

    def respond(self, sequence: int, answer: pdus.ResponsePdu | int) -> None:
        """Never raises: a response that cannot be encoded is our failure, and is answered as such."""
        try:
            self.connection.respond(sequence, answer)
        except UnencodablePdu as error:
            log.error("response_not_encodable", response=type(answer).__name__, **describe(error))
            self.connection.respond(sequence, CommandStatus.RSYSERR)

    @property
    def has_deferred(self) -> bool:
        return bool(self._deferred)

    def defer(self, batch: list[IncomingRequest]) -> bool:
        """Keeps a batch until the account is read anew. Returns whether it is the first."""
        self._deferred.append(batch)
        return len(self._deferred) == 1

    def take_deferred(self) -> list[IncomingRequest]:
        batches, self._deferred = self._deferred, []
        return [request for batch in batches for request in batch]

    def close(self) -> None:
        self.connection.close()

    # ---- For the connection

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        if self.admitted is None:
            self._handler.on_bind(self, batch)
        else:
            self._handler.on_batch(self, batch)

    def on_room(self, connection: SmppConnection) -> None:
        """Nothing: deliveries are claimed only for the room that there is."""

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self._handler.on_closed(self, end)
