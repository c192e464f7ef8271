"""Webhook endpoints: made, changed, tried, and given again what they have missed."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET

from homing import errors
from homing.admin.account_settings import check_url
from homing.admin.webhooks import (
    EVENT_TYPES,
    TooManyWebhooks,
    change_webhook,
    create_webhook,
    remove_webhook,
    rotate_webhook_secret,
)
from homing.api.http.wire import HttpResponse
from homing.common import ids
from homing.common.crypto import Vault
from homing.delivery.endpoints import replay_event, replay_events, try_endpoint
from homing.delivery.safe_http import AddressRefused, SafeHttpClient
from homing.dialects.base import Dialect
from homing.dialects.v1.bodies import ReplayBody, RotationBody, WebhookBody, WebhookChangeBody, WebhookTestBody
from homing.dialects.v1.calls import (
    V1Call,
    act,
    cursor_parameter,
    id_of,
    query_of,
    reader,
    rows_parameter,
    storable,
    wrong_parameter,
)
from homing.dialects.v1.idempotency import AnsweredCalls
from homing.dialects.v1.number import NUMBER
from homing.dialects.v1.problems import V1Refusal, wrong_member
from homing.dialects.v1.replies import (
    DeliveryAttemptView,
    DeliveryPage,
    DeliveryView,
    ReplayView,
    SecretView,
    TestResultView,
    WebhookList,
    WebhookView,
    whole_second,
)
from homing.dialects.v1.words import DELIVERY_WORDS
from homing.model import EVENT_PREFIX, PushOutcome
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.rows import Executor
from homing.store.statements.webhooks import WebhookDelivery, WebhookRow

encode: Final = msgspec.json.encode
TRIALS_PER_ACCOUNT_MAX: Final = 2  # at once: each waits for the endpoint
OUTCOMES: Final = {word: outcome for outcome, word in DELIVERY_WORDS.items()}
DELIVERY_PARAMETERS: Final = frozenset(("status", "limit", "cursor"))
read_new: Final = reader(WebhookBody)
read_change: Final = reader(WebhookChangeBody)
read_rotation: Final = reader(RotationBody)
read_test: Final = reader(WebhookTestBody)
read_replay: Final = reader(ReplayBody)


class WebhookCalls:
    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        http_client: SafeHttpClient,
        wording: Dialect,
        answered: AnsweredCalls,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._vault = vault
        self._http_client = http_client
        self._wording = wording
        self._answered = answered
        self._clock = clock
        self._trials: Counter[int] = Counter()

    async def create(self, call: V1Call) -> HttpResponse:
        body = read_new(call.body)
        self._check_url(body.url)
        storable(body.description, "description")
        return await self._answered.change(call, partial(self._create, body), is_secret=True)

    async def _create(self, body: WebhookBody, call: V1Call, transaction: DatabaseConnection) -> HttpResponse:
        await act(transaction, call)
        try:
            row, secret = await create_webhook(
                transaction,
                self._vault,
                call.account.account_id,
                url=body.url,
                types=EVENT_TYPES if body.types is UNSET else body.types,
                description=body.description,
                is_enabled=body.enabled,
            )
        except TooManyWebhooks:
            raise V1Refusal("webhook_limit_reached") from None
        return HttpResponse(encode(webhook_view(row, secret)), 201)

    async def list(self, call: V1Call) -> HttpResponse:
        query_of(call, frozenset())
        rows = await statements.webhooks.webhook_list(self._database, account_id=call.account.account_id)
        return HttpResponse(encode(WebhookList([webhook_view(row) for row in rows])))

    async def show(self, call: V1Call) -> HttpResponse:
        query_of(call, frozenset())
        return HttpResponse(encode(webhook_view(await _row(self._database, call))))

    async def change(self, call: V1Call) -> HttpResponse:
        body = read_change(call.body)
        changes: dict[str, Any] = {}
        if body.url is not UNSET:
            self._check_url(body.url)
            changes["url"] = body.url
        if body.types is not UNSET:
            changes["types"] = body.types
        if body.description is not UNSET:
            changes["description"] = storable(body.description, "description")
        if body.enabled is not UNSET:
            changes["is_enabled"] = body.enabled
        row = await _row(self._database, call)
        async with self._database.transaction() as transaction:
            await act(transaction, call)
            try:
                row = await change_webhook(transaction, row, changes)
            except errors.InvalidInput:
                raise V1Refusal("webhook_not_found") from None
        return HttpResponse(encode(webhook_view(row)))

    async def remove(self, call: V1Call) -> HttpResponse:
        webhook_id = id_of(call.target)
        async with self._database.transaction() as transaction:
            await act(transaction, call)
            if webhook_id is None or not await remove_webhook(transaction, call.account.account_id, webhook_id):
                raise V1Refusal("webhook_not_found")
        return HttpResponse(b"", 204)

    async def rotate(self, call: V1Call) -> HttpResponse:
        body = read_rotation(call.body or b"{}")
        return await self._answered.change(call, partial(self._rotate, body), is_secret=True)

    async def _rotate(self, body: RotationBody, call: V1Call, transaction: DatabaseConnection) -> HttpResponse:
        row, now, overlap = await _row(transaction, call), self._clock(), timedelta(hours=body.keep_hours)
        await act(transaction, call)
        try:
            secret = await rotate_webhook_secret(transaction, self._vault, row, now=now, overlap=overlap)
        except errors.InvalidInput:
            raise V1Refusal("webhook_not_found") from None
        return HttpResponse(encode(SecretView(secret, whole_second(now + overlap) if overlap else None)))

    async def test(self, call: V1Call) -> HttpResponse:
        body = read_test(call.body or b"{}")
        return await self._answered.answer(call, lambda call: self._test(call, body))

    async def _test(self, call: V1Call, body: WebhookTestBody) -> HttpResponse:
        row, account_id = await _row(self._database, call), call.account.account_id
        if self._trials[account_id] >= TRIALS_PER_ACCOUNT_MAX:
            raise errors.QueryTooFrequent
        self._trials[account_id] += 1
        try:
            trial = await try_endpoint(
                self._database,
                self._vault,
                self._http_client,
                self._wording,
                row,
                type=body.type,
                now=self._clock(),
            )
        finally:
            self._trials[account_id] -= 1
            if not self._trials[account_id]:
                del self._trials[account_id]
        result = trial.result
        view = TestResultView(
            event_id=trial.event_id,
            delivered=trial.is_acknowledged,
            http_status=result.status,
            took_ms=result.took_ms,
            answer=result.answer or None if result.status is not None else None,
            error=None if result.status is not None else result.answer,
        )
        return HttpResponse(encode(view))

    async def replay(self, call: V1Call) -> HttpResponse:
        body = read_replay(call.body)
        if (body.event_id is UNSET) == (body.since is UNSET):
            raise wrong_member("from", "either from or event_id is needed")
        if body.event_id is not UNSET and not (body.until is body.types is body.cursor is UNSET):
            raise wrong_member("event_id", "an event is replayed without a span")
        return await self._answered.change(call, partial(self._replay, body))

    async def _replay(self, body: ReplayBody, call: V1Call, transaction: DatabaseConnection) -> HttpResponse:
        row = await _row(transaction, call)
        if not row.is_enabled:
            raise V1Refusal("webhook_off")
        await act(transaction, call)
        try:
            if body.event_id is not UNSET:
                return HttpResponse(encode(await _replay_one(transaction, row, body.event_id)))
            return HttpResponse(encode(await self._replay_many(transaction, row, body)))
        except errors.InvalidInput:  # disabled or removed a moment ago
            raise V1Refusal("webhook_off") from None

    async def _replay_many(self, transaction: DatabaseConnection, row: WebhookRow, body: ReplayBody) -> ReplayView:
        assert body.since is not UNSET
        until = self._clock() if body.until is UNSET else body.until
        if body.since >= until:
            raise wrong_member("to", "it is not behind from")
        try:
            replayed = await replay_events(
                transaction,
                row,
                dialect=NUMBER,
                since=body.since,
                until=until,
                types=row.types if body.types is UNSET else body.types,
                after_id=0 if body.cursor is UNSET else int(body.cursor),
            )
        except OverflowError:
            raise wrong_member("from", "not within what can be reckoned with") from None
        return ReplayView(replayed.queued, None if replayed.last_id is None else str(replayed.last_id))

    async def deliveries(self, call: V1Call) -> HttpResponse:
        values = query_of(call, DELIVERY_PARAMETERS)
        rows_max, cursor, status = rows_parameter(values), cursor_parameter(values), values.get("status")
        if status is not None and status not in OUTCOMES:
            raise wrong_parameter("status", f"one of {', '.join(OUTCOMES)}")
        row = await _row(self._database, call)
        rows = await statements.webhooks.webhook_deliveries(
            self._database,
            account_id=row.account_id,
            webhook_id=row.webhook_id,
            before_id=ids.ID_MAX if cursor is None else cursor,
            outcome=None if status is None else int(OUTCOMES[status]),
            rows_max=rows_max,
        )
        following = str(rows[-1].push_id) if len(rows) == rows_max else None
        return HttpResponse(encode(DeliveryPage([delivery_view(row) for row in rows], following)))

    def _check_url(self, url: str) -> None:
        storable(url, "url")
        try:
            check_url(url)
            self._http_client.check(url)
        except (errors.InvalidInput, ValueError):
            raise wrong_member("url", "it is not an http or https URL", "webhook_url_refused") from None
        except AddressRefused as refused:
            raise wrong_member("url", str(refused), "webhook_url_refused") from None


async def _row(db: Executor, call: V1Call) -> WebhookRow:
    webhook_id = id_of(call.target)
    row = None
    if webhook_id is not None:
        row = await statements.webhooks.webhook_find(db, account_id=call.account.account_id, webhook_id=webhook_id)
    if row is None:
        raise V1Refusal("webhook_not_found")
    return row


def webhook_view(row: WebhookRow, secret: str | None = None) -> WebhookView:
    reason = None if row.is_enabled else "failing" if row.disabled_for_failures else "customer"
    return WebhookView(
        id=str(row.webhook_id),
        url=row.url,
        types=row.types,  # type: ignore[arg-type]
        description=row.description or None,
        enabled=row.is_enabled,
        created_at=row.created_at.replace(microsecond=0),
        failing_since=whole_second(row.failing_since),
        disabled_at=whole_second(row.disabled_at),
        disabled_reason=reason,  # type: ignore[arg-type]
        secret=secret,
    )


def delivery_view(row: WebhookDelivery) -> DeliveryView:
    attempt = None
    if row.at is not None and row.took_ms is not None:
        has_answer = row.status is not None
        attempt = DeliveryAttemptView(
            at=row.at.replace(microsecond=0),
            took_ms=row.took_ms,
            http_status=row.status,
            answer=row.answer or None if has_answer else None,
            error=None if has_answer else row.answer,
        )
    return DeliveryView(
        id=str(row.push_id),
        event_id=f"{EVENT_PREFIX}{row.event_id}",
        type=row.type,  # type: ignore[arg-type]
        status=DELIVERY_WORDS[PushOutcome(row.outcome)],
        attempts=row.attempts,
        created_at=row.created_at.replace(microsecond=0),
        next_attempt_at=whole_second(row.due_at),
        last_attempt=attempt,
    )


async def _replay_one(transaction: DatabaseConnection, row: WebhookRow, given: str) -> ReplayView:
    event_id = int(given.removeprefix(EVENT_PREFIX))
    event = await statements.events.event_find(transaction, account_id=row.account_id, event_id=event_id)
    if event is None:
        raise V1Refusal("event_not_found")
    replayed = await replay_event(transaction, row, dialect=NUMBER, event_id=event_id, type=event.type)
    return ReplayView(replayed.queued)
