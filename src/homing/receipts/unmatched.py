"""Receipts that have found no message: lists of them, looking again, forgetting; and of one, what its id could be and
what speaks against each. The command line and the console call it.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homing import errors
from homing.audit import record
from homing.model import CarrierReceipt
from homing.receipts.id_formats import IdFormat, key, keys
from homing.receipts.lookup import ArrivedReceipt, candidates_of, part_candidates_of, span_of
from homing.receipts.matching import ReceiptCandidate, agrees
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.receipts import UnmatchedReceiptDetail, UnmatchedReceiptRow


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
) -> Sequence[UnmatchedReceiptRow]:
    """The latest, of one carrier or all; `before`: (received_at, parked_id) of the last row that was seen."""
    before_at, before_id = before or (None, None)
    return await statements.receipts.unmatched_list(
        database, carrier_id=carrier_id, since=since, rows_max=rows_max, before_at=before_at, before_id=before_id
    )


async def find_unmatched(connection: DatabaseConnection | Database, parked_id: int) -> UnmatchedReceiptDetail:
    """Raises `InvalidInput` when there is none of this id."""
    row = await statements.receipts.unmatched_show(connection, parked_id=parked_id)
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
    moved = await statements.receipts.unmatched_replay(
        transaction, parked_ids=parked_ids, carrier_id=carrier_id, since=since, rows_max=most
    )
    return await _audited(transaction, "replay", parked_ids, moved)


async def drop_unmatched(
    transaction: DatabaseConnection,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None = None,
    before: datetime | None = None,
    most: int | None = None,
) -> Sequence[int]:
    """Forgets these, or all that the filter chooses. Likewise."""
    moved = await statements.receipts.unmatched_drop(
        transaction, parked_ids=parked_ids, carrier_id=carrier_id, before=before, rows_max=most
    )
    return await _audited(transaction, "delete", parked_ids, moved)


async def _audited(
    transaction: DatabaseConnection, act: str, parked_ids: Sequence[int] | None, moved_ids: Sequence[int]
) -> Sequence[int]:
    moved = sorted(moved_ids)
    if parked_ids and not moved:
        missing = ", ".join(map(str, sorted(parked_ids)))
        raise errors.InvalidInput("no unmatched receipt has the ID {receipt}", receipt=missing)
    if moved:
        subject = str(moved[0]) if len(moved) == 1 else f"{len(moved)}: {moved[0]} - {moved[-1]}"
        await record(transaction, "receipt", act, subject)
    return moved


async def consider(
    connection: DatabaseConnection, parked: UnmatchedReceiptDetail, now: datetime
) -> Sequence[ConsideredMessage]:
    """Every message that a row of `unmatched_show` may be about by its id, the latest first."""
    receipt = CarrierReceipt(
        parked.carrier_ref,
        parked.state,
        parked.received_at,
        parked.error_code,
        parked.raw,
        parked.number,
    )
    keyed = keys(receipt.carrier_ref)
    wanted = [(0, parked.carrier_id, each) for each in set(keyed.values())]
    span = span_of([ArrivedReceipt(parked.carrier_id, "", receipt, parked.parked_id)], now)
    found = [
        *(await candidates_of(connection, wanted, span)).get(0, []),
        *(await part_candidates_of(connection, wanted, span)).get(0, []),
    ]
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
