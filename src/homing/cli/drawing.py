"""Draws tables and cards for people: text of a width, with rich."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from homing.cli.show import Column, Detail, Table

GAP: Final = 2  # spaces between columns
PROSE_CELLS_MIN: Final = 20  # a column that wraps is not made narrower


def draw(reply: Table | Detail, width: int | None) -> Sequence[str]:
    """The lines. `width`: in cells; None: the terminal's, which rich detects."""
    console = Console(width=width, highlight=False, markup=False)
    with console.capture() as printed:
        if isinstance(reply, Table):
            _print_table(console, reply)
        else:
            _print_card(console, reply)
    return [line.rstrip() for line in printed.get().splitlines()]


def _print_table(console: Console, table: Table) -> None:
    if not table.rows:
        console.print(Text(table.empty, style="dim"))
        return
    visible = [column for column in table.columns if not column.programs_only]
    cells = {column.source: [Text(column.text(row)) for row in table.rows] for column in visible}
    widths = {column.source: _width(column, cells[column.source]) for column in visible}
    keys = [column for column in visible if column.is_key] or visible[:1]
    for index, block in enumerate(
        _blocks(keys, [column for column in visible if column not in keys], widths, console.width)
    ):
        if index:
            console.print()
        _print_block(console, block, cells, _total(block, widths))


def _width(column: Column, cells: Sequence[Text]) -> int:
    natural = max(len(column.heading), *(cell.cell_len for cell in cells))
    return min(natural, PROSE_CELLS_MIN) if column.kind.wraps else natural


def _total(columns: Sequence[Column], widths: Mapping[str, int]) -> int:
    return sum(widths[column.source] for column in columns) + GAP * (len(columns) - 1)


def _blocks(
    keys: Sequence[Column], others: Sequence[Column], widths: Mapping[str, int], room: int
) -> Sequence[Sequence[Column]]:
    """As few as fit into the room, and of as equal widths as can be."""

    def split(room: int) -> Iterator[Sequence[Column]]:
        block = list(keys)
        for column in others:
            if len(block) > len(keys) and _total([*block, column], widths) > room:
                yield block
                block = list(keys)
            block.append(column)
        yield block

    fewest = len(list(split(room)))
    return next(split_widths for width in range(room + 1) if len(split_widths := list(split(width))) == fewest)


def _print_block(console: Console, columns: Sequence[Column], cells: Mapping[str, Sequence[Text]], width: int) -> None:
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(
            Text(column.heading),
            justify="right" if column.kind.right else "left",
            no_wrap=not column.kind.wraps,
            overflow="fold",
        )
    for row in zip(*(cells[column.source] for column in columns), strict=True):
        grid.add_row(*row)
    # In a window that is too narrow the terminal may break the lines; nothing is cut off.
    window = console.width
    console.width = max(window, width)
    console.print(grid, crop=False)
    console.width = window


def _print_card(console: Console, card: Detail) -> None:
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for column in card.columns:
        if not column.programs_only:
            grid.add_row(Text(column.heading), Text(column.text(card.row)))
    console.print(grid)
    for name, table in card.parts.items():
        console.print()
        console.print(Text(name.capitalize().replace("_", " "), style="bold underline"))
        _print_table(console, table)
    if card.note:
        console.print()
        console.print(Text(card.note))
