"""The formats of a carrier's message IDs: how the ID in a receipt is written, given the ID in the submit answer.

Some carriers print one counter in two ways: hexadecimal in the answer and decimal in the receipt or the other way
round, upper or lower case, with or without leading zeros, 0x, braces or quotes. The database's index normalises case,
wrapping and prefix (`reference_key(carrier_ref)`, of which `reference_key` here is the equal); what remains are the
formats below.
"""

import enum
import re
from collections.abc import Callable, Mapping
from typing import Final

DECIMAL_ID: Final = re.compile(r"-?[0-9]{1,39}")
HEX_ID: Final = re.compile(r"(?:0x)?[0-9a-f]{1,32}", re.IGNORECASE)
UINT32_VALUES: Final = 1 << 32


class IdFormat(enum.StrEnum):
    """How a receipt writes the message ID of the submit answer."""

    SAME = "same"
    DECIMAL = "decimal"  # the answer is hexadecimal
    HEX = "hex"  # the answer is decimal


WRAPPING: Final = " \t\r\n\"'{}[]()<>,;|&"
"""Characters that carriers put around an ID, on one side or on both. Migration 0016 has the same."""


def reference_key(ref: str) -> str:
    """The index key of a message ID."""
    return ref.lower().strip(WRAPPING).lstrip("0x")


def _hex_key_of_decimal(ref: str) -> str | None:
    """A negative ID is a 32-bit counter that was printed as a signed number."""
    ref = ref.strip(WRAPPING)
    if not DECIMAL_ID.fullmatch(ref):
        return None
    value = int(ref)
    if value < -(UINT32_VALUES >> 1):
        return None
    return reference_key(f"{value % UINT32_VALUES if value < 0 else value:x}")


def _decimal_key_of_hex(ref: str) -> str | None:
    ref = ref.strip(WRAPPING)
    return reference_key(str(int(ref, 16))) if HEX_ID.fullmatch(ref) else None


_KEY_FUNCTIONS: Final[Mapping[IdFormat, Callable[[str], str | None]]] = {
    IdFormat.SAME: reference_key,
    IdFormat.DECIMAL: _hex_key_of_decimal,
    IdFormat.HEX: _decimal_key_of_hex,
}


def key_in_format(id_format: IdFormat, ref: str) -> str | None:
    """The index key of the answer's ID, if the receipt writes it as `ref` in this format; None: `ref`
    cannot be in it.
    """
    return _KEY_FUNCTIONS[id_format](ref)


def keys_by_format(ref: str) -> dict[IdFormat, str]:
    """The index keys that the answer of a receipt with ID `ref` may have. Formats may share one: 7 is 7 in
    all of them.
    """
    keys = {id_format: key_of(ref) for id_format, key_of in _KEY_FUNCTIONS.items()}
    return {id_format: key for id_format, key in keys.items() if key is not None}
