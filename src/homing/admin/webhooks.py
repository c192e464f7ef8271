"""Webhook endpoints of accounts: where their events are pushed to, and which."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from homing import errors, limits
from homing.admin.account_settings import check_url
from homing.admin.signing_secrets import OVERLAP_DEFAULT, create_webhook_secret, rotate_signing_secret
from homing.common.crypto import Vault
from homing.model import EventType
from homing.store import statements
from homing.store.alarms import DISABLED, WEBHOOK, clear_alarms
from homing.store.database import DatabaseConnection
from homing.store.statements.webhooks import WebhookRow

DESCRIPTION_CHARS_MAX: Final = 200
EVENT_TYPES: Final = tuple(str(each) for each in EventType)


class TooManyWebhooks(errors.InvalidInput):
    """The account has as many endpoints as it may."""


async def create_webhook(
    transaction: DatabaseConnection,
    vault: Vault,
    account_id: int,
    *,
    url: str,
    types: Collection[str] = EVENT_TYPES,
    description: str = "",
    is_enabled: bool = True,
) -> tuple[WebhookRow, str]:
    """Makes an endpoint; gives it with its signing secret, which nobody is shown again. Raises `TooManyWebhooks`, or
    `InvalidInput`.
    """
    check_url(url)
    _check(types, description)
    await statements.admin.account_settings(transaction, account_id=account_id)  # its lock: one change at a time
    if len(await statements.webhooks.webhook_list(transaction, account_id=account_id)) >= limits.WEBHOOKS_MAX:
        raise TooManyWebhooks("an account has at most {n} webhook endpoints", n=limits.WEBHOOKS_MAX)
    row = await statements.webhooks.webhook_create(
        transaction,
        account_id=account_id,
        url=url,
        types=_ordered(types),
        description=description,
        is_enabled=is_enabled,
    )
    secret = await create_webhook_secret(transaction, vault, account_id, row.webhook_id)
    await refresh_feed(transaction, account_id)
    return row, secret


async def change_webhook(transaction: DatabaseConnection, row: WebhookRow, changes: dict[str, Any]) -> WebhookRow:
    """Changes `url`, `types`, `description` or `is_enabled`. One that is enabled again gets what happens from now on
    and what still waits; the time before can be replayed. Raises `InvalidInput`, also when it was removed meanwhile.
    """
    await statements.admin.account_settings(transaction, account_id=row.account_id)
    present = await statements.webhooks.webhook_lock(transaction, account_id=row.account_id, webhook_id=row.webhook_id)
    if present is None:
        raise missing(row.webhook_id)
    changed = msgspec.structs.replace(present, **changes)
    check_url(changed.url)
    _check(changed.types, changed.description)
    stored = await statements.webhooks.webhook_change(
        transaction,
        account_id=changed.account_id,
        webhook_id=changed.webhook_id,
        url=changed.url,
        types=_ordered(changed.types),
        description=changed.description,
        is_enabled=changed.is_enabled,
    )
    assert stored is not None, "it is locked"
    if stored.is_enabled:
        await clear_alarms(transaction, WEBHOOK, DISABLED, str(stored.webhook_id))
    await refresh_feed(transaction, stored.account_id)
    return stored


async def remove_webhook(transaction: DatabaseConnection, account_id: int, webhook_id: int) -> bool:
    """What still waits to be pushed to it is given up. False when there is none."""
    await statements.admin.account_settings(transaction, account_id=account_id)
    removed = await statements.webhooks.webhook_remove(transaction, account_id=account_id, webhook_id=webhook_id)
    if removed is None:
        return False
    await statements.signing.signing_secrets_remove(transaction, account_id=account_id, webhook_id=webhook_id)
    await clear_alarms(transaction, WEBHOOK, DISABLED, str(webhook_id))
    await refresh_feed(transaction, account_id)
    return True


async def rotate_webhook_secret(
    transaction: DatabaseConnection,
    vault: Vault,
    row: WebhookRow,
    *,
    now: datetime,
    overlap: timedelta = OVERLAP_DEFAULT,
) -> str:
    """Gives the new secret; the previous one signs beside it for `overlap`. Raises `InvalidInput`."""
    present = await statements.webhooks.webhook_lock(transaction, account_id=row.account_id, webhook_id=row.webhook_id)
    if present is None:
        raise missing(row.webhook_id)
    return await rotate_signing_secret(
        transaction, vault, row.account_id, webhook_id=row.webhook_id, now=now, overlap=overlap
    )


async def refresh_feed(transaction: DatabaseConnection, account_id: int, *, is_read: bool = False) -> None:
    """Which events the account's changes give from now on; all if it reads them. The account must be locked."""
    await statements.events.event_feed_refresh(
        transaction, account_id=account_id, is_read=is_read, all_types=EVENT_TYPES
    )


def missing(webhook_id: int | str) -> errors.InvalidInput:
    return errors.InvalidInput("there is no webhook endpoint {webhook}", webhook=webhook_id)


def _check(types: Collection[str], description: str) -> None:
    if not types:
        raise errors.InvalidInput("choose at least one type of events")
    for each in types:
        if each not in EVENT_TYPES:
            raise errors.InvalidInput(
                "there is no event type {type}; there is: {types}", type=repr(each), types=", ".join(EVENT_TYPES)
            )
    if len(description) > DESCRIPTION_CHARS_MAX or "\0" in description:
        raise errors.InvalidInput("a description has at most {n} characters", n=DESCRIPTION_CHARS_MAX)


def _ordered(types: Collection[str]) -> Sequence[str]:
    return [each for each in EVENT_TYPES if each in types]
