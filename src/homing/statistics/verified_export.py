"""Cost per verified person as rows of a spreadsheet."""

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from homing.common.csv_cells import plain_cell
from homing.common.money import MICRO
from homing.common.workbook import Cell, Sheet, workbook
from homing.model import CURRENCY
from homing.statistics.verified import VerifiedLine

COLUMNS: Final = ("messages", "verified", "charge", "charge_per_verified")
OPERATOR_COLUMNS: Final = ("carrier_cost", "margin")
ALL: Final = "total"


def verified_rows(by: str, lines: Sequence[VerifiedLine], *, shows_cost: bool) -> Sequence[Sequence[Cell]]:
    """The headings first. `by`: one of `GROUPINGS`, or "" for the total. `shows_cost`: what the carriers cost is for
    those alone who may see it.
    """
    columns = (*COLUMNS, *(OPERATOR_COLUMNS if shows_cost else ()), "currency")
    return [(by or ALL, *columns), *(_row(line, shows_cost) for line in lines)]


def verified_csv(by: str, lines: Sequence[VerifiedLine], *, shows_cost: bool) -> str:
    page = io.StringIO()
    rows = verified_rows(by, lines, shows_cost=shows_cost)
    csv.writer(page).writerows([plain_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return page.getvalue()


def verified_workbook(tables: Mapping[str, Sequence[VerifiedLine]], *, shows_cost: bool) -> bytes:
    """A sheet for each grouping."""
    return workbook([Sheet(by or ALL, verified_rows(by, lines, shows_cost=shows_cost)) for by, lines in tables.items()])


def _row(line: VerifiedLine, shows_cost: bool) -> Sequence[Cell]:
    amounts = [line.charge_micro, line.charge_per_verified_micro]
    if shows_cost:
        amounts += [line.carrier_cost_micro, line.margin_micro]
    return (line.key, line.messages, line.verified, *map(_amount, amounts), CURRENCY)


def _amount(micro: int | None) -> Decimal | None:
    return None if micro is None else Decimal(micro) / MICRO
