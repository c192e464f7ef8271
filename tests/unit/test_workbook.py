"""Workbooks of spreadsheets."""

import io
import zipfile
from decimal import Decimal
from xml.etree import ElementTree

from homing.common.workbook import MAIN, Cell, Sheet, workbook

SPACE = {"m": MAIN}


def test_texts_stay_texts_and_numbers_numbers() -> None:
    rows: list[tuple[Cell, ...]] = [("=1+1", "a<b>&\x00\x0b", " 验 "), (7, Decimal("0.000001"), None)]
    with zipfile.ZipFile(io.BytesIO(workbook([Sheet("a/b: " + "x" * 40, rows), Sheet("", [])]))) as parts:
        (tab, empty) = ElementTree.fromstring(parts.read("xl/workbook.xml")).findall(".//m:sheet", SPACE)
        assert (tab.get("name"), empty.get("name")) == ("a b  " + "x" * 26, "-")
        page = ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml"))
        texts, numbers = page.findall(".//m:row", SPACE)
        assert ["".join(cell.itertext()) for cell in texts] == ["=1+1", "a<b>&", " 验 "]
        assert {cell.get("t") for cell in texts} == {"inlineStr"}
        assert page.findall(".//m:f", SPACE) == [], "no formula"
        assert ["".join(cell.itertext()) for cell in numbers] == ["7", "0.000001", ""]
        assert {cell.get("t") for cell in numbers} == {None}
        for name in parts.namelist():
            ElementTree.fromstring(parts.read(name))
