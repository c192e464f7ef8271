"""An account's settings as dialects need them, cached until one changes."""

from collections.abc import Mapping
from typing import Final

import msgspec

from homing import limits
from homing.common.networks import Network, is_within
from homing.model import App, CodeFlow, CodeTemplate, SendQuota, Template

BINDS_MAX_DEFAULT: Final = 8  # of an account, over all processes
SMPP_CHARSET_DEFAULT: Final = "gsm7"
SMPP_CHARSETS: Final = (SMPP_CHARSET_DEFAULT, "latin-1", "ascii", "utf-8")
"""Meanings of SMPP's default alphabet (data_coding 0) that a customer may choose: GSM 03.38, or one of Python's codecs.
"""


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
    """Over SMPP; None: no limit."""
    smpp_charset: str = SMPP_CHARSET_DEFAULT
    """One of `SMPP_CHARSETS`."""
    unicode_fallback: bool = False
    """A text that GSM 7-bit cannot encode is sent as Unicode even if the call asks for GSM 7-bit."""
    unique_references: bool = False
    """A repeated reference to the same number within a day gets the first message's ID (intake/repeats.py)."""
    quotas: Mapping[str, SendQuota] = {}
    """By app; "": of the account with all of its apps."""
    code_templates: Mapping[int, CodeTemplate] = {}
    code_flows: Mapping[int, CodeFlow] = {}
    test_numbers: Mapping[str, str] = {}
    """Numbers to which no code is sent, with the code that is right for them."""

    @property
    def default_app(self) -> App | None:
        """The app of messages of dialects without apps: the account's first."""
        return next(iter(self.apps.values()), None)

    def registered(self, sender: str) -> str | None:
        """The account's registered sender ID that `sender` stands for, None if there is none. A number is the same with
        and without `+`, since carriers get its digits; an unencoded `+` in a query string arrives as a space.
        """
        if sender in self.senders:
            return sender
        digits = sender[1:] if sender[:1] in ("+", " ") else sender
        if not (digits.isascii() and digits.isdigit()):
            return None
        return next((candidate for candidate in (digits, f"+{digits}") if candidate in self.senders), None)

    def code_template(self, name: str, locale: str) -> CodeTemplate | None:
        """The template of a name in a language (BCP 47): of the locale, else of its language, else for all."""
        by_locale = {each.locale.lower(): each for each in self.code_templates.values() if each.name == name}
        wanted = locale.lower().replace("_", "-")
        while wanted and wanted not in by_locale:
            wanted = wanted.rpartition("-")[0]
        return by_locale.get(wanted)

    def allows(self, address: str) -> bool:
        """Whether a call may come from this address; an empty list allows all."""
        return not self.allowed_networks or is_within(address, self.allowed_networks)


class Credential(msgspec.Struct, frozen=True):
    """A key with its plain secret, in memory only. `key` is the account's e-mail if the call was made with it.

    `scopes`: what it may be used for, in the words of its dialect; None: everything.
    """

    dialect: int
    key: str
    secret: str
    profile: Profile
    credential_id: int = 0
    scopes: frozenset[str] | None = None

    def __repr__(self) -> str:
        return f"Credential(dialect={self.dialect!r}, key={self.key!r})"
