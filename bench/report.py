"""The results of a bench: a table for the terminal, JSON to keep, Markdown to publish."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

RESULTS: Final = Path(__file__).parent / "results"
Machine = dict[str, str | int | float]


class Row(msgspec.Struct, frozen=True):
    """One figure. Target and measured are words with units, since rates, times and counts share the table."""

    name: str
    target: str
    measured: str
    ok: bool | None
    """Whether the target was met; None when there is none, as for a peer's figure."""
    note: str = ""


def publish(name: str, rows: list[Row], machine: Machine, folder: Path = RESULTS) -> Path:
    """Print the rows, write `<date>-<name>.json` and `latest.md` under `folder`; returns the JSON's path."""
    Console().print(terminal_table(name, rows))
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{datetime.now(UTC):%Y-%m-%d}-{name}.json"
    record = msgspec.json.encode({"name": name, "machine": machine, "rows": rows})
    kept.write_bytes(msgspec.json.format(record, indent=2) + b"\n")
    (folder / "latest.md").write_text(markdown(name, rows, machine), encoding="utf-8")
    return kept


def terminal_table(name: str, rows: list[Row]) -> Table:
    table = Table(title=name, title_justify="left")
    for column in ("what", "target", "measured", "", "note"):
        table.add_column(column, justify="right" if column in ("target", "measured") else "left")
    for row in rows:
        colour = {True: "green", False: "red", None: "dim"}[row.ok]
        table.add_row(row.name, row.target, row.measured, f"[{colour}]{_verdict(row)}[/]", row.note)
    return table


def markdown(name: str, rows: list[Row], machine: Machine) -> str:
    """A GitHub table under the machine it was taken on."""
    lines = [
        f"# {name}",
        "",
        " · ".join(f"{key.replace('_', ' ')}: {value}" for key, value in machine.items()),
        "",
    ]
    lines += ["| what | target | measured | met | note |", "|---|---:|---:|---|---|"]
    lines += [
        "| " + " | ".join(_cell(text) for text in (row.name, row.target, row.measured, _verdict(row), row.note)) + " |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _verdict(row: Row) -> str:
    return {True: "yes", False: "NO", None: "-"}[row.ok]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
