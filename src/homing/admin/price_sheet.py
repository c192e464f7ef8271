"""A price list as CSV from a spreadsheet: columns `prefix` and `price`; others are ignored."""

import csv
from collections.abc import Iterable
from itertools import chain
from typing import Final

from homing import errors
from homing.admin.prices import check_prefix, check_price
from homing.common import money
from homing.text.numbers import first_digits

COLUMNS: Final = ("prefix", "price")
EVERY_NUMBER: Final = "*"
DELIMITERS: Final = ",;\t"
"""The header shows which: where decimals have a comma, spreadsheets write semicolons."""


def read(lines: Iterable[str], name: str) -> list[tuple[str, int]]:
    """(prefix, micro-units a segment) of every row; the prefix `*` or none matches every number.

    `name`: the file's, for messages. Raises `InvalidInput` with a line for each invalid row.
    """
    problems: list[str] = []
    prices: dict[str, int] = {}
    try:
        lines = iter(lines)
        first = next(lines, "")
        rows = csv.reader(chain([first], lines), strict=True, delimiter=max(DELIMITERS, key=first.count))
    except UnicodeDecodeError:
        raise errors.InvalidInput("{file} is not UTF-8 text", file=name) from None
    try:
        header = [heading.strip().lower() for heading in next(rows, [])]
        missing = [column for column in COLUMNS if header.count(column) != 1]
        if missing:
            raise errors.InvalidInput(
                "{file}: the header must contain the column {columns} exactly once",
                file=f"{name}:1",
                columns=" and ".join(missing),
            )
        positions = [header.index(column) for column in COLUMNS]
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            try:
                prefix, micro = _price(row, positions)
                if prefix in prices:
                    raise errors.InvalidInput("the prefix {prefix} appears twice", prefix=prefix or EVERY_NUMBER)
                prices[prefix] = micro
            except (ValueError, errors.InvalidInput) as error:
                problems.append(f"{name}:{rows.line_num}: {error}")
    except csv.Error as error:
        problems.append(f"{name}:{rows.line_num}: {error}")
    except UnicodeDecodeError:
        raise errors.InvalidInput("{file} is not UTF-8 text", file=name) from None
    if problems:
        raise errors.InvalidInput("nothing was changed:\n{lines}", lines="\n".join(problems))
    return list(prices.items())


def _price(row: list[str], positions: list[int]) -> tuple[str, int]:
    if len(row) <= max(positions):
        raise errors.InvalidInput(
            "the row has {n} columns; at least {minimum} are needed", n=len(row), minimum=max(positions) + 1
        )
    prefix, price = (row[position].strip() for position in positions)
    prefix = "" if prefix == EVERY_NUMBER else first_digits(prefix)
    micro = money.parse(price)
    check_prefix(prefix)
    check_price(micro)
    return prefix, micro
