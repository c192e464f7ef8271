"""The four timers of a session (SMPP 3.4, section 7.2)."""

from typing import Final

import msgspec

from homing import limits

SMPP_SESSION_INIT_S: Final = 10.0  # from connecting to the bind


class SessionTimers(msgspec.Struct, frozen=True):
    """How long a session waits, in seconds. None: for ever.

    Timers are checked when the session is ticked, so they run out up to `limits.SMPP_SWEEP_S` late.
    """

    session_init_s: float = SMPP_SESSION_INIT_S
    """From connecting to a bind that was accepted."""
    enquire_link_s: float | None = limits.SMPP_ENQUIRE_LINK_S
    """Of silence from the other end, then enquire_link is sent."""
    inactivity_s: float | None = limits.SMPP_INACTIVITY_S
    """Without a request or a response other than of enquire_link, then the session unbinds."""
    response_s: float = limits.SMPP_RESPONSE_S
    """For the response to a request; for a transport that accepts no output; for each half of an unbind."""


DEFAULT = SessionTimers()
