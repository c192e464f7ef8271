"""Events as customers read and receive them: an id, a type, a time, and data of the shape that the type has. The data
are those of the API's answers, as of the moment of the event.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, get_args

import msgspec

from homing.dialects.base import (
    TEST_EVENT,
    ChangedMessage,
    DisabledWebhook,
    EndedVerification,
    EventSubject,
    InboundMessage,
    LowBalance,
    UsedQuota,
)
from homing.dialects.v1.replies import (
    FailureView,
    InboundView,
    MessageView,
    Money,
    VerificationView,
    message_status,
    money_of,
    time_of_id,
    whole_second,
)
from homing.dialects.v1.words import VerificationWord
from homing.model import EventType
from homing.text.numbers import UNKNOWN

VERIFICATION_WORDS: Final[Mapping[EventType, VerificationWord]] = {
    EventType.VERIFICATION_VERIFIED: "verified",
    EventType.VERIFICATION_FAILED: "failed",
    EventType.VERIFICATION_EXPIRED: "expired",
}


class WebhookRef(msgspec.Struct):
    """The endpoint that is tried."""

    id: str


class DisabledWebhookView(msgspec.Struct, kw_only=True):
    """An endpoint that was disabled since it has only failed since `failing_since`."""

    id: str
    url: str
    failing_since: datetime


class LowBalanceView(msgspec.Struct, kw_only=True):
    """`available` is less than `spent_in_24_hours`."""

    available: Money
    spent_in_24_hours: Money


class QuotaUseView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A quota of a day. `app`: left out, it is the account's. `used_percent`: of its messages or its money,
    the larger.
    """

    app: str | None = None
    used_percent: int
    messages_per_day: int | None = None
    messages_used: int | None = None
    money_per_day: Money | None = None
    money_used: Money | None = None


class Event(msgspec.Struct, tag_field="type", kw_only=True):
    """`id`: also its `webhook-id`, at every endpoint and in every replay."""

    id: str
    time: datetime


class MessageSentEvent(Event, tag="message.sent"):
    """A carrier has the message."""

    data: MessageView


class MessageDeliveredEvent(Event, tag="message.delivered"):
    """The message arrived, by the carrier's receipt."""

    data: MessageView


class MessageFailedEvent(Event, tag="message.failed"):
    """The message is over and has not arrived: `status` says how."""

    data: MessageView


class MessageUnknownEvent(Event, tag="message.unknown"):
    """No receipt came in time; one may still."""

    data: MessageView


class MessageInboundEvent(Event, tag="message.inbound"):
    """A person sent a message."""

    data: InboundView


class VerificationVerifiedEvent(Event, tag="verification.verified"):
    """The right code was entered."""

    data: VerificationView


class VerificationFailedEvent(Event, tag="verification.failed"):
    """As many wrong codes were entered as may be."""

    data: VerificationView


class VerificationExpiredEvent(Event, tag="verification.expired"):
    """The time ran out before the right code was entered."""

    data: VerificationView


class BalanceLowEvent(Event, tag="balance.low"):
    """The money is less than what was spent in the last 24 hours."""

    data: LowBalanceView


class QuotaWarningEvent(Event, tag="quota.warning"):
    """Four fifths of a day's quota are used."""

    data: QuotaUseView


class WebhookDisabledEvent(Event, tag="webhook.disabled"):
    """Another endpoint of the account was disabled."""

    data: DisabledWebhookView


class WebhookTestEvent(Event, tag="webhook.test"):
    """A test: nothing happened."""

    data: WebhookRef


AnyEvent = (
    MessageSentEvent
    | MessageDeliveredEvent
    | MessageFailedEvent
    | MessageUnknownEvent
    | MessageInboundEvent
    | VerificationVerifiedEvent
    | VerificationFailedEvent
    | VerificationExpiredEvent
    | BalanceLowEvent
    | QuotaWarningEvent
    | WebhookDisabledEvent
)


EVENT_KINDS: Final[tuple[type[Event], ...]] = get_args(AnyEvent)


class EventPage(msgspec.Struct, omit_defaults=True):
    """Events. `next_cursor`: where the next page begins; the newest first, the last page has none."""

    events: Sequence[AnyEvent]
    next_cursor: str | None = None


class StoredEvents(msgspec.Struct, omit_defaults=True):
    """`EventPage` with events as they are stored: the same bytes as in pushes."""

    events: Sequence[msgspec.Raw]
    next_cursor: str | None = None


def event_data(subject: EventSubject) -> str:
    """JSON of the data of an event about `subject`."""
    return msgspec.json.encode(_view(subject)).decode()


