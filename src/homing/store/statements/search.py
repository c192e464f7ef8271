"""Searches of messages (messages/search.py). Every statement reads at most `looked_max` messages of a window of IDs
(`first_id` up to `beyond_id`) and returns the latest `rows_max` that match `carrier_id` and `states`, with how many it
read and the lowest of their IDs. `account_id`: one account; null: all.

Made by tools/sql_bindings.py from sql/search.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, fetch_row_or_none, fetch_rows
from homing.store.statements.dispatch import MessageRef

_SQL: Final = queries.load("search")


class SearchHit(msgspec.Struct, frozen=True, gc=False):
    """A row of `search_latest`, `search_number`, `search_reference`, `search_carrier_ref`."""

    looked: int
    lowest_id: int | None
    account_id: int | None
    message_id: int | None


class PartOwner(msgspec.Struct, frozen=True, gc=False):
    """A row of `search_part`."""

    account_id: int
    message_id: int


class ListedMessage(msgspec.Struct, frozen=True, gc=False):
    """A row of `messages_listed`."""

    account_id: int
    message_id: int
    number: str
    country: str
    sender: str
    text: str
    segments: int
    state: int
    state_seen: int
    charge_micro: int
    refund_micro: int
    cost_micro: int
    reference: str | None
    error_code: str | None
    error_text: str | None
    reason: str | None
    submitted_at: datetime
    final_at: datetime | None
    sent_at: datetime | None
    carrier_id: int
    account: str
    carrier: str | None


async def search_latest(
    db: Executor,
    *,
    first_id: int,
    beyond_id: int,
    looked_max: int,
    account_id: int | None,
    carrier_id: int | None,
    states: Sequence[int] | None,
    rows_max: int,
) -> list[SearchHit]:
    """The latest of the window, by the primary key in each account."""
    return await fetch_rows(
        db, _SQL["search_latest"], SearchHit, first_id, beyond_id, looked_max, account_id, carrier_id, states, rows_max
    )


async def search_number(
    db: Executor,
    *,
    number: str,
    first_id: int,
    beyond_id: int,
    account_id: int | None,
    looked_max: int,
    carrier_id: int | None,
    states: Sequence[int] | None,
    rows_max: int,
) -> list[SearchHit]:
    return await fetch_rows(
        db,
        _SQL["search_number"],
        SearchHit,
        number,
        first_id,
        beyond_id,
        account_id,
        looked_max,
        carrier_id,
        states,
        rows_max,
    )


async def search_reference(
    db: Executor,
    *,
    reference: str,
    first_id: int,
    beyond_id: int,
    account_id: int | None,
    looked_max: int,
    carrier_id: int | None,
    states: Sequence[int] | None,
    rows_max: int,
) -> list[SearchHit]:
    return await fetch_rows(
        db,
        _SQL["search_reference"],
        SearchHit,
        reference,
        first_id,
        beyond_id,
        account_id,
        looked_max,
        carrier_id,
        states,
        rows_max,
    )


async def search_carrier_ref(
    db: Executor,
    *,
    carrier_ref: str,
    first_id: int,
    beyond_id: int,
    looked_max: int,
    account_id: int | None,
    carrier_id: int | None,
    states: Sequence[int] | None,
    rows_max: int,
) -> list[SearchHit]:
    """By the carrier's id of an attempt or of one of its parts, as the carrier wrote it or in another case."""
    return await fetch_rows(
        db,
        _SQL["search_carrier_ref"],
        SearchHit,
        carrier_ref,
        first_id,
        beyond_id,
        looked_max,
        account_id,
        carrier_id,
        states,
        rows_max,
    )


async def search_part(db: Executor, *, part_id: int, account_id: int | None) -> PartOwner | None:
    """The message of a part: each part of a message that was submitted over SMPP in parts has an ID of its own."""
    return await fetch_row_or_none(db, _SQL["search_part"], PartOwner, part_id, account_id)


async def messages_listed(db: Executor, *, keys: Sequence[MessageRef]) -> list[ListedMessage]:
    """The columns of message lists."""
    return await fetch_rows(db, _SQL["messages_listed"], ListedMessage, *columns(keys, 2))
