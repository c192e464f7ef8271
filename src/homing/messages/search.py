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
from homing.store.database import Database, Record

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


STATEMENTS: Final = {
    None: "search_latest",
    MessageKey.NUMBER: "search_number",
    MessageKey.REFERENCE: "search_reference",
    MessageKey.CARRIER_REF: "search_carrier_ref",
}


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

    rows: Sequence[Record]
    stopped_id: int | None
    looked: int


async def search(
    database: Database, wanted: MessageFilter, rows_max: int, now: datetime, looked_max: int = limits.SEARCH_LOOKED_MAX
) -> FoundMessages:
    """The latest `rows_max` that fit."""
    newest_ms = int(now.timestamp() * 1000) + DAY_MS  # ids can be ahead of this clock
    beyond = min(wanted.beyond_id, ids.first_id_at(newest_ms))
    width = NARROW if wanted.key is None else DAY
    value = [] if wanted.key is None else [wanted.value]
    found: list[tuple[int, int]] = []
    looked = 0
    while beyond > wanted.first_id and len(found) < rows_max and looked < looked_max:
        lacking, left = rows_max - len(found), looked_max - looked
        step = left if wanted.key else min(left, lacking if wanted.is_any else limits.SEARCH_STEP)
        first = max(wanted.first_id, beyond - width)
        states = list(wanted.states) or None
        rows = await database.fetch(
            STATEMENTS[wanted.key], wanted.account_id, first, beyond, step, wanted.carrier_id, states, lacking, *value
        )
        is_full = rows[0]["looked"] >= step
        if is_full and wanted.key and width > MILLISECOND:
            width = max(MILLISECOND, width // WIDER)  # not the latest of them: they were taken as they came
            continue
        looked += rows[0]["looked"]
        found += [(row["account_id"], row["message_id"]) for row in rows if row["message_id"] is not None]
        if is_full and wanted.key is None:
            width = beyond - rows[0]["lowest_id"]  # about as many again
            beyond = rows[0]["lowest_id"]
        else:
            width = width if is_full else width * WIDER
            beyond = first
    has_stopped = beyond > wanted.first_id and len(found) < rows_max
    return FoundMessages(await _listed(database, found), beyond if has_stopped else None, looked)


async def find_id(database: Database, message_id: int, account_id: int | None) -> int | None:
    """The id of the message that a customer may know by this id: its own, or that of a part in which it came."""
    if message_id > ids.ID_MAX:
        return None
    row = await database.row("timeline_message", message_id)
    if row is None:
        row = await database.row("search_part", account_id, message_id)
    if row is None or (account_id is not None and row["account_id"] != account_id):
        return None
    return int(row["message_id"])


async def _listed(database: Database, found: Sequence[tuple[int, int]]) -> Sequence[Record]:
    if not found:
        return []
    accounts, messages = zip(*found, strict=True)
    return await database.fetch("messages_listed", accounts, messages)
