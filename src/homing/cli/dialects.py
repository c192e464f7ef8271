"""Dialects as commands name them and print them."""

from typing import Final

import click

from homing.cli.show import ColumnKind
from homing.dialects.registry import DIALECTS


def _name(number: int) -> str | None:
    return DIALECTS.name_of(number) if number else None


CHOICE: Final = click.Choice([name for name, _title in DIALECTS.named_titles])
NUMBER: Final = ColumnKind(text=lambda number: _name(number) or "-", json=_name)
"""A dialect's number by its name; nothing for what is no dialect's."""
