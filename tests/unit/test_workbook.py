"""Workbooks of spreadsheets, read by an independent library."""

import io
from decimal import Decimal

from openpyxl import load_workbook

from homing.common.workbook import Cell, Sheet, workbook


def test_texts_stay_texts_and_numbers_numbers() -> None:
    rows: list[tuple[Cell, ...]] = [("=1+1", "a<b>&\x00\x0b", " 验 "), (7, Decimal("0.000001"), None)]
    book = load_workbook(io.BytesIO(workbook([Sheet("a/b: " + "x" * 40, rows), Sheet("", [])])))
    assert book.sheetnames == ["a b  " + "x" * 26, "-"]
    page = book.worksheets[0]
    texts, numbers = page.iter_rows()
    assert [(cell.value, cell.data_type) for cell in texts] == [("=1+1", "s"), ("a<b>&", "s"), (" 验 ", "s")]
    assert [(cell.value, cell.data_type) for cell in numbers[:2]] == [(7, "n"), (0.000001, "n")]
    assert numbers[2].value is None if len(numbers) > 2 else True


def test_a_name_that_a_spreadsheet_refuses_and_a_text_beyond_its_bound_are_cut() -> None:
    book = load_workbook(io.BytesIO(workbook([Sheet("'quoted'", [("x" * 40_000,)])])))
    assert book.sheetnames == [" quoted "]
    assert book.worksheets[0]["A1"].value == "x" * 32_767
