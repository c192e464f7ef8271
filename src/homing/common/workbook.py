"""Workbooks of spreadsheets (Office Open XML, ECMA-376): rows of texts and numbers, nothing else.

A spreadsheet reads CSV by its own settings: Excel takes UTF-8 for the local charset and a point for no decimal mark. A
workbook leaves nothing to guess, and a text in it is never computed.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import msgspec

Cell = str | int | float | Decimal | None
WORKBOOK_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEET_NAME_CHARS_MAX: Final = 31
NOT_IN_NAMES: Final = re.compile(r"[\[\]:*?/\\]")
NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET_KIND: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
WORKBOOK_KIND: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


class Sheet(msgspec.Struct, frozen=True):
    """`name`: of its tab; `rows`: the headings first."""

    name: str
    rows: Sequence[Sequence[Cell]]


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """A file with at least one sheet; their names differ."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("[Content_Types].xml", _content_types(len(sheets)))
        parts.writestr("_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")]))
        parts.writestr("xl/workbook.xml", _tabs(sheets))
        targets = [("worksheet", f"worksheets/sheet{place}.xml") for place in range(1, len(sheets) + 1)]
        parts.writestr("xl/_rels/workbook.xml.rels", _relations(targets))
        for place, sheet in enumerate(sheets, 1):
            parts.writestr(f"xl/worksheets/sheet{place}.xml", _sheet(sheet))
    return file.getvalue()


def _content_types(sheets: int) -> str:
    parts = [("/xl/workbook.xml", WORKBOOK_KIND)]
    parts += [(f"/xl/worksheets/sheet{place}.xml", SHEET_KIND) for place in range(1, sheets + 1)]
    return (
        f'{HEAD}<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        + "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in parts)
        + "</Types>"
    )


def _relations(targets: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f'<Relationship Id="rId{place}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for place, (kind, target) in enumerate(targets, 1)
    )
    return f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">{rows}</Relationships>'


def _tabs(sheets: Sequence[Sheet]) -> str:
    tabs = "".join(
        f'<sheet name={quoteattr(_name(sheet.name))} sheetId="{place}" r:id="rId{place}"/>'
        for place, sheet in enumerate(sheets, 1)
    )
    return f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{tabs}</sheets></workbook>'


def _name(text: str) -> str:
    return NOT_IN_NAMES.sub(" ", NOT_IN_XML.sub("", text))[:SHEET_NAME_CHARS_MAX] or "-"


def _sheet(sheet: Sheet) -> str:
    rows = "".join(
        f'<row r="{place}">{"".join(_cell(cell) for cell in row)}</row>' for place, row in enumerate(sheet.rows, 1)
    )
    return f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def _cell(cell: Cell) -> str:
    if cell is None:
        return "<c/>"
    if isinstance(cell, str):
        text = escape(NOT_IN_XML.sub("", cell))
        return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    return f"<c><v>{cell:f}</v></c>" if isinstance(cell, Decimal) else f"<c><v>{cell}</v></c>"
