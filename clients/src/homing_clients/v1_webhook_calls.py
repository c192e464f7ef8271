"""Calls of webhook endpoints and events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from homing_clients.call import ClientCall
from homing_clients.paging import Page
from homing_clients.reading import Unreadable
from homing_clients.v1_caller import V1Caller, delete, get, given, page_reader, patch, post, reader, segment_of, time_of
from homing_clients.v1_events import Delivery, Event, ReplayResult, Webhook, WebhookSecret, WebhookTrial, event_of

WEBHOOKS: Final = "webhooks"
EVENTS: Final = "events"

read_webhook: Final = reader(Webhook)
read_secret: Final = reader(WebhookSecret)
read_trial: Final = reader(WebhookTrial)
read_replay: Final = reader(ReplayResult)
read_deliveries: Final = page_reader("deliveries", Delivery)
read_raw_events: Final = page_reader("events", msgspec.Raw)
read_all_webhooks: Final = page_reader("webhooks", Webhook)


class V1WebhookCalls(V1Caller):
    """Builds the calls."""

    def create_webhook(
        self,
        url: str,
        *,
        types: Sequence[str] = (),
        description: str = "",
        enabled: bool = True,
        idempotency_key: str = "",
    ) -> ClientCall[Webhook]:
        """POST /v1/webhooks: an endpoint for events of these types; none: of all. The answer alone has its `secret`."""
        optional = {"types": list(types) or None, "description": description}
        parameters = {"url": url, "enabled": enabled, **given(optional)}
        return post(WEBHOOKS, parameters, idempotency_key, read_webhook)

    def webhooks(self) -> ClientCall[tuple[Webhook, ...]]:
        """GET /v1/webhooks: all endpoints of the account."""
        return get(WEBHOOKS, {}, lambda body: read_all_webhooks(body).rows)

    def webhook(self, webhook_id: str) -> ClientCall[Webhook]:
        """GET /v1/webhooks/{id}. Raises `WebhookUnknown`."""
        return get(f"{WEBHOOKS}/{segment_of(webhook_id)}", {}, read_webhook)

    def change_webhook(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        types: Sequence[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> ClientCall[Webhook]:
        """PATCH /v1/webhooks/{id}: None leaves what it has. `enabled=True` enables it again."""
        changes = {"url": url, "types": None if types is None else list(types), "enabled": enabled}
        parameters = {name: value for name, value in changes.items() if value is not None}
        if description is not None:
            parameters["description"] = description
        return patch(f"{WEBHOOKS}/{segment_of(webhook_id)}", parameters, read_webhook)

    def remove_webhook(self, webhook_id: str) -> ClientCall[None]:
        """DELETE /v1/webhooks/{id}. Raises `WebhookUnknown`."""
        return delete(f"{WEBHOOKS}/{segment_of(webhook_id)}")

    def rotate_webhook_secret(
        self, webhook_id: str, *, keep_hours: int | None = None, idempotency_key: str = ""
    ) -> ClientCall[WebhookSecret]:
        """POST /v1/webhooks/{id}/rotate: a new secret. The previous one signs beside it for `keep_hours`; None: 24."""
        path = f"{WEBHOOKS}/{segment_of(webhook_id)}/rotate"
        return post(path, given({"keep_hours": keep_hours}), idempotency_key, read_secret)

    def test_webhook(self, webhook_id: str, *, type: str = "", idempotency_key: str = "") -> ClientCall[WebhookTrial]:
        """POST /v1/webhooks/{id}/test: pushes a made-up event and answers what the endpoint said."""
        path = f"{WEBHOOKS}/{segment_of(webhook_id)}/test"
        return post(path, given({"type": type}), idempotency_key, read_trial)

    def replay_webhook(
        self,
        webhook_id: str,
        *,
        since: datetime,
        until: datetime | None = None,
        types: Sequence[str] = (),
        cursor: str = "",
        idempotency_key: str = "",
    ) -> ClientCall[ReplayResult]:
        """POST /v1/webhooks/{id}/replay: the events of a time again; `cursor`: where the call before ended."""
        parameters = {
            "from": time_of(since, "since"),
            "to": time_of(until, "until"),
            "types": list(types) or None,
            "cursor": cursor,
        }
        return post(f"{WEBHOOKS}/{segment_of(webhook_id)}/replay", given(parameters), idempotency_key, read_replay)

    def replay_event(self, webhook_id: str, event_id: str, *, idempotency_key: str = "") -> ClientCall[ReplayResult]:
        """POST /v1/webhooks/{id}/replay: one event again. Raises `EventUnknown`."""
        path = f"{WEBHOOKS}/{segment_of(webhook_id)}/replay"
        return post(path, {"event_id": event_id}, idempotency_key, read_replay)

    def deliveries(
        self, webhook_id: str, *, status: str = "", limit: int | None = None, cursor: str = ""
    ) -> ClientCall[Page[Delivery]]:
        """GET /v1/webhooks/{id}/deliveries: what was pushed to it, the latest first."""
        parameters = {"status": status, "limit": limit, "cursor": cursor}
        return get(f"{WEBHOOKS}/{segment_of(webhook_id)}/deliveries", parameters, read_deliveries)

    def events(
        self,
        *,
        type: str = "",
        message_id: str = "",
        verification_id: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["desc", "asc"] = "desc",
        limit: int | None = None,
        cursor: str = "",
    ) -> ClientCall[Page[Event]]:
        """GET /v1/events: the latest first, or with `asc` the earliest. Events of all types are stored from the
        account's first call on.
        """
        parameters = {
            "type": type,
            "message_id": message_id,
            "verification_id": verification_id,
            "since": time_of(since, "since"),
            "until": time_of(until, "until"),
            "order": order,
            "limit": limit,
            "cursor": cursor,
        }
        return get(EVENTS, parameters, _read_events)

    def event(self, event_id: str) -> ClientCall[Event]:
        """GET /v1/events/{id}. Raises `EventUnknown`."""
        return get(f"{EVENTS}/{segment_of(event_id)}", {}, _read_event)


def _read_event(body: bytes) -> Event:
    try:
        return event_of(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error) if body.strip() else "an empty body") from None


def _read_events(body: bytes) -> Page[Event]:
    page = read_raw_events(body)
    return Page(tuple(_read_event(bytes(each)) for each in page.rows), page.next_cursor)
