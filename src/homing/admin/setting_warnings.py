"""Warnings about settings that are allowed and will probably not work, for command line and console. Pure."""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from homing.common.networks import Network, is_within

ALPHANUMERIC_CHARS_MAX: Final = 11  # 3GPP TS 23.040, 9.1.2.5: ten octets of packed GSM 7-bit letters
INTERNATIONAL_DIGITS_MAX: Final = 15  # ITU-T E.164
BIND_CHARS_MAX: Final = {"system_id": 15, "password": 8}
VARIABLE: Final = re.compile(r"\{V[1-5]\}")
BRACES: Final = re.compile(r"\{[^{}]*\}")


class SettingWarning(msgspec.Struct, frozen=True):
    """A text with {names} for `values`, like `InvalidInput`: the console translates it."""

    text: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        return self.text.format(**self.values)


def sender_warnings(sender: str) -> Iterator[SettingWarning]:
    """Why carriers may reject a sender ID."""
    digits = sender.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        if len(sender) > ALPHANUMERIC_CHARS_MAX:
            yield SettingWarning(
                "an alphanumeric sender ID can have at most {maximum} GSM characters; {sender} has {length},"
                " and carriers will truncate or reject it",
                {"maximum": ALPHANUMERIC_CHARS_MAX, "sender": repr(sender), "length": len(sender)},
            )
    elif len(digits) > INTERNATIONAL_DIGITS_MAX:
        yield SettingWarning(
            "a number has at most {maximum} digits (E.164); carriers will reject {sender}",
            {"maximum": INTERNATIONAL_DIGITS_MAX, "sender": sender},
        )
    elif digits.startswith("0"):
        yield SettingWarning(
            "{sender} is not in international format: a numeric sender ID must start with its country"
            " code, otherwise replies cannot be routed",
            {"sender": sender},
        )


def carrier_warnings(settings: Mapping[str, Any]) -> Iterator[SettingWarning]:
    """Settings of an `smpp` carrier that an SMSC may reject (SMPP 3.4, 4.1.1). The texts contain no secret."""
    for name, chars_max in BIND_CHARS_MAX.items():
        value = settings.get(name)
        if isinstance(value, str) and len(value) > chars_max:
            yield SettingWarning(
                "{name} has {length} characters; SMPP 3.4 allows at most {maximum}. It is sent in full, but"
                " some SMSCs will reject it",
                {"name": name, "length": len(value), "maximum": chars_max},
            )


def push_address_warnings(url: str | None, allowed: Sequence[Network]) -> Iterator[SettingWarning]:
    """Whether pushes to a URL are refused because its address is not public. A name is not resolved here, since it is
    resolved and checked at each push.

    `allowed`: the networks of the setting push.allowed_networks.
    """
    host = _host(url)
    if host and not _is_public(host) and not is_within("127.0.0.1" if host == "localhost" else host, allowed):
        yield SettingWarning(
            "{host} is not a public address: nothing is pushed to it unless the setting"
            " push.allowed_networks includes it",
            {"host": host},
        )


def template_warnings(body: str) -> Iterator[SettingWarning]:
    """Text that looks like a variable and is not one."""
    others = [piece for piece in BRACES.findall(body) if not VARIABLE.fullmatch(piece)]
    if others:
        yield SettingWarning(
            "{piece} is not a variable and is sent literally; variables are {first} to {last}",
            {"piece": others[0], "first": "{V1}", "last": "{V5}"},
        )


def _host(url: str | None) -> str:
    try:
        return (urlsplit(url or "").hostname or "").lower()
    except ValueError:
        return ""


def _is_public(host: str) -> bool:
    """A name counts as public, except `localhost`."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return host != "localhost"
