"""Searches messages, with bounded work for any filter.

A search goes back in time window by window, and reads at most `SEARCH_LOOKED_MAX` messages. A key (number, reference,
carrier's message ID) is found by its index, however old the message; filters that match many messages (carrier, state)
are applied to the latest ones. A search that stopped at the limit returns where, and another one can continue there.
"""

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypedDict

import msgspec

from homing import limits
from homing.common import ids
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.dispatch import MessageRef
from homing.store.statements.search import ListedMessage, SearchHit

SEARCH_STEP: Final = 2_500  # of these at once
MILLISECOND: Final = 1 << ids.SHIFT
NARROW: Final = 15_000 << ids.SHIFT  # 15 s of ids
DAY_MS: Final = 86_400_000
DAY: Final = DAY_MS << ids.SHIFT
WIDER: Final = 4


class MessageKey(enum.StrEnum):
    """Keys with an index, which match few messages."""

    NUMBER = "number"
    REFERENCE = "reference"
    CARRIER_REF = "carrier_ref"


class MessageFilter(msgspec.Struct, frozen=True):
    """None, and an empty `states`: any. Message IDs from `first_id` up to, but not including, `beyond_id`."""

    account_id: int | None = None
    carrier_id: int | None = None
    states: tuple[int, ...] = ()
    first_id: int = 0
    beyond_id: int = ids.ID_MAX
    key: MessageKey | None = None
    value: str = ""

    @property
    def is_any(self) -> bool:
        """Whether every message of the account and time matches."""
        return self.carrier_id is None and not self.states


class _Window(TypedDict):
    """What each of the search statements is given besides its key."""

    account_id: int | None
    first_id: int
    beyond_id: int
    looked_max: int
    carrier_id: int | None
    states: Sequence[int] | None
    rows_max: int


class FoundMessages(msgspec.Struct, frozen=True):
    """The messages, the latest first. `stopped_id`: messages below it were not read, since the limit was reached; None:
    the search is complete, or `rows_max` were found. `looked`: how many messages were read.
    """

    rows: Sequence[ListedMessage]
    stopped_id: int | None
    looked: int


async def search(
    database: Database,
    message_filter: MessageFilter,
    rows_max: int,
    now: datetime,
    looked_max: int = limits.SEARCH_LOOKED_MAX,
) -> FoundMessages:
    """The latest `rows_max` messages that match. Reads at most `looked_max` messages."""
    newest_ms = int(now.timestamp() * 1000) + DAY_MS  # ids can be ahead of this clock
    beyond_id = min(message_filter.beyond_id, ids.first_id_at(newest_ms))
    width = NARROW if message_filter.key is None else DAY
    refs: list[MessageRef] = []
    looked = 0
    while beyond_id > message_filter.first_id and len(refs) < rows_max and looked < looked_max:
        missing, left = rows_max - len(refs), looked_max - looked
        read_max = left if message_filter.key else min(left, missing if message_filter.is_any else SEARCH_STEP)
        first_id = max(message_filter.first_id, beyond_id - width)
        rows = await _look(
            database, message_filter, first_id=first_id, beyond_id=beyond_id, looked_max=read_max, rows_max=missing
        )
        is_full = rows[0].looked >= read_max
        if is_full and message_filter.key and width > MILLISECOND:
            width = max(MILLISECOND, width // WIDER)  # rows come in no order: these may not be the latest
            continue
        looked += rows[0].looked
        refs += [
            MessageRef(account_id=row.account_id, message_id=row.message_id)
            for row in rows
            if row.account_id is not None and row.message_id is not None
        ]
        lowest_id = rows[0].lowest_id
        if is_full and message_filter.key is None and lowest_id is not None:
            width = beyond_id - lowest_id  # about as many again
            beyond_id = lowest_id
        else:
            width = width if is_full else width * WIDER
            beyond_id = first_id
    has_stopped = beyond_id > message_filter.first_id and len(refs) < rows_max
    return FoundMessages(await _listed(database, refs), beyond_id if has_stopped else None, looked)


async def _look(
    database: Database, message_filter: MessageFilter, *, first_id: int, beyond_id: int, looked_max: int, rows_max: int
) -> Sequence[SearchHit]:
    """The matching messages of a window of IDs; at least one row, which has the number of messages read."""
    window: _Window = {
        "account_id": message_filter.account_id,
        "first_id": first_id,
        "beyond_id": beyond_id,
        "looked_max": looked_max,
        "carrier_id": message_filter.carrier_id,
        "states": list(message_filter.states) or None,
        "rows_max": rows_max,
    }
    value = message_filter.value
    match message_filter.key:
        case None:
            return await statements.search.search_latest(database, **window)
        case MessageKey.NUMBER:
            return await statements.search.search_number(database, number=value, **window)
        case MessageKey.REFERENCE:
            return await statements.search.search_reference(database, reference=value, **window)
        case MessageKey.CARRIER_REF:
            return await statements.search.search_carrier_ref(database, carrier_ref=value, **window)


async def find_id(database: Database, message_id: int, account_id: int | None) -> int | None:
    """The ID of the message with this ID, or with a part of this ID, as it was submitted over SMPP; None: there is
    none.
    """
    if message_id > ids.ID_MAX:
        return None
    row = await statements.timeline.timeline_message(database, message_id=message_id)
    if row is None:
        part = await statements.search.search_part(database, account_id=account_id, part_id=message_id)
        return part.message_id if part else None
    return row.message_id if account_id in (None, row.account_id) else None


async def _listed(database: Database, refs: Sequence[MessageRef]) -> Sequence[ListedMessage]:
    if not refs:
        return []
    return await statements.search.messages_listed(database, keys=refs)
