"""Statements of sql/lab.sql.

Made by tools/sql_bindings.py from sql/lab.sql.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Streamer, stream_rows

_SQL: Final = queries.load("lab")


class ReplayedMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `replay_messages`."""

    account_id: int
    message_id: int
    app_id: str
    sender: str
    traffic: int
    number: str
    country: str
    mcc: str
    mnc: str
    segments: int
    price_micro: int
    charge_micro: int
    refund_micro: int
    carrier_id: int
    state: int
    sent_at: datetime | None
    final_at: datetime | None
    credited_at: datetime | None


def replay_messages(
    db: Streamer, *, first_id: int, beyond_id: int, account_id: int | None
) -> AsyncIterator[ReplayedMessage]:
    """What became of the messages of a time, in the order of their submits. A scan and a sort, by nobody but `lab
    replay`: it has its session to itself, and the sort spills to disk.
    """
    return stream_rows(db, _SQL["replay_messages"], ReplayedMessage, first_id, beyond_id, account_id)
