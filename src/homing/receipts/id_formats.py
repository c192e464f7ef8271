"""The forms of a carrier's ids: what a receipt's id may look like in the answer to the submit.

A carrier counts in one place and prints in two: the answer shows an id in hexadecimal and the receipt in decimal, or
the other way round, in capitals or not, with leading zeros or 0x or without, in braces or quotes or without. Case,
what is put around and these beginnings are taken out of both by the index (`reference_key(carrier_ref)`, a function of
the database); what is left are the forms below.
"""

import enum
import re
from collections.abc import Callable, Mapping
from typing import Final

DIGITS: Final = re.compile(r"-?[0-9]{1,39}")
HEX: Final = re.compile(r"(?:0x)?[0-9a-f]{1,32}", re.IGNORECASE)
WORD: Final = 1 << 32


class IdFormat(enum.StrEnum):
    """How a receipt writes the id of its answer."""

    SAME = "same"
    DECIMAL = "decimal"  # hexadecimal in the answer
    HEX = "hex"  # decimal in the answer


WRAPPING: Final = " \t\r\n\"'{}[]()<>,;|&"
"""What carriers put around an id on one side or on both: no part of it. Migration 0016 has the same."""


def key(ref: str) -> str:
    """What the index holds of a reference."""
    return ref.lower().strip(WRAPPING).lstrip("0x")


def _decimal(ref: str) -> str | None:
    """Below zero: a 32-bit count that was printed as signed."""
    ref = ref.strip(WRAPPING)
    if not DIGITS.fullmatch(ref):
        return None
    value = int(ref)
    if value < -(WORD >> 1):
        return None
    return key(f"{value % WORD if value < 0 else value:x}")


def _hex(ref: str) -> str | None:
    ref = ref.strip(WRAPPING)
    return key(str(int(ref, 16))) if HEX.fullmatch(ref) else None


WRITTEN: Final[Mapping[IdFormat, Callable[[str], str | None]]] = {
    IdFormat.SAME: key,
    IdFormat.DECIMAL: _decimal,
    IdFormat.HEX: _hex,
}


def key_in_format(form: IdFormat, ref: str) -> str | None:
    """The index key of the answer's id, if the receipt writes it as `ref` in this form; None: it cannot be."""
    return WRITTEN[form](ref)


def keys(ref: str) -> dict[IdFormat, str]:
    """Every key that an answer to this receipt's id may have. Two forms may share one, as with ids of one digit."""
    return {form: found for form, written in WRITTEN.items() if (found := written(ref)) is not None}
