"""A command's table for a spreadsheet: as CSV in place of the table, or as a workbook in a file."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from homing import errors
from homing.cli.show import MONEY, Confirmation, CsvRows, Reply, Table
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
    rows = _rows(table)
    columns = list(dict.fromkeys(column for row in rows for column in row)) or [each.name for each in table.columns]
    if xlsx is None:
        return CsvRows(columns, rows)
    xlsx.write_bytes(workbook([Sheet(name, [columns, *([row[column] for column in columns] for row in rows)])]))
    return Confirmation(f"{xlsx} has {len(rows)} rows.", {"file": str(xlsx), "rows": len(rows)})


def _rows(table: Table) -> Sequence[Mapping[str, Cell]]:
    """Values as they are for programs, amounts as numbers; a rate with its interval takes three columns."""
    rows: list[Mapping[str, Cell]] = []
    for row in table.rows:
        cells: dict[str, Any] = {}
        for column in table.columns:
            value = column.json(row)
            if isinstance(value, Mapping):
                cells.update({f"{column.name}_{part}": number for part, number in value.items()})
            else:
                cells[column.name] = Decimal(value) if column.kind is MONEY and isinstance(value, str) else value
        rows.append(cells)
    return rows
