"""Workbooks of spreadsheets: rows of texts and numbers, nothing else.

A spreadsheet reads CSV by its own settings: Excel takes UTF-8 for the local charset and a point for no decimal mark. A
workbook leaves nothing to guess, and a text in it is never computed.
"""

import io
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

Cell = str | int | float | Decimal | None
WORKBOOK_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEET_NAME_CHARS_MAX: Final = 31
NOT_IN_NAMES: Final = re.compile(r"[\[\]:*?/\\\x00-\x1f]|^'|'$")
NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
CELL_CHARS_MAX: Final = 32_767
"""Excel's own bound; what is longer is cut."""


class Sheet(msgspec.Struct, frozen=True):
    """`name`: of its tab; `rows`: the headings first."""

    name: str
    rows: Sequence[Sequence[Cell]]


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """A file with at least one sheet; their names differ."""
    from xlsxwriter import Workbook  # loaded for an export alone: processes start without it

    file = io.BytesIO()
    with Workbook(file, {"in_memory": True}) as spreadsheet:
        for sheet in sheets:
            page = spreadsheet.add_worksheet(_name(sheet.name))
            for row, cells in enumerate(sheet.rows):
                for column, cell in enumerate(cells):
                    _write(page, row, column, cell)
    return file.getvalue()


def _name(text: str) -> str:
    return NOT_IN_NAMES.sub(" ", NOT_IN_XML.sub("", text))[:SHEET_NAME_CHARS_MAX] or "-"


def _write(page: "Worksheet", row: int, column: int, cell: Cell) -> None:
    if isinstance(cell, str):
        page.write_string(row, column, NOT_IN_XML.sub("", cell)[:CELL_CHARS_MAX])
    elif cell is not None:
        page.write_number(row, column, cell)
