"""Webhook endpoints at work: a test event, and events that are pushed again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import errors
from homing.admin.signing_secrets import read_owned_secrets
from homing.admin.webhooks import missing
from homing.audit import record
from homing.common.crypto import Vault
from homing.delivery.safe_http import PostResult, SafeHttpClient
from homing.delivery.signing import UnreadableSecret, signed_headers, signing_keys
from homing.dialects.base import TEST_EVENT, Dialect
from homing.messages.events import SUPERSEDING
from homing.model import EVENT_PREFIX
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.signing import SigningOwner
from homing.store.statements.webhooks import WebhookRow

EVENTS_REPLAYED_MAX: Final = 10_000  # by one call
REPLAY_LOOKED_MAX: Final = 100_000  # by one call, whatever their types
TEST_PREFIX: Final = f"{EVENT_PREFIX}test_"
ID_MAX: Final = 2**63 - 1


class EndpointTrial(msgspec.Struct, frozen=True):
    """A test event and its result."""

    event_id: str
    result: PostResult

    @property
    def is_acknowledged(self) -> bool:
        return self.result.status is not None and 200 <= self.result.status < 300


class EventReplay(msgspec.Struct, frozen=True):
    """`queued`: events that are pushed again. `last_id`: the span may have more above it; None: that is all."""

    queued: int
    last_id: int | None


async def try_endpoint(
    database: Database,
    vault: Vault,
    http_client: SafeHttpClient,
    wording: Dialect,
    row: WebhookRow,
    *,
    type: str = TEST_EVENT,
    now: datetime,
) -> EndpointTrial:
    """Posts a made-up event to an endpoint, also to a disabled one, as every event is. Nothing is stored, and a failure
    of the address is part of the result. Raises a `PlatformFailure`.
    """
    owner = SigningOwner(account_id=row.account_id, webhook_id=row.webhook_id)
    secrets = await read_owned_secrets(database, vault, [owner])
    event_id = f"{TEST_PREFIX}{int(now.timestamp() * 1000)}"
    body = wording.sample_event(type, event_id, row.webhook_id, row.url, now)
    try:
        headers = signed_headers(signing_keys(secrets[row.account_id, row.webhook_id]), event_id, now, body)
    except UnreadableSecret as error:
        return EndpointTrial(event_id, PostResult(None, str(error), 0))
    return EndpointTrial(event_id, await http_client.post(row.url, body, headers, row.account_id))


async def replay_events(
    transaction: DatabaseConnection,
    row: WebhookRow,
    *,
    dialect: int,
    since: datetime,
    until: datetime,
    types: Sequence[str],
    after_id: int = 0,
) -> EventReplay:
    """Pushes the events of a span to an endpoint again, with their ids of before: at most `EVENTS_REPLAYED_MAX` of the
    earliest `REPLAY_LOOKED_MAX` above `after_id`. Raises `InvalidInput` when it is disabled, or removed.
    """
    first_id = await statements.events.event_first_at(transaction, account_id=row.account_id, since=since)
    beyond_id = await statements.events.event_first_at(transaction, account_id=row.account_id, since=until)
    return await _replay(
        transaction,
        row,
        dialect=dialect,
        first_id=ID_MAX if first_id is None else max(first_id, after_id + 1),
        beyond_id=ID_MAX if beyond_id is None else beyond_id,
        types=types,
    )


async def replay_event(
    transaction: DatabaseConnection, row: WebhookRow, *, dialect: int, event_id: int, type: str
) -> EventReplay:
    """Pushes one event again. Raises as `replay_events`."""
    return await _replay(transaction, row, dialect=dialect, first_id=event_id, beyond_id=event_id + 1, types=[type])


async def _replay(
    transaction: DatabaseConnection,
    row: WebhookRow,
    *,
    dialect: int,
    first_id: int,
    beyond_id: int,
    types: Sequence[str],
) -> EventReplay:
    present = await statements.webhooks.webhook_lock(transaction, account_id=row.account_id, webhook_id=row.webhook_id)
    if present is None:
        raise missing(row.webhook_id)
    if not present.is_enabled:
        raise errors.InvalidInput("the webhook endpoint is disabled: enable it first")
    replayed = await statements.webhooks.webhook_replay(
        transaction,
        account_id=row.account_id,
        webhook_id=row.webhook_id,
        first_id=first_id,
        beyond_id=beyond_id,
        types=types,
        rows_max=EVENTS_REPLAYED_MAX,
        looked_max=REPLAY_LOOKED_MAX,
        dialect=dialect,
        superseding=SUPERSEDING,
        url=present.url,
    )
    if replayed.queued:
        subject = f"{row.webhook_id}: {replayed.queued}"
        await record(transaction, "webhook", "replay", subject, account_id=row.account_id)
    return EventReplay(replayed.queued, replayed.last_id)
