"""Pages of a long list by key, never by offset: the next page begins below the last row's key, whatever the number of
rows and whatever was added meanwhile.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

import msgspec

from homing import limits
from homing.admin.account_settings import as_id

EPOCH: Final = datetime.fromtimestamp(0, UTC)
T = TypeVar("T")


class ListPage(msgspec.Struct, Generic[T], frozen=True):
    """The rows of a page, and the key below which the older ones begin; None: there are none."""

    rows: Sequence[T]
    older: int | None


def page_of(rows: Sequence[T], key: Callable[[T], int], rows_max: int = limits.CONSOLE_PAGE_ROWS) -> ListPage[T]:
    """`rows`: the latest first, one more than a page shows if there are as many."""
    visible = rows[:rows_max]
    return ListPage(visible, key(visible[-1]) if len(rows) > rows_max else None)


def moment_key(at: datetime, row_id: int) -> str:
    """Of a list in order of time: a row's time in microseconds, and its id."""
    return f"{(at - EPOCH) // timedelta(microseconds=1)}.{row_id}"


def read_moment_key(text: str) -> tuple[datetime, int] | None:
    """What `moment_key` wrote; None of anything else."""
    micros, _dot, last = text.partition(".")
    row_id = as_id(last)
    if row_id is None or not re.fullmatch(r"[0-9]{1,17}", micros):
        return None
    return EPOCH + timedelta(microseconds=int(micros)), row_id
