"""Prints replies: tables for people, one JSON document for programs, from the same values."""

import csv
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

import click
import msgspec

from homing.cli.exit_status import ExitStatus
from homing.common import money
from homing.common.csv_cells import plain_cell
from homing.common.urls import without_password
from homing.i18n.reasons import reason_document, reason_text
from homing.reasons import decode_reason

PIPE_COLUMNS: Final = 120  # the width where there is no terminal to ask
EVERY_NUMBER: Final = "*"


class ColumnKind(msgspec.Struct, frozen=True):
    """How a column's values look: `text` for people, `json` for programs, `absent` where there is no value. `members`:
    of the JSON object that each value is; a spreadsheet has a column for each.
    """

    text: Callable[[Any], str] = str
    json: Callable[[Any], object] = lambda value: value
    members: tuple[str, ...] = ()
    absent: str = "-"
    right: bool = False
    wraps: bool = False


def enum_kind(numbers: type[IntEnum]) -> ColumnKind:
    """Small integers by the names that model.py and states.py give them."""

    def name(value: int) -> str:
        return numbers(value).name.lower()

    return ColumnKind(text=lambda value: name(value).replace("_", " "), json=name)


def clock(at: datetime) -> str:
    """UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """A time in the unit that shows it best: `+0.044 s`, `+2.6 min`, `+5.0 h`, `+2.0 d`."""
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= 2 * unit_s:
            return f"{seconds / unit_s:+.1f} {unit}"
    return f"{seconds:+.3f} s"


def interval(mean: float, low: float, high: float) -> str:
    """A rate and where it may lie: `64.1% (60.6-67.4)`."""
    return f"{mean:.1%} ({low * 100:.1f}-{high * 100:.1f})"


TEXT: Final = ColumnKind()
PROSE: Final = ColumnKind(wraps=True)
COUNT: Final = ColumnKind(right=True)
MONEY: Final = ColumnKind(text=money.fixed, json=money.trimmed, right=True)
PLAIN_MONEY: Final = ColumnKind(text=money.trimmed, json=money.trimmed, right=True)
TIME: Final = ColumnKind(text=clock)
RECENT: Final = ColumnKind(text=lambda at: clock(at)[5:])  # without the year, where lines are many and of late
YES: Final = ColumnKind(text=lambda value: "yes" if value else "no")
URL: Final = ColumnKind(text=without_password, json=without_password, wraps=True)
LIST: Final = ColumnKind(
    text=lambda values: ", ".join(map(str, values)), json=lambda values: [*map(str, values)], wraps=True
)
PREFIX: Final = ColumnKind(text=lambda prefix: prefix or EVERY_NUMBER, json=lambda prefix: prefix or EVERY_NUMBER)
SCOPE: Final = ColumnKind(absent="everyone")  # an account's name, or none where a setting holds for all
REASON: Final = ColumnKind(
    text=lambda written: reason_text(decode_reason(written)),
    json=lambda written: reason_document(decode_reason(written)),
    wraps=True,
)


Row = Mapping[str, Any] | msgspec.Struct  # what is shown of it: members by name


def member(row: Row, name: str) -> Any:
    return getattr(row, name) if isinstance(row, msgspec.Struct) else row[name]


class Column(msgspec.Struct, frozen=True):
    """A value of a row: where it comes from, what people read above it; `programs_only` leaves it out of tables, and
    `people_only` out of JSON. A table that is too wide is printed in blocks, and in each of them stand its `is_key`
    columns, or else its first one.
    """

    source: str
    heading: str = ""
    kind: ColumnKind = TEXT
    programs_only: bool = False
    people_only: bool = False
    is_key: bool = False

    @property
    def name(self) -> str:
        """The member's name in JSON, where amounts are decimal texts and no longer micro-units."""
        return self.source.removesuffix("_micro")

    def text(self, row: Row) -> str:
        value = member(row, self.source)
        return _printable(self.kind.absent if value is None or value == [] else self.kind.text(value))

    def json(self, row: Row) -> object:
        value = member(row, self.source)
        return None if value is None else self.kind.json(value)


class Table(msgspec.Struct, frozen=True):
    """Rows of the same columns; `empty` is said where there are none."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = "none"


class Detail(msgspec.Struct, frozen=True):
    """One thing: its values below each other, and tables that belong to it, by name. `note` is for people."""

    columns: Sequence[Column]
    row: Row
    parts: Mapping[str, Table] = {}
    note: str = ""
    status: ExitStatus = ExitStatus.SUCCESS


class Confirmation(msgspec.Struct, frozen=True):
    """What was done: a sentence for people, its facts for programs; `warnings`, on stderr, of what will not work."""

    text: str
    facts: Mapping[str, object]
    warnings: Sequence[str] = ()


class CsvRows(msgspec.Struct, frozen=True):
    """Rows for a spreadsheet: CSV for people, and as they are for programs."""

    columns: Sequence[str]
    rows: Sequence[Row]


Reply = Table | Detail | Confirmation | CsvRows


def print_reply(reply: Reply, as_json: bool) -> None:
    if isinstance(reply, Confirmation):
        for warning in reply.warnings:
            click.echo(_printable(f"Warning: {warning}."), err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_document(reply)), indent=2).decode())
        return
    if isinstance(reply, Confirmation):
        click.echo(_printable(reply.text))
        return
    if isinstance(reply, CsvRows):
        _print_sheet(reply)
        return
    from homing.cli import drawing  # rich takes as long to load as a quarter of the command: only where it draws

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    for line in drawing.draw(reply, width):
        click.echo(line)


def _document(reply: Reply) -> object:
    if isinstance(reply, Confirmation):
        return reply.facts
    if isinstance(reply, CsvRows):
        return [{name: member(row, name) for name in reply.columns} for row in reply.rows]
    if isinstance(reply, Table):
        return [_members(reply.columns, row) for row in reply.rows]
    parts = {name: _document(table) for name, table in reply.parts.items()}
    return {**_members(reply.columns, reply.row), **parts}


def _members(columns: Sequence[Column], row: Row) -> dict[str, object]:
    return {column.name: column.json(row) for column in columns if not column.people_only}


def _print_sheet(sheet: CsvRows) -> None:
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(sheet.columns)
    for row in sheet.rows:
        values = [member(row, name) for name in sheet.columns]
        writer.writerow([plain_cell(_printable(value)) if isinstance(value, str) else value for value in values])
    click.echo(page.getvalue(), nl=False)


def _printable(text: str) -> str:
    """Customers' texts can hold what would steer a terminal: only what prints is printed."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
