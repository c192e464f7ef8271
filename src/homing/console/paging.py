"""Pages of a long list by key, never by counting: the next page begins below the last row's key, however many rows
there are and whatever was added meanwhile.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from homing import limits


class Shown(msgspec.Struct, frozen=True):
    """The rows of a page, and the key below which the older ones begin; None: there are none."""

    rows: Sequence[Any]
    older: int | None


def page_of(rows: Sequence[Any], key: str, rows_max: int = limits.CONSOLE_PAGE_ROWS) -> Shown:
    """`rows`: the latest first, one more than a page shows if there are as many."""
    shown = rows[:rows_max]
    return Shown(shown, shown[-1][key] if len(rows) > rows_max else None)
