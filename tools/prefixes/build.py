"""Makes `src/homing/text/prefixes.csv`, the table that `homing.text.numbers.Numbering` reads: `make prefixes`.

Sources: numbering plans and operators' ranges from libphonenumber by way of `phonenumbers` (Apache-2.0; the full
package, because phonenumberslite has no operator names); mobile country and network codes from `e212`.

A calling code of a single country is one prefix. Where several countries share it (+1, +7, +44 and nine more), their
number patterns are searched for the shortest prefixes that distinguish them. A prefix that no country's patterns
admit, such as an area code not yet opened, goes to the calling code's main country, so that it still has a price.
"""

import csv
import importlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import phonenumbers

from homing.text.numbers import COLUMNS, UNKNOWN, Destination
from tools.prefixes import e212
from tools.prefixes.patterns import ANYTHING, DIGITS, Remainders, after, parse

T = TypeVar("T")

TABLE: Final = Path(__file__).parents[2] / "src/homing/text/prefixes.csv"

NATIONAL_DIGITS_MAX: Final = 6
"""How deep a shared calling code is searched: the Channel Islands' mobile ranges need all six."""

PREFIXES_PER_ROW: Final = 20
"""Keeps lines short enough that a change to the table can be reviewed."""

NON_GEOGRAPHIC: Final = "001"
"""libphonenumber's region for satellite, toll-free and other codes of no country."""

_NUMBER_KINDS: Final = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)


# ---- Countries


def _patterns(region: str) -> Remainders:
    """How to recognise a region's numbers under a shared calling code: by its leading digits, else by its patterns."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return frozenset()
    if metadata.leading_digits is not None:
        return frozenset([(*parse(metadata.leading_digits), ANYTHING)])
    kinds = (getattr(metadata, kind) for kind in _NUMBER_KINDS)
    return frozenset(parse(kind.national_number_pattern) for kind in kinds if kind and kind.national_number_pattern)


Claims: TypeAlias = tuple[tuple[str, Remainders], ...]
"""The regions that some digits may still belong to, in libphonenumber's order, each with its remaining patterns."""


@cache
def _owners(claims: Claims, digits_left: int) -> dict[str, str]:
    """Region by the shortest further digits that distinguish the regions.

    Where several still match after the last digit, the first wins, as in libphonenumber.
    """
    if not claims:
        return {}
    if len(claims) == 1 or digits_left == 0:
        return {"": claims[0][0]}
    owners = {}
    for digit in DIGITS:
        read = ((region, after(remainders, digit)) for region, remainders in claims)
        further = _owners(tuple((region, rest) for region, rest in read if rest), digits_left - 1)
        owners.update({digit + digits: region for digits, region in further.items()})
    regions = set(owners.values())
    return {"": regions.pop()} if len(regions) == 1 else owners


def countries() -> dict[str, str]:
    """Prefix to country, or to an empty string for codes of no country."""
    table: dict[str, str] = {}
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        table[str(code)] = "" if regions[0] == NON_GEOGRAPHIC else regions[0]
        if len(regions) > 1:
            owners = _owners(tuple((region, _patterns(region)) for region in regions), NATIONAL_DIGITS_MAX)
            table.update({f"{code}{national}": region for national, region in owners.items()})
    return table


# ---- Operators


def networks() -> dict[str, str]:
    """Prefix to the name of the operator it is assigned to, in English where libphonenumber has that."""
    # By name, because the type checker sees phonenumberslite, which lacks this module.
    data: dict[str, dict[str, str]] = importlib.import_module("phonenumbers.carrierdata").CARRIER_DATA
    return {prefix: " ".join((names.get("en") or names[min(names)]).split()) for prefix, names in data.items()}


# ---- The table


def destinations() -> dict[str, Destination]:
    """Every prefix whose destination differs from that of the next shorter prefix in the table."""
    country_of, network_of = countries(), networks()
    table: dict[str, Destination] = {}
    for prefix in sorted(country_of.keys() | network_of.keys()):
        country = _longest(country_of, prefix) or ""
        network = _longest(network_of, prefix) or ""
        destination = Destination(
            country=country,
            calling_code=next(prefix[:n] for n in (1, 2, 3) if prefix[:n] in country_of),
            mcc=e212.MCC.get(country, UNKNOWN),
            mnc=e212.MNC.get((country, network), UNKNOWN),
            network=network,
        )
        if _longest(table, prefix) != destination:
            table[prefix] = destination
    return table


def _longest(table: Mapping[str, T], number: str) -> T | None:
    """The value of the longest prefix of `number`, itself included."""
    return next((table[number[:n]] for n in range(len(number), 0, -1) if number[:n] in table), None)


def check(table: Mapping[str, Destination]) -> None:
    """Raises ValueError for a network code in `e212` that no range uses, as when its operator was renamed."""
    used = {(destination.country, destination.network) for destination in table.values()}
    if unused := e212.MNC.keys() - used:
        raise ValueError(f"no range belongs to {sorted(unused)}")


def rows(table: Mapping[str, Destination]) -> Iterator[list[str]]:
    """The table by destination, in the order of their first prefixes, so that a new edition changes few lines."""
    grouped = defaultdict(list)
    for prefix in sorted(table):
        grouped[table[prefix]].append(prefix)
    for destination, prefixes in grouped.items():
        fields = [getattr(destination, column) for column in COLUMNS[:-1]]
        for at in range(0, len(prefixes), PREFIXES_PER_ROW):
            yield [*fields, " ".join(prefixes[at : at + PREFIXES_PER_ROW])]


def write(path: Path) -> None:
    """Makes the table and writes it to `path`."""
    table = destinations()
    check(table)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# Made by tools/prefixes from libphonenumber {phonenumbers.__version__} (Apache-2.0)\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(table))


if __name__ == "__main__":
    write(TABLE)
