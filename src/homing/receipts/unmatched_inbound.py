"""What people sent and no account was found for: lists, trying again, forgetting. The command line and the console call
it; `InboundMessages` does what is asked for here.
"""

from collections.abc import Sequence
from datetime import datetime

from homing import errors, limits
from homing.audit import record
from homing.store.database import Database, DatabaseConnection, Record


async def read_unmatched_inbound(
    database: Database,
    *,
    carrier_id: int | None,
    since: datetime | None,
    rows_max: int,
    before_id: int | None = None,
) -> Sequence[Record]:
    """The latest, of one carrier or all; `before_id`: the last row that was seen."""
    return await database.fetch("unmatched_inbound_list", carrier_id, since, rows_max, before_id)


async def count_unmatched_inbound(database: Database) -> Sequence[Record]:
    """By carrier, each up to a bound."""
    return await database.fetch("unmatched_inbound_counts", limits.RECEIPTS_COUNTED_MAX)


async def replay_unmatched_inbound(
    transaction: DatabaseConnection, unmatched_ids: Sequence[int] | None, carrier_id: int | None = None
) -> int:
    """Asks that the accounts of these are looked for again, or of all (of a carrier); how many they are. Raises
    `InvalidInput` when some are named and there is none of them.
    """
    return await _change(transaction, "unmatched_inbound_replay", "replay", unmatched_ids, carrier_id)


async def drop_unmatched_inbound(
    transaction: DatabaseConnection, unmatched_ids: Sequence[int] | None, carrier_id: int | None = None
) -> int:
    """Forgets these, or all (of a carrier). Likewise."""
    return await _change(transaction, "unmatched_inbound_drop", "delete", unmatched_ids, carrier_id)


async def _change(
    transaction: DatabaseConnection,
    statement: str,
    act: str,
    unmatched_ids: Sequence[int] | None,
    carrier_id: int | None,
) -> int:
    rows = await transaction.fetch(statement, unmatched_ids, carrier_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)
    ids = sorted(row["unmatched_id"] for row in rows)
    if unmatched_ids and not ids:
        missing = ", ".join(map(str, sorted(unmatched_ids)))
        raise errors.InvalidInput("no unmatched inbound message has the ID {reply}", reply=missing)
    if ids:
        subject = str(ids[0]) if len(ids) == 1 else f"{len(ids)}: {ids[0]} - {ids[-1]}"
        await record(transaction, "reply", act, subject)
    return len(ids)
