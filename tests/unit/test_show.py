"""How the command line prints tables: nothing is cut off, whatever the window's width."""

import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from homing.cli.sheets import as_sheet
from homing.cli.show import COUNT, PROSE, Column, Table, print_reply
from homing.cli.stats import RATE
from homing.statistics.report import RateWithInterval

COLUMNS = (
    Column("name", "Name", is_key=True),
    *(Column(f"figure_{n}", f"Figure number {n}", COUNT) for n in range(8)),
    Column("shown", "Shown", people_only=True),
    Column("told", programs_only=True),
)
ROWS = [
    {"name": name, **{f"figure_{n}": 1_000_000_000 + n for n in range(8)}, "shown": "here", "told": "there"}
    for name in ("first", "second")
]


@pytest.mark.parametrize("width", [40, 60, 100, 120])
def test_a_table_that_is_too_wide_is_printed_in_blocks_that_all_have_its_key(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_reply(Table(COLUMNS, ROWS), as_json=False)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    blocks = said.split("\n\n")
    assert len(blocks) > 1
    for block in blocks:
        heading, _line, first, second = block.strip().splitlines()
        assert heading.startswith("Name ")
        assert (first.split()[0], second.split()[0]) == ("first", "second")
    for n in range(8):
        assert said.count(str(1_000_000_000 + n)) == len(ROWS)


def test_a_table_that_fits_is_one_block(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    print_reply(Table(COLUMNS, ROWS), as_json=False)
    assert len(capsys.readouterr().out.strip().splitlines()) == 2 + len(ROWS)


def test_a_column_that_is_wider_than_the_window_is_whole_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    columns = (Column("key", "Key"), Column("long", "Long"), Column("prose", "Prose", PROSE))
    print_reply(Table(columns, [{"key": "k", "long": "x" * 50, "prose": "word " * 20}]), as_json=False)
    said = capsys.readouterr().out
    assert "x" * 50 in said
    assert said.count("word") == 20


def test_programs_get_what_is_theirs_and_people_what_is_theirs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_reply(Table(COLUMNS, ROWS), as_json=True)
    (first, _second) = json.loads(capsys.readouterr().out)
    assert "shown" not in first
    assert first["told"] == "there"
    monkeypatch.setenv("COLUMNS", "200")
    print_reply(Table(COLUMNS, ROWS), as_json=False)
    said = capsys.readouterr().out
    assert "here" in said
    assert "there" not in said


@pytest.mark.parametrize("rates", [[RateWithInterval(0.5, 0.4, 0.6), None], [None, None], []])
def test_a_sheet_has_the_same_columns_whether_or_not_a_rate_is_known(
    rates: list[RateWithInterval | None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table((Column("key", "Key"), Column("rate", "Rate", RATE)), [{"key": "=k", "rate": rate} for rate in rates])
    print_reply(as_sheet(table, "rates", as_csv=True, xlsx=None), as_json=False)
    lines = ["'=k,,," if rate is None else "'=k,0.5,0.4,0.6" for rate in rates]
    expected = ["key,rate_mean,rate_low,rate_high", *lines]
    assert capsys.readouterr().out.splitlines() == expected
    as_sheet(table, "rates", as_csv=False, xlsx=tmp_path / "rates.xlsx")
    page = load_workbook(tmp_path / "rates.xlsx").worksheets[0]
    assert [cell.value for cell in page[1]] == expected[0].split(",")
    assert page.max_row == 1 + len(rates)
