"""Whether webhook endpoints take what is pushed to them: one that has only failed for days is disabled."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing.dialects.base import Dialects, DisabledWebhook
from homing.messages.events import add_events, event_of
from homing.model import EventType
from homing.store import statements
from homing.store.alarms import DISABLED, WEBHOOK, raise_alarm
from homing.store.database import Database
from homing.store.statements.webhooks import FailingWebhook, WebhookAttempt

DISABLE_AFTER: Final = timedelta(days=5)
"""Of failures without a success between them: longer than one event is tried for, so that a weekend is survived."""
log = structlog.get_logger()


class EndpointAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that an endpoint has had."""

    account_id: int
    webhook_id: int
    is_success: bool
    at: datetime


class EndpointHealth:
    """Notes attempts, and disables endpoints. An account's other endpoints get an event of it, operators an alarm."""

    def __init__(self, *, database: Database, dialects: Dialects, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._dialects = dialects
        self._clock = clock

    async def note(self, attempts: Sequence[EndpointAttempt]) -> None:
        """Of attempts of one batch a success outweighs failures. Raises a `PlatformFailure`."""
        if not attempts:
            return
        by_endpoint: dict[tuple[int, int], EndpointAttempt] = {}
        for attempt in attempts:
            place = (attempt.account_id, attempt.webhook_id)
            if attempt.is_success or place not in by_endpoint:
                by_endpoint[place] = attempt
        disabled_since = self._clock() - DISABLE_AFTER
        rows = await statements.webhooks.webhooks_note(
            self._database,
            attempts=[
                WebhookAttempt(
                    account_id=each.account_id, webhook_id=each.webhook_id, is_success=each.is_success, at=each.at
                )
                for each in by_endpoint.values()
            ],
            disabled_since=disabled_since,
        )
        for row in rows:
            if row.is_to_be_disabled:
                await self._disable(row, disabled_since)

    async def _disable(self, row: FailingWebhook, disabled_since: datetime) -> None:
        subject = DisabledWebhook(webhook_id=row.webhook_id, url=row.url, failing_since=row.failing_since)
        async with self._database.transaction() as transaction:
            disabled = await statements.webhooks.webhook_disable(
                transaction, account_id=row.account_id, webhook_id=row.webhook_id, disabled_since=disabled_since
            )
            if disabled is None:
                return
            await raise_alarm(
                transaction,
                WEBHOOK,
                DISABLED,
                str(row.webhook_id),
                {"account_id": row.account_id, "failing_since": row.failing_since.isoformat()},
            )
            event = event_of(self._dialects, EventType.WEBHOOK_DISABLED, subject, account_id=row.account_id)
            await add_events(transaction, self._dialects, event)
        log.warning("webhook_disabled", account_id=row.account_id, webhook_id=row.webhook_id)
