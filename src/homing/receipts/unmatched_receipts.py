"""Receipts that match no message, for operators: lists, replay, deletion, and the messages that one could be about."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homing import errors
from homing.audit import record
from homing.model import CarrierReceipt
from homing.receipts.id_formats import IdFormat, keys_by_format, reference_key
from homing.receipts.lookup import IncomingReceipt, candidates_of, part_candidates_of, span_of
from homing.receipts.matching import agrees
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.receipts import ReceiptCandidate, UnmatchedReceiptDetail, UnmatchedReceiptRow


class PossibleMessage(msgspec.Struct, frozen=True):
    """A message that an unmatched receipt could be about, since its ID is the receipt's in `format`. `check`: in
    English, the result of comparing the numbers.
    """

    message_id: int
    part: int
    carrier_ref: str
    format: IdFormat
    number: str
    check: str


async def read_unmatched(
    database: Database,
    carrier_id: int | None,
    since: datetime | None,
    rows_max: int,
    before: tuple[datetime, int] | None = None,
) -> Sequence[UnmatchedReceiptRow]:
    """The latest `rows_max` receipts of one carrier or all; `before`: (received_at, parked_id) of the previous page's
    last.
    """
    before_at, before_id = before or (None, None)
    return await statements.receipts.unmatched_list(
        database, carrier_id=carrier_id, since=since, rows_max=rows_max, before_at=before_at, before_id=before_id
    )


async def find_unmatched(connection: DatabaseConnection | Database, parked_id: int) -> UnmatchedReceiptDetail:
    """Raises `InvalidInput` when no unmatched receipt has this ID."""
    row = await statements.receipts.unmatched_show(connection, parked_id=parked_id)
    if row is None:
        raise errors.InvalidInput("there is no unmatched receipt {receipt}", receipt=parked_id)
    return row


async def replay_unmatched(
    transaction: DatabaseConnection,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None = None,
    since: datetime | None = None,
    rows_max: int | None = None,
) -> Sequence[int]:
    """Retries these receipts, or without IDs all that the other parameters select; returns their IDs.

    Raises `InvalidInput` when IDs are given and none of them is an unmatched receipt.
    """
    moved = await statements.receipts.unmatched_replay(
        transaction, parked_ids=parked_ids, carrier_id=carrier_id, since=since, rows_max=rows_max
    )
    return await _audited(transaction, "replay", parked_ids, moved)


async def delete_unmatched(
    transaction: DatabaseConnection,
    parked_ids: Sequence[int] | None,
    carrier_id: int | None = None,
    before: datetime | None = None,
    rows_max: int | None = None,
) -> Sequence[int]:
    """Deletes these receipts, or all that the other parameters select; as `replay_unmatched` otherwise."""
    moved = await statements.receipts.unmatched_delete(
        transaction, parked_ids=parked_ids, carrier_id=carrier_id, before=before, rows_max=rows_max
    )
    return await _audited(transaction, "delete", parked_ids, moved)


async def _audited(
    transaction: DatabaseConnection, act: str, parked_ids: Sequence[int] | None, changed_ids: Sequence[int]
) -> Sequence[int]:
    ordered = sorted(changed_ids)
    if parked_ids and not ordered:
        missing = ", ".join(map(str, sorted(parked_ids)))
        raise errors.InvalidInput("no unmatched receipt has the ID {receipt}", receipt=missing)
    if ordered:
        subject = str(ordered[0]) if len(ordered) == 1 else f"{len(ordered)}: {ordered[0]} - {ordered[-1]}"
        await record(transaction, "receipt", act, subject)
    return ordered


async def possible_messages(
    connection: DatabaseConnection, parked: UnmatchedReceiptDetail, now: datetime
) -> Sequence[PossibleMessage]:
    """Every message that an unmatched receipt may be about by its ID, the latest first."""
    receipt = CarrierReceipt(
        parked.carrier_ref,
        parked.state,
        parked.received_at,
        parked.error_code,
        parked.raw,
        parked.number,
    )
    format_keys = keys_by_format(receipt.carrier_ref)
    lookup_keys = [(0, parked.carrier_id, key) for key in set(format_keys.values())]
    span = span_of([IncomingReceipt(parked.carrier_id, "", receipt, parked.parked_id)], now)
    candidates = [
        *(await candidates_of(connection, lookup_keys, span)).get(0, []),
        *(await part_candidates_of(connection, lookup_keys, span)).get(0, []),
    ]
    formats = {key: id_format for id_format, key in reversed(format_keys.items())}
    return [
        PossibleMessage(
            message_id=candidate.message_id,
            part=candidate.part,
            carrier_ref=candidate.carrier_ref,
            format=formats[reference_key(candidate.carrier_ref)],
            number=candidate.number,
            check=_check(receipt, candidate),
        )
        for candidate in sorted(candidates, key=lambda candidate: (-candidate.message_id, candidate.part))
    ]


def _check(receipt: CarrierReceipt, candidate: ReceiptCandidate) -> str:
    match agrees(receipt.number, candidate.number, candidate.sender):
        case True:
            return "the number matches"
        case False:
            return "the receipt has a different number"
        case _:
            return "the receipt has no number"
