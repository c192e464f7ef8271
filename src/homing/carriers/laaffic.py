"""A vendor of the laaffic dialect as a carrier (docs/reference/laaffic.md).

A text goes to up to 1000 numbers in a call; each number's reference (`orderId`) is our message id and attempt, and by
it the vendor's ids find their messages. Receipts and replies are pushed to /carriers/NAME/TOKEN/report and .../inbound;
what no push settles is asked about with getReport.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Annotated, Final

import msgspec

from homing import limits
from homing.carriers.api import ApiCarrier, ApiSettings, CallShape
from homing.carriers.base import Clock, MalformedReport, WebhookRequest, WebhookResult
from homing.carriers.secret_mark import Secret
from homing.model import Answer, CarrierInbound, CarrierReceipt, Outbound, Outcome
from homing.states import MessageState
from homing_clients.errors import BadPush
from homing_clients.laaffic import (
    ACKNOWLEDGEMENT,
    BASE_URL,
    AsyncLaafficClient,
    Inbound,
    Report,
    ReportPush,
    Status,
    parse_inbound_push,
    parse_report_push,
)

NUMBERS_MAX: Final = 1000
REPORT_IDS_MAX: Final = 200
"""Of a call, by the contract."""
NOT_TAKEN: Final = "the vendor did not accept this number"
FAILURES: Final = (("EXPIR", MessageState.EXPIRED), ("REJECT", MessageState.REJECTED))
"""By how the reason of a failed message begins; else it is undeliverable."""


class LaafficSettings(ApiSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`send_max`: numbers in a call. `ask_after_s`: 0 never asks. `zone_hours`: of the vendor's clock, for replies."""

    key: str
    secret: Secret
    app_id: str
    base_url: str = BASE_URL
    send_max: Annotated[int, msgspec.Meta(ge=1, le=NUMBERS_MAX)] = NUMBERS_MAX
    ask_after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60.0
    asks_per_s: Annotated[float, msgspec.Meta(gt=0, le=100)] = 2.0
    zone_hours: Annotated[float, msgspec.Meta(ge=-12, le=14)] = 0.0


def make(settings: LaafficSettings, rng: random.Random, clock: Clock) -> ApiCarrier:
    manner = CallShape(settings.send_max, settings.ask_after_s, REPORT_IDS_MAX, settings.asks_per_s)
    return ApiCarrier(api=LaafficApi(settings, clock), settings=settings, manner=manner, rng=rng, clock=clock)


class LaafficApi:
    def __init__(self, settings: LaafficSettings, clock: Clock) -> None:
        self._clock = clock
        terms = settings.call_terms()
        self._client = AsyncLaafficClient(
            settings.key, settings.secret, app_id=settings.app_id, base_url=settings.base_url, terms=terms
        )

    async def send(self, messages: Sequence[Outbound]) -> Sequence[Answer]:
        sending = await self._client.send(
            [message.number for message in messages],
            messages[0].text,
            sender=messages[0].sender,
            order_ids=[f"{message.message_id}-{message.attempt}" for message in messages],
        )
        return [
            Answer(Outcome.REFUSED, None, "fail", result.reason[: limits.RECEIPT_STATUS_CHARS_MAX] or NOT_TAKEN)
            if result.message_id is None
            else Answer(Outcome.ACCEPTED, result.message_id)
            for result in sending.results
        ]

    async def ask(self, carrier_refs: Sequence[str]) -> Sequence[CarrierReceipt]:
        ours = [carrier_ref for carrier_ref in carrier_refs if carrier_ref.isdigit()]  # one odd id fails them all
        if not ours:
            return []
        reports = await self._client.reports(ours)
        return [
            _polled_receipt(report, self._clock()) for report in reports.messages if report.status is not Status.SENDING
        ]

    async def close(self) -> None:
        await self._client.close()


class LaafficWebhookParser:
    """Reads what the vendor pushes."""

    def __init__(self, settings: LaafficSettings, clock: Clock) -> None:
        self._zone = timezone(timedelta(hours=settings.zone_hours))
        self._clock = clock

    def read(self, pushed: WebhookRequest) -> WebhookResult:
        """What is not of its address' kind is read as of the other: some vendors' accounts have one for both."""
        ways = {"report": self._read_report, "inbound": self._read_inbound}
        if pushed.path not in ways:
            raise MalformedReport("pushes come to /report and /inbound")
        try:
            return ways.pop(pushed.path)(pushed.body)
        except BadPush as error:
            (other,) = ways.values()
            try:
                return other(pushed.body)
            except BadPush:
                raise MalformedReport(str(error)) from None

    def _read_report(self, body: bytes) -> WebhookResult:
        return _result(_pushed_receipt(parse_report_push(body), body, self._clock()))

    def _read_inbound(self, body: bytes) -> WebhookResult:
        inbound = parse_inbound_push(body, self._zone)
        at = inbound.received_at or self._clock()
        return _result(CarrierInbound(inbound.number, inbound.sender, inbound.text, at, _inbound_ref(inbound)))


def _inbound_ref(inbound: Inbound) -> str:
    """With its time: the contract does not say whether msgid is the reply's own or that of the message answered."""
    if not inbound.message_id or inbound.received_at is None:
        return inbound.message_id
    return f"{inbound.message_id} {inbound.received_at.timestamp():.0f}"


def _result(report: CarrierReceipt | CarrierInbound) -> WebhookResult:
    return WebhookResult((report,), ACKNOWLEDGEMENT.status, ACKNOWLEDGEMENT.content_type, ACKNOWLEDGEMENT.body)


def _pushed_receipt(push: ReportPush, body: bytes, now: datetime) -> CarrierReceipt:
    state = MessageState.REJECTED if push.wrong_number else _state(push.status, push.reason)
    return CarrierReceipt(
        push.message_id,
        state,
        push.reported_at or now,
        push.reason[: limits.RECEIPT_STATUS_CHARS_MAX] or None,
        body.decode(errors="replace"),
        push.number or None,
    )


def _polled_receipt(report: Report, now: datetime) -> CarrierReceipt:
    return CarrierReceipt(
        report.message_id,
        _state(report.status, ""),
        report.received_at or now,
        None,
        f"getReport: {report.status.value}",
        report.number or None,
    )


def _state(status: Status, reason: str) -> MessageState:
    """The dialect tells delivered from failed; more is in the reason, where there is one."""
    if status is Status.DELIVERED:
        return MessageState.DELIVERED
    reason_text = reason.strip().upper()
    return next(
        (state for beginning, state in FAILURES if reason_text.startswith(beginning)), MessageState.UNDELIVERABLE
    )
