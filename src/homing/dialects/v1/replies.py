"""The bodies of answers. Members without a value are left out. Times are RFC 3339 in UTC, ids are digits in a text."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from homing.common import ids
from homing.common.money import trimmed
from homing.dialects.v1.problems import ProblemDocument
from homing.dialects.v1.words import (
    CANCELLED,
    STATUSES,
    VERIFICATION_WORDS,
    DeliveryWord,
    EventTypeWord,
    MessageStatus,
    VerificationWord,
)
from homing.i18n.reasons import failure_text
from homing.model import CURRENCY, VerificationStatus
from homing.reasons import ReasonCode, decode_reason
from homing.states import MessageState
from homing.store.statements.intake import NewMessage
from homing.store.statements.messages import InboundListRow, MessageRow
from homing.store.statements.search import ListedMessage
from homing.store.statements.verifications import VerificationMessageRow, VerificationRow


class Money(msgspec.Struct):
    """`amount`: a decimal number in a text, so that no program rounds it."""

    amount: str
    currency: str


class FailureView(msgspec.Struct, omit_defaults=True):
    """Why a message failed: the carrier's code, and words."""

    text: str = ""
    code: str | None = None


class MessageView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A message. `price`: what it costs, after refunds. `text`: only where a message is read."""

    id: str
    status: MessageStatus
    to: str
    sender: str | None = msgspec.field(name="from", default=None)
    text: str | None = None
    reference: str | None = None
    segments: int
    price: Money
    country: str | None = None
    created_at: datetime
    send_at: datetime | None = None
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    error: FailureView | None = None


class MessageQuote(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a message would cost."""

    dry_run: bool
    to: str
    sender: str | None = msgspec.field(name="from", default=None)
    segments: int
    encoding: Literal["gsm7", "ucs2"]
    price: Money
    country: str | None = None


