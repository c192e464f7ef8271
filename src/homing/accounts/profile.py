"""What a dialect needs to know of an account, read once and kept until a setting changes."""

from typing import Final

import msgspec

from homing import limits
from homing.common.networks import Network, is_within
from homing.model import App, Template

BINDS_MAX_DEFAULT: Final = 8  # of an account, over all processes
SMPP_CHARSET_DEFAULT: Final = "gsm7"
SMPP_CHARSETS: Final = (SMPP_CHARSET_DEFAULT, "latin-1", "ascii", "utf-8")
"""What a customer may take SMPP's default alphabet (data_coding 0) for: GSM 03.38, or one of Python's codecs."""


class Profile(msgspec.Struct, frozen=True):
    """An account's settings as one immutable value."""

    account_id: int
    name: str
    locked: bool
    allowed_networks: tuple[Network, ...]
    queries_per_s: int
    templates_required: bool
    default_sender: str | None
    senders: frozenset[str]
    apps: dict[str, App]
    templates: tuple[Template, ...]
    binds_max: int = BINDS_MAX_DEFAULT
    bind_window: int = limits.BIND_WINDOW_DEFAULT
    submits_per_s: int | None = None
    """Over SMPP; None: as fast as it can."""
    smpp_charset: str = SMPP_CHARSET_DEFAULT
    """One of `SMPP_CHARSETS`."""
    unicode_fallback: bool = False
    """A text that GSM 7-bit cannot carry goes as Unicode although the call asks for GSM 7-bit."""

    @property
    def default_app(self) -> App | None:
        """The app that messages of dialects without apps belong to: the account's first."""
        return next(iter(self.apps.values()), None)

    def registered(self, sender: str) -> str | None:
        """The account's sender ID that this is; None: it has none such. A number is the same with `+` and without, for
        carriers get its digits; and in a query where nobody encoded it a `+` is a space.
        """
        if sender in self.senders:
            return sender
        digits = sender[1:] if sender[:1] in ("+", " ") else sender
        if not (digits.isascii() and digits.isdigit()):
            return None
        return next((one for one in (digits, f"+{digits}") if one in self.senders), None)

    def allows(self, address: str) -> bool:
        """Whether a call may come from this address; an empty list allows all."""
        return not self.allowed_networks or is_within(address, self.allowed_networks)


class Credential(msgspec.Struct, frozen=True):
    """A key with its plain secret, in memory only. `key` is the account's e-mail where that was asked for."""

    dialect: int
    key: str
    secret: str
    profile: Profile

    def __repr__(self) -> str:
        return f"Credential(dialect={self.dialect!r}, key={self.key!r})"