def sample_data(type: str, webhook_id: int, url: str, now: datetime) -> str:
    """Made-up data of a type."""
    view: object = WebhookRef(str(webhook_id))
    if type in MESSAGE_SAMPLES:
        view = MESSAGE_SAMPLES[type](now)
    elif type == EventType.MESSAGE_INBOUND:
        view = InboundView(
            id="246981563914816", sender="8613800130001", to="HOMING", text="STOP", received_at=_second(now)
        )
    elif type == EventType.BALANCE_LOW:
        view = LowBalanceView(available=money_of(3_100_000), spent_in_24_hours=money_of(4_250_000))
    elif type == EventType.QUOTA_WARNING:
        view = QuotaUseView(used_percent=80, messages_per_day=50_000, messages_used=40_000)
    elif type == EventType.WEBHOOK_DISABLED:
        view = DisabledWebhookView(id=str(webhook_id), url=url, failing_since=_second(now))
    elif type != TEST_EVENT:
        view = VerificationView(
            id="246981563914816",
            status=VERIFICATION_WORDS[EventType(type)],
            to="8613800130001",
            attempts_left=0,
            created_at=_second(now),
            expires_at=_second(now),
            ended_at=_second(now),
        )
    return msgspec.json.encode(view).decode()


def event_body(event_id: str, type: str, at: datetime, data: str) -> str:
    """As the database words those that are stored."""
    time = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f'{{"id":"{event_id}","type":"{type}","time":"{time}","data":{data}}}'


def _view(subject: EventSubject) -> msgspec.Struct:
    match subject:
        case ChangedMessage():
            return _message(subject)
        case InboundMessage():
            return _inbound(subject)
        case EndedVerification():
            return _verification(subject)
        case LowBalance():
            return LowBalanceView(
                available=money_of(subject.available_micro), spent_in_24_hours=money_of(subject.day_micro)
            )
        case UsedQuota():
            return _quota(subject)
        case DisabledWebhook():
            return DisabledWebhookView(
                id=str(subject.webhook_id), url=subject.url, failing_since=_second(subject.failing_since)
            )


def _message(message: ChangedMessage) -> MessageView:
    has_error = bool(message.error_text or message.error_code)
    return MessageView(
        id=str(message.message_id),
        status=message_status(message.state, message.reason),
        to=message.number,
        sender=message.sender or None,
        reference=message.reference,
        segments=message.segments,
        price=money_of(message.charge_micro - message.refund_micro),
        country=message.country or None,
        created_at=time_of_id(message.message_id),
        sent_at=whole_second(message.sent_at),
        finished_at=whole_second(message.final_at),
        error=FailureView(message.error_text, message.error_code) if has_error else None,
    )


def _inbound(message: InboundMessage) -> InboundView:
    return InboundView(
        id=str(message.inbound_id),
        sender=message.number,
        to=message.recipient,
        text=message.content,
        received_at=_second(message.received_at),
        app=message.app_id or None,
        network=message.network if message.network and message.network != UNKNOWN else None,
    )


def _verification(ended: EndedVerification) -> VerificationView:
    return VerificationView(
        id=str(ended.verification_id),
        status=VERIFICATION_WORDS[ended.type],
        to=ended.number,
        reference=ended.reference,
        attempts_left=0,
        created_at=_second(ended.created_at),
        expires_at=_second(ended.expires_at),
        ended_at=whole_second(ended.ended_at),
    )


def _quota(quota: UsedQuota) -> QuotaUseView:
    view = QuotaUseView(app=quota.app_id or None, used_percent=int(quota.used_share * 100))
    if quota.messages_per_day is not None:
        view.messages_per_day, view.messages_used = quota.messages_per_day, quota.messages_used
    if quota.money_per_day_micro is not None:
        view.money_per_day = money_of(quota.money_per_day_micro)
        view.money_used = money_of(quota.money_used_micro)
    return view


def _second(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _message_sample(status: str) -> Callable[[datetime], MessageView]:
    def make(now: datetime) -> MessageView:
        is_final = status not in ("sent", "unknown")
        return MessageView(
            id="246981563914816",
            status=status,  # type: ignore[arg-type]
            to="8613800130001",
            sender="HOMING",
            segments=1,
            price=money_of(31_000),
            country="CN",
            created_at=_second(now),
            sent_at=_second(now),
            finished_at=_second(now) if is_final else None,
            error=FailureView("a test", "1") if status == "undeliverable" else None,
        )

    return make


MESSAGE_SAMPLES: Final[Mapping[str, Callable[[datetime], MessageView]]] = {
    EventType.MESSAGE_SENT: _message_sample("sent"),
    EventType.MESSAGE_DELIVERED: _message_sample("delivered"),
    EventType.MESSAGE_FAILED: _message_sample("undeliverable"),
    EventType.MESSAGE_UNKNOWN: _message_sample("unknown"),
}