class BatchItemResult(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What became of one of many: the message that was accepted, what it would cost (a dry run), or why it was refused.
    `to`: as it was given.
    """

    to: str
    message: MessageView | None = None
    quote: MessageQuote | None = None
    error: ProblemDocument | None = None


class MessageResults(msgspec.Struct):
    """A result for each message, in their order."""

    accepted: int
    refused: int
    messages: Sequence[BatchItemResult]


class MessagePage(msgspec.Struct, omit_defaults=True):
    """Messages, the latest first. `next_cursor`: where the next page begins; without one this is the last."""

    messages: Sequence[MessageView]
    next_cursor: str | None = None


class VerificationView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A verification. `attempts_left`: codes that may still be entered. `messages`: which carried the code."""

    id: str
    status: VerificationWord
    to: str | None = None
    reference: str | None = None
    attempts_left: int | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    segments: int | None = None
    price: Money | None = None
    messages: Sequence[MessageView] = ()


class ConversionView(msgspec.Struct):
    """A recorded conversion. `first`: whether this report was the message's first."""

    message_id: str
    status: Literal["recorded"]
    first: bool


class BalanceView(msgspec.Struct):
    """`available`: gift, balance and credit together."""

    available: Money
    balance: Money
    gift: Money
    credit: Money


class PostingView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A posting. `amount`: negative for a deduction. `ledger_account`: whether gift or balance changed."""

    id: str
    at: datetime
    kind: str
    ledger_account: str
    amount: Money
    message_id: str | None = None
    submission_id: str | None = None
    reason: str | None = None


class StatementPage(msgspec.Struct, omit_defaults=True):
    """Postings, the latest first."""

    postings: Sequence[PostingView]
    next_cursor: str | None = None


class InboundView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A message that a person sent."""

    id: str
    sender: str = msgspec.field(name="from")
    to: str
    text: str
    received_at: datetime
    app: str | None = None
    network: str | None = None


class InboundList(msgspec.Struct, omit_defaults=True):
    """Inbound messages, the latest first."""

    messages: Sequence[InboundView]
    next_cursor: str | None = None


class LookupView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What is known of a number. `possible`: it has the form of one, and a price. `network`: the operator that its
    range is assigned to. `price`: of one segment.
    """

    number: str
    possible: bool
    country: str | None = None
    calling_code: str | None = None
    mcc: str | None = None
    mnc: str | None = None
    network: str | None = None
    price: Money | None = None


class CodeLimitView(msgspec.Struct, kw_only=True):
    """At most `messages` within `period` units of time, counted from the first."""

    messages: int
    period: int
    unit: Literal["day", "hour", "minute", "second"]


class AppView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An app. `code_expiry_s`: how long its codes can be entered. `total_limit`, `number_limit`: codes that it sends in
    all, and to one number. `resend_messages`: how often a likely lost code goes out again by itself; 0: never.
    `resend_worth`: what a converted person is worth.
    """

    id: str
    name: str
    code_expiry_s: int
    total_limit: CodeLimitView | None = None
    number_limit: CodeLimitView | None = None
    resend_messages: int
    resend_worth: Money
    created_at: datetime


class AppList(msgspec.Struct):
    """All apps of the account, its first app first."""

    apps: Sequence[AppView]


class WebhookView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An endpoint. `secret`: signs what is pushed to it; only in the answer that made it. `failing_since`: since when
    it has only failed. `disabled_reason`: `failing`: by Homing, after days of failures; `customer`: by a change.
    """

    id: str
    url: str
    types: Sequence[EventTypeWord]
    description: str | None = None
    enabled: bool
    created_at: datetime
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: Literal["failing", "customer"] | None = None
    secret: str | None = None


class WebhookList(msgspec.Struct):
    """All endpoints of the account."""

    webhooks: Sequence[WebhookView]


class SecretView(msgspec.Struct, omit_defaults=True):
    """A new secret. `previous_until`: how long the previous one signs as well."""

    secret: str
    previous_until: datetime | None = None


class TestResultView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What an endpoint said to a test event. `answer`: the beginning of its body. `error`: there was no HTTP answer."""

    event_id: str
    delivered: bool
    http_status: int | None = None
    took_ms: int
    answer: str | None = None
    error: str | None = None


class ReplayView(msgspec.Struct, omit_defaults=True):
    """How many events are pushed again; those that still wait for their attempt are not among them. `next_cursor`: the
    span has more, which another call takes.
    """

    queued: int
    next_cursor: str | None = None


class DeliveryAttemptView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An attempt. `answer`: the beginning of the endpoint's body. `error`: there was no HTTP answer."""

    at: datetime
    took_ms: int
    http_status: int | None = None
    answer: str | None = None
    error: str | None = None


class DeliveryView(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An event on its way to an endpoint. `superseded`: dropped, since a later state of the message is pushed."""

    id: str
    event_id: str
    type: EventTypeWord | None = None
    status: DeliveryWord
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None = None
    last_attempt: DeliveryAttemptView | None = None


class DeliveryPage(msgspec.Struct, omit_defaults=True):
    """Deliveries, the latest first."""

    deliveries: Sequence[DeliveryView]
    next_cursor: str | None = None


class _Notes(msgspec.Struct):
    """Of a message's notes (intake/submission.py) what this API wrote there."""

    send_at: datetime | None = None


_read_notes: Final = msgspec.json.Decoder(_Notes).decode


def money_of(micro: int) -> Money:
    return Money(trimmed(micro), CURRENCY)


def whole_second(at: datetime | None) -> datetime | None:
    if at is None or at.tzinfo is UTC:  # as clocks give it: no conversion
        return at and at.replace(microsecond=0)
    return at.astimezone(UTC).replace(microsecond=0)


def time_of_id(message_id: int) -> datetime:
    """When an id was given out, to the second."""
    return datetime.fromtimestamp(ids.id_time_ms(message_id) // 1000, UTC)


def accepted_view(message: NewMessage, send_at: datetime | None = None) -> MessageView:
    """A message that has just been accepted; of the same message always the same."""
    return MessageView(
        id=str(message.message_id),
        status="queued",
        to=message.number,
        sender=message.sender or None,
        reference=message.reference,
        segments=message.segments,
        price=money_of(message.price_micro * message.segments),
        country=message.country or None,
        created_at=time_of_id(message.message_id),
        send_at=whole_second(send_at),
    )


def quote_view(message: NewMessage) -> MessageQuote:
    return MessageQuote(
        dry_run=True,
        to=message.number,
        sender=message.sender or None,
        segments=message.segments,
        encoding="ucs2" if message.encoding else "gsm7",
        price=money_of(message.price_micro * message.segments),
        country=message.country or None,
    )


def status_of(row: MessageRow | ListedMessage) -> MessageStatus:
    return message_status(row.state_seen, row.reason)


def message_view(row: MessageRow | ListedMessage) -> MessageView:
    return MessageView(
        id=str(row.message_id),
        status=status_of(row),
        to=row.number,
        sender=row.sender or None,
        text=row.text,
        reference=row.reference,
        segments=row.segments,
        price=money_of(row.charge_micro - row.refund_micro),
        country=row.country or None,
        created_at=time_of_id(row.message_id),
        send_at=_send_at(row.notes) if isinstance(row, MessageRow) else None,
        sent_at=whole_second(row.sent_at),
        finished_at=whole_second(row.final_at),
        error=_failure(row.error_code, row.error_text, row.reason),
    )


def _send_at(notes: str | None) -> datetime | None:
    return None if notes is None else whole_second(_read_notes(notes).send_at)


def code_message_view(row: VerificationMessageRow, number: str) -> MessageView:
    """A message that carried a verification's code."""
    return MessageView(
        id=str(row.message_id),
        status=message_status(row.state, row.reason),
        to=number,
        sender=row.sender or None,
        segments=row.segments,
        price=money_of(row.charge_micro - row.refund_micro),
        country=row.country or None,
        created_at=time_of_id(row.message_id),
        sent_at=whole_second(row.sent_at),
        finished_at=whole_second(row.final_at),
        error=_failure(row.error_code, row.error_text, row.reason),
    )


def message_status(state: int, reason: str | None) -> MessageStatus:
    """The status of a message in a state, with its encoded reason: one that its customer cancelled has failed."""
    is_cancelled = (
        state == MessageState.FAILED
        and reason is not None
        and decode_reason(reason).code == ReasonCode.MESSAGE_CANCELLED
    )
    return CANCELLED if is_cancelled else STATUSES[MessageState(state)]


def _failure(code: str | None, text: str | None, reason: str | None) -> FailureView | None:
    words = failure_text(text, reason)
    return FailureView(words, code) if words or code else None


def verification_view(row: VerificationRow, messages: Sequence[MessageView] = ()) -> VerificationView:
    status = "expired" if row.is_expired else VERIFICATION_WORDS[VerificationStatus(row.status)]
    return VerificationView(
        id=str(row.verification_id),
        status=status,
        to=row.number,
        reference=row.reference,
        attempts_left=max(0, row.attempts_max - row.attempts) if status == "pending" else 0,
        created_at=whole_second(row.created_at),
        expires_at=whole_second(row.expires_at),
        ended_at=whole_second(row.ended_at),
        messages=messages,
    )


def inbound_view(row: InboundListRow) -> InboundView:
    return InboundView(
        id=str(row.inbound_id),
        sender=row.number,
        to=row.recipient,
        text=row.content,
        received_at=row.received_at.astimezone(UTC).replace(microsecond=0),
        app=row.app_id or None,
        network=row.operator or None,
    )
