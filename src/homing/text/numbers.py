"""Telephone numbers: the shape of E.164, and whose number it is by its longest known prefix.

The table is `prefixes.csv`, made by `build_prefixes.py` from libphonenumber's metadata (Apache-2.0). It knows
the operator that a range was given to, which is not the operator of a number that was ported.
"""

import csv
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Final, Self

import msgspec

COLUMNS: Final = ["calling_code", "country", "mcc", "mnc", "network", "prefixes"]

UNKNOWN: Final = "-1"
"""The word both dialects use for a mobile country or network code that is not known."""

DIGITS_MIN: Final = 7
DIGITS_MAX: Final = 15
"""ITU-T E.164, section 6, calling code included. The least is ours: no shorter number gets SMS."""

INTERNATIONAL_PREFIX: Final = "00"
"""ITU-T E.123, section 2.2: what most countries dial before a country code. The others' prefixes (011, 0011, 810) begin
national numbers elsewhere and are not guessed at.
"""

_RAW_CHARACTERS_MAX: Final = 64
"""A number typed with a space around every digit fits; longer input is refused before any work."""

_DROP_WHITE_SPACE: Final = str.maketrans("", "", " \t\n\r\v\f")


def normalise(raw: str) -> str | None:
    """The one form of a number that everything compares, prices and routes by; None for what is no such number.

    It is the 7 to 15 digits of `raw` without ASCII white space, one leading `+` and one international prefix `00`. No
    country code begins with 0 (ITU-T E.164, annex D): what still does is a national number (`is_national`).

    Only ASCII digits count: other scripts' digits would come out as a number that looks right and compares
    unequal.
    """
    if len(raw) > _RAW_CHARACTERS_MAX:
        return None
    digits = raw.removeprefix("+")
    if not digits.isdigit():
        digits = raw.translate(_DROP_WHITE_SPACE).removeprefix("+")
    if digits[:1] == "0":
        digits = digits.removeprefix(INTERNATIONAL_PREFIX)
        if digits[:1] == "0":
            return None
    if DIGITS_MIN <= len(digits) <= DIGITS_MAX and digits.isascii() and digits.isdigit():
        return digits
    return None


def is_national(raw: str) -> bool:
    """Whether `raw` is refused because its country code is missing: digits that begin with 0, but not with `00` and a
    country code.
    """
    if len(raw) > _RAW_CHARACTERS_MAX:
        return False
    digits = raw.translate(_DROP_WHITE_SPACE).removeprefix("+").removeprefix(INTERNATIONAL_PREFIX)
    return digits[:1] == "0" and digits.isascii() and digits.isdigit()


def first_digits(raw: str) -> str:
    """The beginning of numbers as somebody wrote it, in the form of `normalise`; what is none stays as it is."""
    digits = raw.translate(_DROP_WHITE_SPACE).removeprefix("+")
    return digits.removeprefix(INTERNATIONAL_PREFIX) if digits.isascii() and digits.isdigit() else raw


def dashed(network: str) -> str:
    """MCC-MNC of a network's digits."""
    return f"{network[:3]}-{network[3:]}"


class Destination(msgspec.Struct, frozen=True, gc=False):
    """Whose number it is: what a price, a route and a report are keyed by."""

    country: str = ""
    """ISO 3166-1 alpha-2; empty when unknown and for satellite and other codes that belong to no country."""
    calling_code: str = ""
    """ITU-T E.164 country code, 1 to 3 digits; empty when unknown."""
    mcc: str = UNKNOWN
    """Mobile country code, ITU-T E.212: the country's first where it has several."""
    mnc: str = UNKNOWN
    """Mobile network code, 2 or 3 digits, zeros kept: the operator's principal one."""
    network: str = ""
    """The operator that the range was given to, by its trade name; empty when unknown."""


NOWHERE: Final = Destination()


class Numbering:
    """Longest-prefix search over a fixed table of numbering plans: built once, shared freely."""

    def __init__(self, prefixes: Mapping[str, Destination]) -> None:
        self._prefixes = dict(prefixes)
        self._calling_codes = sorted({one.calling_code for one in self._prefixes.values() if one.calling_code})
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)

    @classmethod
    def load(cls) -> Self:
        """The table that ships with Homing. Takes some tens of milliseconds: once, at start."""
        with resources.files(__package__).joinpath("prefixes.csv").open(encoding="utf-8") as lines:
            return cls.read(lines)

    @classmethod
    def read(cls, lines: Iterable[str]) -> Self:
        """A table from CSV: the fields of `Destination`, then the prefixes that lead there, with spaces."""
        rows = csv.reader(line for line in lines if not line.startswith("#"))
        header = next(rows)
        if header != COLUMNS:
            raise ValueError(f"a prefix table has the columns {COLUMNS}, not {header}")
        prefixes: dict[str, Destination] = {}
        for calling_code, country, mcc, mnc, network, listed in rows:
            destination = Destination(country, calling_code, mcc, mnc, network)
            prefixes.update(dict.fromkeys(listed.split(" "), destination))
        return cls(prefixes)

    def in_countries(self, national: str) -> Iterable[str]:
        """What a number that was written without its country code (ITU-T E.164) may be in full: it behind every country
        code where a number that begins so can be. `national` is digits, without the trunk prefix.
        """
        for code in self._calling_codes:
            number = code + national
            if len(number) <= DIGITS_MAX and self.locate(number).network:
                yield number

    def locate(self, number: str) -> Destination:
        """The destination of a normalised number, or `NOWHERE`; whether the number exists is not asked."""
        for length in self._lengths:
            destination = self._prefixes.get(number[:length])
            if destination is not None:
                return destination
        return NOWHERE
