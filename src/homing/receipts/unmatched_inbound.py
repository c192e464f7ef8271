"""Inbound messages without an account, for operators: lists, replay (done by `InboundMessages`) and deletion."""

from collections.abc import Sequence
from datetime import datetime

from homing import errors, limits
from homing.audit import record
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.receipts import UnmatchedInboundCounts, UnmatchedInboundRow


async def read_unmatched_inbound(
    database: Database,
    *,
    carrier_id: int | None,
    since: datetime | None,
    rows_max: int,
    before_id: int | None = None,
) -> Sequence[UnmatchedInboundRow]:
    """The latest `rows_max` messages of one carrier or all; `before_id`: the last one of the previous page."""
    return await statements.receipts.unmatched_inbound_list(
        database, carrier_id=carrier_id, since=since, rows_max=rows_max, before_id=before_id
    )


async def count_unmatched_inbound(database: Database) -> Sequence[UnmatchedInboundCounts]:
    """How many each carrier has, counted up to `limits.RECEIPTS_COUNTED_MAX`."""
    return await statements.receipts.unmatched_inbound_counts(database, counted_max=limits.RECEIPTS_COUNTED_MAX)


async def replay_unmatched_inbound(
    transaction: DatabaseConnection, unmatched_ids: Sequence[int] | None, carrier_id: int | None = None
) -> int:
    """Requests a replay of these messages, or without IDs of all (of a carrier); returns how many.

    Raises `InvalidInput` when IDs are given and none of them is an unmatched message.
    """
    changed_ids = await statements.receipts.unmatched_inbound_replay(
        transaction, unmatched_ids=unmatched_ids, carrier_id=carrier_id
    )
    return await _audited(transaction, "replay", unmatched_ids, changed_ids)


async def delete_unmatched_inbound(
    transaction: DatabaseConnection, unmatched_ids: Sequence[int] | None, carrier_id: int | None = None
) -> int:
    """Deletes these messages, or all (of a carrier); as `replay_unmatched_inbound` otherwise."""
    changed_ids = await statements.receipts.unmatched_inbound_delete(
        transaction, unmatched_ids=unmatched_ids, carrier_id=carrier_id
    )
    return await _audited(transaction, "delete", unmatched_ids, changed_ids)


async def _audited(
    transaction: DatabaseConnection, act: str, unmatched_ids: Sequence[int] | None, changed_ids: Sequence[int]
) -> int:
    ids = sorted(changed_ids)
    if unmatched_ids and not ids:
        missing = ", ".join(map(str, sorted(unmatched_ids)))
        raise errors.InvalidInput("no unmatched inbound message has the ID {reply}", reply=missing)
    if ids:
        subject = str(ids[0]) if len(ids) == 1 else f"{len(ids)}: {ids[0]} - {ids[-1]}"
        await record(transaction, "reply", act, subject)
    return len(ids)
