"""Events and webhook endpoints of Homing's own API, as typed values (docs/reference/v1.md#events)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from homing_clients.v1_results import Inbound, Message, Verification

Data = Message | Inbound | Verification | Mapping[str, Any]
KINDS: Final[Mapping[str, type[Message] | type[Inbound] | type[Verification]]] = {
    "message.sent": Message,
    "message.delivered": Message,
    "message.failed": Message,
    "message.unknown": Message,
    "message.inbound": Inbound,
    "verification.verified": Verification,
    "verification.failed": Verification,
    "verification.expired": Verification,
}


class Event(msgspec.Struct, frozen=True):
    """`data`: by the type's beginning a `Message`, an `Inbound` or a `Verification`; of other types, also those of a
    newer server, the members as they came. `id` is the `webhook-id` of its pushes.
    """

    id: str
    type: str
    time: datetime
    data: Data


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint. `secret`: only in the answer that made it. `failing_since`: since when it has only failed.
    `disabled_reason`: `failing` or `customer`.
    """

    id: str
    url: str
    types: tuple[str, ...]
    enabled: bool
    created_at: datetime
    description: str = ""
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str = ""
    secret: str = msgspec.field(default="")

    def __repr__(self) -> str:
        return f"Webhook(id={self.id!r}, url={self.url!r}, enabled={self.enabled!r})"


class WebhookSecret(msgspec.Struct, frozen=True):
    """`previous_until`: how long the previous one signs as well."""

    secret: str
    previous_until: datetime | None = None

    def __repr__(self) -> str:
        return f"WebhookSecret(previous_until={self.previous_until!r})"


class WebhookTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint said to a test event. `error`: there was no HTTP answer."""

    event_id: str
    delivered: bool
    took_ms: int
    http_status: int | None = None
    answer: str = ""
    error: str = ""


class ReplayResult(msgspec.Struct, frozen=True):
    """`queued`: events that are pushed again. `next_cursor`: the span has more."""

    queued: int
    next_cursor: str = ""


class DeliveryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    took_ms: int
    http_status: int | None = None
    answer: str = ""
    error: str = ""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to an endpoint. `status`: `pending`, `delivered`, `failed` or `superseded`."""

    id: str
    event_id: str
    status: str
    attempts: int
    created_at: datetime
    type: str = ""
    next_attempt_at: datetime | None = None
    last_attempt: DeliveryAttempt | None = None


class _Envelope(msgspec.Struct):
    id: str
    type: str
    time: datetime
    data: msgspec.Raw


def event_of(body: bytes) -> Event:
    """The event of a push's body or of an answer. Raises `msgspec.MsgspecError` for what is none."""
    envelope = msgspec.json.decode(body, type=_Envelope)
    kind: Any = KINDS.get(envelope.type, dict[str, Any])
    return Event(envelope.id, envelope.type, envelope.time, msgspec.json.decode(bytes(envelope.data), type=kind))
