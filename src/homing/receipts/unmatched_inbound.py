"""What people sent and no account was found for: lists, trying again, forgetting. The command line and the console call
it; `InboundMessages` does what is asked for here.
"""

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
    """The latest, of one carrier or all; `before_id`: the last row that was seen."""
    return await statements.receipts.unmatched_inbound_list(
        database, carrier_id=carrier_id, since=since, rows_max=rows_max, before_id=before_id
    )


async def count_unmatched_inbound(database: Database) -> Sequence[UnmatchedInboundCounts]:
    """By carrier, each up to a bound."""
    return await statements.receipts.unmatched_inbound_counts(database, counted_max=limits.RECEIPTS_COUNTED_MAX)


async def replay_unmatched_inbound(
    transaction: DatabaseConnection, unmatched_ids: Sequence[int] | None, carrier_id: int | None = None
) -> int:
    """Asks that the accounts of these are looked for again, or of all (of a carrier); how many they are. Raises
    `InvalidInput` when some are named and there is none of them.
    """
    changed = await statements.receipts.unmatched_inbound_replay(
        transaction, unmatched_ids=unmatched_ids, carrier_id=carrier_id
    )
    return await _audited(transaction, "replay", unmatched_ids, changed)


async def drop_unmatched_inbound(
    transaction: DatabaseConnection, unmatched_ids: Sequence[int] | None, carrier_id: int | None = None
) -> int:
    """Forgets these, or all (of a carrier). Likewise."""
    changed = await statements.receipts.unmatched_inbound_drop(
        transaction, unmatched_ids=unmatched_ids, carrier_id=carrier_id
    )
    return await _audited(transaction, "delete", unmatched_ids, changed)


async def _audited(
    transaction: DatabaseConnection, act: str, unmatched_ids: Sequence[int] | None, changed: Sequence[int]
) -> int:
    ids = sorted(changed)
    if unmatched_ids and not ids:
        missing = ", ".join(map(str, sorted(unmatched_ids)))
        raise errors.InvalidInput("no unmatched inbound message has the ID {reply}", reply=missing)
    if ids:
        subject = str(ids[0]) if len(ids) == 1 else f"{len(ids)}: {ids[0]} - {ids[-1]}"
        await record(transaction, "reply", act, subject)
    return len(ids)
