"""Phone numbers: the form of E.164, and a number's country and network by its longest known prefix.

The table is `prefixes.csv`, made by `tools/prefixes` from libphonenumber's metadata (Apache-2.0). It has the operator
that a range is assigned to, which is not the operator of a ported number.
"""

import csv
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Final, Self

import msgspec

from homing.text.prefix_table import PrefixTable

COLUMNS: Final = ["calling_code", "country", "mcc", "mnc", "network", "prefixes"]

UNKNOWN: Final = "-1"
"""The value of an unknown mobile country or network code in both dialects."""

DIGITS_MIN: Final = 7
DIGITS_MAX: Final = 15
"""ITU-T E.164, section 6, calling code included. The minimum is our own: no shorter number receives SMS."""

INTERNATIONAL_PREFIX: Final = "00"
"""ITU-T E.123, section 2.2: dialled before a country code in most countries. Other international prefixes (011, 0011,
810) begin national numbers elsewhere and are not recognised.
"""

_RAW_CHARACTERS_MAX: Final = 64
"""A number typed with a space around every digit fits; longer input is refused unread."""

_DROP_WHITE_SPACE: Final = str.maketrans("", "", " \t\n\r\v\f")


def normalise(raw: str) -> str | None:
    """The canonical form of a number, by which it is compared, priced and routed; None for an invalid number.

    It is the 7 to 15 digits of `raw` without ASCII white space, one leading `+` and one international prefix `00`. No
    country code begins with 0 (ITU-T E.164, annex D): digits that still do are a national number (`is_national`).

    ASCII digits only: digits of other scripts would make a number that looks right and compares unequal.
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
    """Whether `raw` lacks a country code: digits that begin with 0, but not with `00` and a country code."""
    if len(raw) > _RAW_CHARACTERS_MAX:
        return False
    digits = raw.translate(_DROP_WHITE_SPACE).removeprefix("+").removeprefix(INTERNATIONAL_PREFIX)
    return digits[:1] == "0" and digits.isascii() and digits.isdigit()


def first_digits(raw: str) -> str:
    """A number prefix as typed, in the form of `normalise`; other text is returned unchanged."""
    digits = raw.translate(_DROP_WHITE_SPACE).removeprefix("+")
    return digits.removeprefix(INTERNATIONAL_PREFIX) if digits.isascii() and digits.isdigit() else raw


def dashed(network: str) -> str:
    """`MCC-MNC` of a network's digits."""
    return f"{network[:3]}-{network[3:]}"


class Destination(msgspec.Struct, frozen=True, gc=False):
    """Country and network of a number: the key of prices, routes and reports."""

    country: str = ""
    """ISO 3166-1 alpha-2; empty when unknown and for satellite and other codes that belong to no country."""
    calling_code: str = ""
    """ITU-T E.164 country code, 1 to 3 digits; empty when unknown."""
    mcc: str = UNKNOWN
    """Mobile country code, ITU-T E.212: the country's first where it has several."""
    mnc: str = UNKNOWN
    """Mobile network code, 2 or 3 digits, zeros kept: the operator's principal one."""
    network: str = ""
    """Trade name of the operator that the range is assigned to; empty when unknown."""


NOWHERE: Final = Destination()


class Numbering:
    """Destinations by the longest prefix of a number. Immutable: one instance serves the process."""

    def __init__(self, prefixes: Mapping[str, Destination]) -> None:
        self._prefixes = PrefixTable(prefixes)
        codes = {destination.calling_code for destination in prefixes.values()}
        self._calling_codes = sorted(codes - {""})

    @classmethod
    def load(cls) -> Self:
        """The table of the distribution. Takes some tens of milliseconds: once, at start."""
        with resources.files(__package__).joinpath("prefixes.csv").open(encoding="utf-8") as lines:
            return cls.read(lines)

    @classmethod
    def read(cls, lines: Iterable[str]) -> Self:
        """A table from CSV: the fields of `Destination`, then its prefixes, separated by spaces. Raises ValueError."""
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
        """The full numbers (ITU-T E.164) that a number without its country code may stand for: one for every country
        code under which its range is assigned. `national` is digits, without the trunk prefix.
        """
        for code in self._calling_codes:
            number = code + national
            if len(number) <= DIGITS_MAX and self.locate(number).network:
                yield number

    def assigned(self) -> Iterable[tuple[str, Destination]]:
        """Each known prefix with its destination, in the order of the table."""
        return self._prefixes.items()

    def locate(self, number: str) -> Destination:
        """The destination of a normalised number, or `NOWHERE`; not a check that the number exists."""
        return self._prefixes.find(number) or NOWHERE
