"""Looking for messages, with bounded work whatever is asked.

A search goes back in time window by window, over no more than `limits.SEARCH_LOOKED_MAX` messages. What finds few (a
number, a reference, a carrier's id) is found by its index and so reaches as far as there are messages; what finds many
(a carrier, a state) is looked for among the latest. A search that stopped says where, and another can go on from there.
"""

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import Final

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
    """What finds a handful of messages."""

    NUMBER = "number"
    REFERENCE = "reference"
    CARRIER_REF = "carrier_ref"


class MessageFilter(msgspec.Struct, frozen=True):
    """None, and an empty `states`: any. Ids from `first_id` up to, and without, `beyond_id`."""

    account_id: int | None = None
    carrier_id: int | None = None
    states: tuple[int, ...] = ()
    first_id: int = 0
    beyond_id: int = ids.ID_MAX
    key: MessageKey | None = None
    value: str = ""

    @property
    def is_any(self) -> bool:
        """Whether every message of the account and the time fits."""
        return self.carrier_id is None and not self.states


class FoundMessages(msgspec.Struct, frozen=True):
    """Rows of `messages_listed`, the latest first. `stopped_id`: below it nothing was looked at, as that was enough
    work; None: the search came to its end, or found as many as were asked for. `looked` is how many it looked at.
    """

    rows: Sequence[ListedMessage]
    stopped_id: int | None
    looked: int


async def search(
    database: Database, wanted: MessageFilter, rows_max: int, now: datetime, looked_max: int = limits.SEARCH_LOOKED_MAX
) -> FoundMessages:
    """The latest `rows_max` that fit."""
    newest_ms = int(now.timestamp() * 1000) + DAY_MS  # ids can be ahead of this clock
    beyond = min(wanted.beyond_id, ids.first_id_at(newest_ms))
    width = NARROW if wanted.key is None else DAY
    found: list[MessageRef] = []
    looked = 0
    while beyond > wanted.first_id and len(found) < rows_max and looked < looked_max:
        lacking, left = rows_max - len(found), looked_max - looked
        step = left if wanted.key else min(left, lacking if wanted.is_any else SEARCH_STEP)
        first = max(wanted.first_id, beyond - width)
        rows = await _look(database, wanted, first_id=first, beyond_id=beyond, looked_max=step, rows_max=lacking)
        is_full = rows[0].looked >= step
        if is_full and wanted.key and width > MILLISECOND:
            width = max(MILLISECOND, width // WIDER)  # not the latest of them: they were taken as they came
            continue
        looked += rows[0].looked
        found += [
            MessageRef(account_id=row.account_id, message_id=row.message_id)
            for row in rows
            if row.account_id is not None and row.message_id is not None
        ]
        lowest_id = rows[0].lowest_id
        if is_full and wanted.key is None and lowest_id is not None:
            width = beyond - lowest_id  # about as many again
            beyond = lowest_id
        else:
            width = width if is_full else width * WIDER
            beyond = first
    has_stopped = beyond > wanted.first_id and len(found) < rows_max
    return FoundMessages(await _listed(database, found), beyond if has_stopped else None, looked)


async def _look(
    database: Database, wanted: MessageFilter, *, first_id: int, beyond_id: int, looked_max: int, rows_max: int
) -> Sequence[SearchHit]:
    """What fits in a window of ids; at least one row, which says how many were looked at."""
    states = list(wanted.states) or None
    account_id, carrier_id, value = wanted.account_id, wanted.carrier_id, wanted.value
    match wanted.key:
        case None:
            return await statements.search.search_latest(
                database,
                account_id=account_id,
                first_id=first_id,
                beyond_id=beyond_id,
                looked_max=looked_max,
                carrier_id=carrier_id,
                states=states,
                rows_max=rows_max,
            )
        case MessageKey.NUMBER:
            return await statements.search.search_number(
                database,
                number=value,
                account_id=account_id,
                first_id=first_id,
                beyond_id=beyond_id,
                looked_max=looked_max,
                carrier_id=carrier_id,
                states=states,
                rows_max=rows_max,
            )
        case MessageKey.REFERENCE:
            return await statements.search.search_reference(
                database,
                reference=value,
                account_id=account_id,
                first_id=first_id,
                beyond_id=beyond_id,
                looked_max=looked_max,
                carrier_id=carrier_id,
                states=states,
                rows_max=rows_max,
            )
        case MessageKey.CARRIER_REF:
            return await statements.search.search_carrier_ref(
                database,
                carrier_ref=value,
                account_id=account_id,
                first_id=first_id,
                beyond_id=beyond_id,
                looked_max=looked_max,
                carrier_id=carrier_id,
                states=states,
                rows_max=rows_max,
            )


async def find_id(database: Database, message_id: int, account_id: int | None) -> int | None:
    """The id of the message that a customer may know by this id: its own, or that of a part in which it came."""
    if message_id > ids.ID_MAX:
        return None
    row = await statements.timeline.timeline_message(database, message_id=message_id)
    if row is None:
        part = await statements.search.search_part(database, account_id=account_id, part_id=message_id)
        return part.message_id if part else None
    return row.message_id if account_id in (None, row.account_id) else None


async def _listed(database: Database, found: Sequence[MessageRef]) -> Sequence[ListedMessage]:
    if not found:
        return []
    return await statements.search.messages_listed(database, keys=found)
