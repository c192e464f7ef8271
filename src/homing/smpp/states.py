"""The states of a session, and which requests each end may send in each (SMPP 3.4, sections 2.2 and 2.3)."""

import enum
from typing import Final

from homing.smpp.pdus import (
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    DataSm,
    DeliverSm,
    EnquireLink,
    Outbind,
    QuerySm,
    ReplaceSm,
    RequestPdu,
    SubmitMulti,
    SubmitSm,
    Unbind,
)


class SessionRole(enum.Enum):
    """Which end of a session: the one that binds (ESME), or the message centre (SMSC)."""

    ESME = "esme"
    SMSC = "smsc"

    @property
    def other(self) -> "SessionRole":
        return SessionRole.SMSC if self is SessionRole.ESME else SessionRole.ESME


class SessionState(enum.Enum):
    """The state of a session. Transmitter and receiver are seen from the ESME."""

    OPEN = "open"
    """Connected, not bound."""
    OUTBOUND = "outbound"
    """The message centre has asked for a bind."""
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"
    """One end has sent unbind, or will once the open requests are answered."""
    CLOSED = "closed"


BOUND: Final = frozenset({SessionState.BOUND_TX, SessionState.BOUND_RX, SessionState.BOUND_TRX})
BINDS: Final[dict[type[RequestPdu], SessionState]] = {
    BindTransmitter: SessionState.BOUND_TX,
    BindReceiver: SessionState.BOUND_RX,
    BindTransceiver: SessionState.BOUND_TRX,
}
"""The binds, and the state that each leads to."""

_UNBOUND: Final = frozenset({SessionState.OPEN, SessionState.OUTBOUND})
_SENDS: Final = frozenset({SessionState.BOUND_TX, SessionState.BOUND_TRX})
_RECEIVES: Final = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TRX})
_ALWAYS: Final = _UNBOUND | BOUND

_ESME_SENDS: Final[dict[type[RequestPdu], frozenset[SessionState]]] = {
    BindTransmitter: _UNBOUND,
    BindReceiver: _UNBOUND,
    BindTransceiver: _UNBOUND,
    SubmitSm: _SENDS,
    SubmitMulti: _SENDS,
    DataSm: _SENDS,
    QuerySm: _SENDS,
    CancelSm: _SENDS,
    ReplaceSm: _SENDS,
    Unbind: BOUND,
    EnquireLink: _ALWAYS,
}
_SMSC_SENDS: Final[dict[type[RequestPdu], frozenset[SessionState]]] = {
    Outbind: frozenset({SessionState.OPEN}),
    DeliverSm: _RECEIVES,
    DataSm: _RECEIVES,
    AlertNotification: _RECEIVES,
    Unbind: BOUND,
    EnquireLink: _ALWAYS,
}

_NOTHING: Final[frozenset[type[RequestPdu]]] = frozenset()
_MAY_SEND: Final = {
    (role, state): frozenset(request for request, states in rows.items() if state in states)
    for role, rows in ((SessionRole.ESME, _ESME_SENDS), (SessionRole.SMSC, _SMSC_SENDS))
    for state in SessionState
}


def may_send(role: SessionRole, state: SessionState) -> frozenset[type[RequestPdu]]:
    """The requests that this end may send in this state. While it is unbinding, none."""
    return _MAY_SEND.get((role, state), _NOTHING)
