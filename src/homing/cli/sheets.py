"""A command's table for a spreadsheet: as CSV in place of the table, or as a workbook in a file."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from homing import errors
from homing.cli.show import MONEY, Column, Confirmation, CsvRows, Reply, Row, Table
from homing.common.workbook import Cell, Sheet, workbook

csv_option: Final = click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
xlsx_option: Final = click.option(
    "--xlsx", "xlsx", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write an Excel workbook."
)


def sheet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `as_csv` and `xlsx`."""
    return csv_option(xlsx_option(command))


def as_sheet(table: Table, name: str, *, as_csv: bool, xlsx: Path | None) -> Reply:
    """The table as what the options ask for. `name`: of the workbook's tab. Raises `InvalidInput` for both of them."""
    if as_csv and xlsx is not None:
        raise errors.InvalidInput("give either --csv or --xlsx")
    if not as_csv and xlsx is None:
        return table
    columns = [name for column in table.columns for name in _names(column)]
    rows = [dict(zip(columns, _cells(table, row), strict=True)) for row in table.rows]
    if xlsx is None:
        return CsvRows(columns, rows)
    xlsx.write_bytes(workbook([Sheet(name, [columns, *(list(row.values()) for row in rows)])]))
    return Confirmation(f"{xlsx} has {len(rows)} rows.", {"file": str(xlsx), "rows": len(rows)})


def _names(column: Column) -> Sequence[str]:
    """Of a value with members, such as a rate with its interval, each has a column."""
    return [f"{column.name}_{each}" for each in column.kind.members] or [column.name]


def _cells(table: Table, row: Row) -> Iterator[Cell]:
    """Values as they are for programs, amounts as numbers."""
    for column in table.columns:
        value: Any = column.json(row)
        if column.kind.members:
            yield from [None if value is None else value[each] for each in column.kind.members]
        elif column.kind is MONEY and isinstance(value, str):
            yield Decimal(value)
        else:
            yield value
