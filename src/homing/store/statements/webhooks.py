"""Webhook endpoints of accounts (admin/webhooks.py, delivery/webhooks.py).

Made by tools/sql_bindings.py from sql/webhooks.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, fetch_row, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("webhooks")


class WebhookRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `webhook_create`, `webhook_list`, `webhook_find`, `webhook_named`, `webhooks_all`, `webhook_lock`,
    `webhook_change`.
    """

    account_id: int
    webhook_id: int
    url: str
    types: list[str]
    description: str
    is_enabled: bool
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for_failures: bool


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `webhooks_note` is given."""

    account_id: int
    webhook_id: int
    is_success: bool
    at: datetime


class FailingWebhook(msgspec.Struct, frozen=True, gc=False):
    """A row of `webhooks_note`."""

    account_id: int
    webhook_id: int
    url: str
    failing_since: datetime
    is_to_be_disabled: bool


class ReplayedEvents(msgspec.Struct, frozen=True, gc=False):
    """A row of `webhook_replay`."""

    queued: int
    last_id: int | None


class WebhookDelivery(msgspec.Struct, frozen=True, gc=False):
    """A row of `webhook_deliveries`."""

    push_id: int
    event_id: int | None
    type: str | None
    created_at: datetime
    due_at: datetime | None
    attempts: int
    outcome: int
    at: datetime | None
    took_ms: int | None
    status: int | None
    answer: str | None


async def webhook_create(
    db: Executor, *, account_id: int, url: str, types: Sequence[str], description: str, is_enabled: bool
) -> WebhookRow:
    return await fetch_row(db, _SQL["webhook_create"], WebhookRow, account_id, url, types, description, is_enabled)


async def webhook_list(db: Executor, *, account_id: int) -> list[WebhookRow]:
    return await fetch_rows(db, _SQL["webhook_list"], WebhookRow, account_id)


async def webhook_find(db: Executor, *, account_id: int, webhook_id: int) -> WebhookRow | None:
    return await fetch_row_or_none(db, _SQL["webhook_find"], WebhookRow, account_id, webhook_id)


async def webhook_named(db: Executor, *, webhook_id: int) -> WebhookRow | None:
    """The endpoint of any account."""
    return await fetch_row_or_none(db, _SQL["webhook_named"], WebhookRow, webhook_id)


async def webhooks_all(db: Executor, *, rows_max: int) -> list[WebhookRow]:
    return await fetch_rows(db, _SQL["webhooks_all"], WebhookRow, rows_max)


async def webhook_lock(db: Executor, *, account_id: int, webhook_id: int) -> WebhookRow | None:
    return await fetch_row_or_none(db, _SQL["webhook_lock"], WebhookRow, account_id, webhook_id)


async def webhook_change(
    db: Executor,
    *,
    url: str,
    types: Sequence[str],
    description: str,
    is_enabled: bool,
    account_id: int,
    webhook_id: int,
) -> WebhookRow | None:
    """One that is enabled again begins anew."""
    return await fetch_row_or_none(
        db, _SQL["webhook_change"], WebhookRow, url, types, description, is_enabled, account_id, webhook_id
    )


async def webhook_remove(db: Executor, *, account_id: int, webhook_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["webhook_remove"], single(int), account_id, webhook_id)


async def webhooks_note(
    db: Executor, *, attempts: Sequence[WebhookAttempt], disabled_since: datetime
) -> list[FailingWebhook]:
    """Notes successes and failures of endpoints, and gives those that are enabled and have failed since
    `disabled_since` without a success. An endpoint that is as it was is not written.
    """
    return await fetch_rows(db, _SQL["webhooks_note"], FailingWebhook, *columns(attempts, 4), disabled_since)


async def webhook_disable(db: Executor, *, account_id: int, webhook_id: int, disabled_since: datetime) -> int | None:
    return await fetch_row_or_none(db, _SQL["webhook_disable"], single(int), account_id, webhook_id, disabled_since)


async def webhook_replay(
    db: Executor,
    *,
    account_id: int,
    first_id: int,
    beyond_id: int,
    looked_max: int,
    types: Sequence[str],
    rows_max: int,
    webhook_id: int,
    dialect: int,
    superseding: Sequence[str],
    url: str,
) -> ReplayedEvents:
    """Pushes the events of a span again, at most `rows_max` of the `looked_max` from `first_id` on: those that were
    never pushed to the endpoint as well. What is still pending is left alone. `last_id`: where it ended, if there
    may be more.
    """
    return await fetch_row(
        db,
        _SQL["webhook_replay"],
        ReplayedEvents,
        account_id,
        first_id,
        beyond_id,
        looked_max,
        types,
        rows_max,
        webhook_id,
        dialect,
        superseding,
        url,
    )


async def webhook_deliveries(
    db: Executor, *, account_id: int, webhook_id: int, before_id: int, outcome: int | None, rows_max: int
) -> list[WebhookDelivery]:
    """The latest pushes to an endpoint below an id, with their last attempt. `outcome`: of any or one."""
    return await fetch_rows(
        db, _SQL["webhook_deliveries"], WebhookDelivery, account_id, webhook_id, before_id, outcome, rows_max
    )
