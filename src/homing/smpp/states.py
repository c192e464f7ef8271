"""In which state of a session which end may send what (SMPP 3.4, sections 2.2 and 2.3), as one table."""

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
    Request,
    SubmitMulti,
    SubmitSm,
    Unbind,
)


class Role(enum.Enum):
    """Which end of the link: the one that binds, or the one that is bound to."""

    ESME = "esme"
    SMSC = "smsc"

    @property
    def other(self) -> "Role":
        return Role.SMSC if self is Role.ESME else Role.ESME


class State(enum.Enum):
    """Where a session is. Tx and rx are seen from the ESME."""

    OPEN = "open"
    """Connected, and nobody has bound."""
    OUTBOUND = "outbound"
    """The message centre has asked for a bind."""
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"
    """One end has asked for the end, or decided to ask once what is under way is answered."""
    CLOSED = "closed"


BOUND: Final = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})
BINDS: Final[dict[type[Request], State]] = {
    BindTransmitter: State.BOUND_TX,
    BindReceiver: State.BOUND_RX,
    BindTransceiver: State.BOUND_TRX,
}
"""The binds, and the state that each leads to."""

_UNBOUND: Final = frozenset({State.OPEN, State.OUTBOUND})
_SENDS: Final = frozenset({State.BOUND_TX, State.BOUND_TRX})
_HEARS: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})
_ALWAYS: Final = _UNBOUND | BOUND

_ESME_SENDS: Final[dict[type[Request], frozenset[State]]] = {
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
_SMSC_SENDS: Final[dict[type[Request], frozenset[State]]] = {
    Outbind: frozenset({State.OPEN}),
    DeliverSm: _HEARS,
    DataSm: _HEARS,
    AlertNotification: _HEARS,
    Unbind: BOUND,
    EnquireLink: _ALWAYS,
}

_NOTHING: Final[frozenset[type[Request]]] = frozenset()
_MAY_SEND: Final = {
    (role, state): frozenset(request for request, states in rows.items() if state in states)
    for role, rows in ((Role.ESME, _ESME_SENDS), (Role.SMSC, _SMSC_SENDS))
    for state in State
}


def may_send(role: Role, state: State) -> frozenset[type[Request]]:
    """The requests that this end may send now. Once a session is on its way out, none."""
    return _MAY_SEND.get((role, state), _NOTHING)
