"""Receipts that have found no message: lists of them, looking again, forgetting; and of one, what its id could be and
what speaks against each. The command line and the console call it.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homing import errors, limits
from homing.audit import record
from homing.model import CarrierReceipt
from homing.receipts.id_formats import IdFormat, key, keys
from homing.receipts.lookup import ArrivedReceipt, candidates_of, span_of
from homing.receipts.matching import ReceiptCandidate, agrees
from homing.store.database import Database, DatabaseConnection, Record


class ConsideredMessage(msgspec.Struct, frozen=True):
    """A message whose carrier's id the receipt's can be, `form` the way in which it can, and what the numbers say."""

    message_id: int
    part: int
    carrier_ref: str
    form: IdFormat
    number: str
    says: str


async def read_unmatched(
    database: Database,
    carrier_id: int | None,
    since: datetime | None,
    rows_max: int,
    before: tuple[datetime, int] | None = None,
) -> Sequence[Record]:
    """The latest, of one carrier or all; `before`: (received_at, parked_id) of the last row that was seen."""
    return await database.fetch("unmatched_list", carrier_id, since, rows_max, *(before or (None, None)))


async def find_unmatched(connection: DatabaseConnection | Database, parked_id: int) -> Record:
    """Raises `InvalidInput` when there is none of this id."""
    row = await connection.row("unmatched_show", parked_id)
    if row is None:
        raise errors.InvalidInput("there is no unmatched receipt {receipt}", receipt=parked_id)
    return row


async def replay_unmatched(
    transaction: DatabaseConnection,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None = None,
    since: datetime | None = None,
    most: int | None = None,
) -> Sequence[int]:
    """Looks for the messages of these again, or of all that the filter chooses; gives their ids. Raises `InvalidInput`
    when receipts are named and there is none of them.
    """
    return await _moved(transaction, "unmatched_replay", "replay", parked_ids, carrier_id, since, most)


async def drop_unmatched(
    transaction: DatabaseConnection,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None = None,
    before: datetime | None = None,
    most: int | None = None,
) -> Sequence[int]:
    """Forgets these, or all that the filter chooses. Likewise."""
    return await _moved(transaction, "unmatched_drop", "delete", parked_ids, carrier_id, before, most)


async def _moved(
    transaction: DatabaseConnection,
    statement: str,
    act: str,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None,
    at: datetime | None,
    most: int | None,
) -> Sequence[int]:
    rows = await transaction.fetch(
        statement, parked_ids, carrier_id, at, most, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )
    moved = sorted(row["parked_id"] for row in rows)
    if parked_ids and not moved:
        missing = ", ".join(map(str, sorted(parked_ids)))
        raise errors.InvalidInput("no unmatched receipt has the ID {receipt}", receipt=missing)
    if moved:
        subject = str(moved[0]) if len(moved) == 1 else f"{len(moved)}: {moved[0]} - {moved[-1]}"
        await record(transaction, "receipt", act, subject)
    return moved


async def consider(connection: DatabaseConnection, parked: Record, now: datetime) -> Sequence[ConsideredMessage]:
    """Every message that a row of `unmatched_show` may be about by its id, the latest first."""
    receipt = CarrierReceipt(
        parked["carrier_ref"],
        parked["state"],
        parked["received_at"],
        parked["error_code"],
        parked["raw"],
        parked["number"],
    )
    keyed = keys(receipt.carrier_ref)
    wanted = [(0, parked["carrier_id"], each) for each in set(keyed.values())]
    span = span_of([ArrivedReceipt(parked["carrier_id"], "", receipt, parked["parked_id"])], now)
    found: list[ReceiptCandidate] = []
    for statement in ("receipts_match", "receipts_match_parts"):
        found += (await candidates_of(connection, statement, wanted, span)).get(0, [])
    forms = {written: form for form, written in reversed(keyed.items())}
    return [
        ConsideredMessage(
            one.message_id, one.part, one.carrier_ref, forms[key(one.carrier_ref)], one.number, _says(receipt, one)
        )
        for one in sorted(found, key=lambda one: (-one.message_id, one.part))
    ]


def _says(receipt: CarrierReceipt, one: ReceiptCandidate) -> str:
    match agrees(receipt.number, one.number, one.sender):
        case True:
            return "the number matches"
        case False:
            return "the receipt has a different number"
        case _:
            return "the receipt has no number"
