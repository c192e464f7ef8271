"""Pushes for operators and customers: lists of recent and failed ones, and replay."""

import enum
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from homing import errors, limits
from homing.audit import record
from homing.model import PushOutcome
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.pushes import PushKeyRow, PushRow

SPAN_MARGIN: Final = timedelta(minutes=5)
"""By how much a push's time may be older than that of one with a lower id: a transaction's length."""
PUSHES_LOOKED_MAX: Final = 2_000  # of those that wait, in each lane


class PushSelection(enum.StrEnum):
    """Lists of pushes."""

    GIVEN_UP = "given_up"
    FAILING = "failing"  # failed at least once, and to be retried
    RECENT = "recent"


async def read_pushes(
    database: Database, selection: PushSelection, account_id: int | None, before_id: int | None, rows_max: int
) -> Sequence[PushRow]:
    """The latest `rows_max` pushes below an ID, of one account or all, each with its last answer. Of failing ones at
    most `PUSHES_LOOKED_MAX` in each lane are read, those that have failed most often.
    """
    match selection:
        case PushSelection.GIVEN_UP:
            return await statements.pushes.pushes_given_up(
                database, account_id=account_id, before_id=before_id, rows_max=rows_max
            )
        case PushSelection.RECENT:
            return await statements.pushes.pushes_recent(
                database, account_id=account_id, before_id=before_id, rows_max=rows_max
            )
        case PushSelection.FAILING:
            return await statements.pushes.pushes_failing(
                database,
                account_id=account_id,
                before_id=before_id,
                rows_max=rows_max,
                looked_max=PUSHES_LOOKED_MAX,
            )


async def replay_push(transaction: DatabaseConnection, push_id: int, message_id: int | None = None) -> PushKeyRow:
    """Sends a push again that is acknowledged or given up, with all retries. Raises `InvalidInput` when the push (of
    this message) does not exist or is still pending.
    """
    row = await statements.pushes.push_find(transaction, push_id=push_id)
    if row is None or message_id not in (None, row.message_id):
        raise errors.InvalidInput("push {push} does not exist", push=push_id)
    if await statements.pushes.push_replay(transaction, account_id=row.account_id, push_id=push_id) is None:
        if row.due_at is None:
            raise errors.InvalidInput("push {push} is already being sent again", push=push_id)
        at = f"{row.due_at:%Y-%m-%d %H:%M:%S}"
        raise errors.InvalidInput("push {push} is still pending: the next attempt is at {at} UTC", push=push_id, at=at)
    await record(transaction, "push", "replay", str(push_id), account_id=row.account_id)
    return row


async def count_given_up(database: Database, account_id: int | None) -> tuple[int, int]:
    """How many given-up pushes one `replay_given_up` would send, and the latest one's ID (0: none)."""
    row = await statements.pushes.pushes_given_up_count(
        database, account_id=account_id, counted_max=limits.PUSHES_REPLAYED_MAX
    )
    return row.pushes, row.latest_id or 0


async def replay_given_up(transaction: DatabaseConnection, account_id: int | None, latest_id: int) -> int:
    """Sends the latest given-up pushes again, from an ID down, up to a limit. Returns how many."""
    replayed = await statements.pushes.pushes_replay(
        transaction, account_id=account_id, latest_id=latest_id, rows_max=limits.PUSHES_REPLAYED_MAX
    )
    if replayed:
        ids = sorted(replayed)
        subject = f"{len(ids)}: {ids[0]} - {ids[-1]}"
        await record(transaction, "push", "replay", subject, account_id=account_id)
    return len(replayed)


async def replay_span(
    transaction: DatabaseConnection, account_id: int, *, since: datetime, until: datetime, only_failed: bool
) -> int:
    """Sends an account's finished pushes of a time again, the earliest first, up to a limit: all that were acknowledged
    or given up, or the latter alone. Returns how many. Those to webhook endpoints are replayed as events
    (delivery/endpoints.py).
    """
    first_id = await _push_at(transaction, account_id, since - SPAN_MARGIN)
    beyond_id = await _push_at(transaction, account_id, until + SPAN_MARGIN)
    outcomes = [PushOutcome.GIVEN_UP] if only_failed else [PushOutcome.GIVEN_UP, PushOutcome.ACKNOWLEDGED]
    replayed = await statements.pushes.pushes_replay_span(
        transaction,
        account_id=account_id,
        first_id=first_id,
        beyond_id=beyond_id,
        since=since,
        until=until,
        outcomes=outcomes,
        rows_max=limits.PUSHES_REPLAYED_MAX,
    )
    if replayed:
        subject = f"{len(replayed)}: {min(replayed)} - {max(replayed)}"
        await record(transaction, "push", "replay", subject, account_id=account_id)
    return len(replayed)


async def _push_at(transaction: DatabaseConnection, account_id: int, at: datetime) -> int:
    """The id from which on an account's pushes are of `at` or later, by bisection: their times have no index."""
    last_id = await statements.pushes.push_last(transaction, account_id=account_id)
    first = await statements.pushes.push_from(transaction, account_id=account_id, push_id=0)
    if last_id is None or first is None:
        return 0
    low, high = first.push_id, last_id + 1
    while low < high:
        middle = (low + high) // 2
        row = await statements.pushes.push_from(transaction, account_id=account_id, push_id=middle)
        if row is None or row.created_at >= at:
            high = middle
        else:
            low = row.push_id + 1
    return low
