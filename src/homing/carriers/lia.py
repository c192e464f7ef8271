"""A vendor of the lia dialect as a carrier (docs/reference/lia.md).

A text goes to many numbers with SendSMSMulti, to one with SendSMS. Receipts are posted to `callback_url`, which is this
carrier's /carriers/NAME/TOKEN/report as the vendor reaches it; what no push settles is asked about, one message a call.
"""

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from homing import limits
from homing.carriers.api import ApiCarrier, ApiSettings, CallShape
from homing.carriers.base import Clock, MalformedReport, WebhookRequest, WebhookResult
from homing.carriers.call_outcomes import answer_of
from homing.carriers.secret_mark import Secret
from homing.model import Answer, CarrierReceipt, Outbound, Outcome, Traffic
from homing.states import MessageState
from homing.text.segments import TextEncoding
from homing_clients.errors import BadPush, MessageUnknown
from homing_clients.lia import (
    ACKNOWLEDGEMENT,
    BASE_URL,
    AsyncLiaClient,
    Delivery,
    Encoding,
    Message,
    ReportPush,
    Sent,
    Status,
    parse_report_push,
)

STATES: Final = {
    Status.PENDING: MessageState.SENT,
    Status.ACCEPTED: MessageState.SENT,
    Status.ACKNOWLEDGED: MessageState.SENT,
    Status.DELIVERED: MessageState.DELIVERED,
    Status.UNDELIVERABLE: MessageState.UNDELIVERABLE,
    Status.EXPIRED: MessageState.EXPIRED,
    Status.REJECTED: MessageState.REJECTED,
    Status.FAILED: MessageState.FAILED,
    Status.DND: MessageState.REJECTED,
    Status.UNKNOWN: MessageState.UNKNOWN,
}

ENCODINGS: Final = {
    (False, False): Encoding.LATIN,
    (False, True): Encoding.LATIN_FLASH,
    (True, False): Encoding.UNICODE,
    (True, True): Encoding.UNICODE_FLASH,
}
"""By whether it is UCS-2, and whether it is flash."""


NUMBERS_MAX: Final = 1000
"""Of a call, by the contract."""


class LiaSettings(ApiSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`send_max`: numbers in a call. `ask_after_s`: 0 never asks. `callback_url` "" asks for no pushes. `flash`:
    whether the vendor does what it is asked with the encodings FS and UFS.
    """

    api_id: str
    api_password: Secret
    base_url: str = BASE_URL
    callback_url: Secret = ""
    send_max: Annotated[int, msgspec.Meta(ge=1, le=NUMBERS_MAX)] = 200
    ask_after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 120.0
    asks_per_s: Annotated[float, msgspec.Meta(gt=0, le=100)] = 10.0
    flash: bool = True

    @property
    def carries_flash(self) -> bool:
        return self.flash


def make(settings: LiaSettings, rng: random.Random, clock: Clock) -> ApiCarrier:
    manner = CallShape(settings.send_max, settings.ask_after_s, 1, settings.asks_per_s)
    return ApiCarrier(api=LiaApi(settings, clock), settings=settings, manner=manner, rng=rng, clock=clock)


class LiaApi:
    def __init__(self, settings: LiaSettings, clock: Clock) -> None:
        terms = settings.call_terms()
        self._client = AsyncLiaClient(settings.api_id, settings.api_password, base_url=settings.base_url, terms=terms)
        self._callback_url = settings.callback_url
        self._clock = clock

    async def send(self, messages: Sequence[Outbound]) -> Sequence[Answer]:
        message = self._message(messages)
        if len(messages) == 1:
            return [_answer(await self._client.send(messages[0].number, message))]
        return [_answer(sent) for sent in await self._client.send_many([each.number for each in messages], message)]

    async def ask(self, carrier_refs: Sequence[str]) -> Sequence[CarrierReceipt]:
        receipts = []
        for carrier_ref in filter(str.isdigit, carrier_refs):
            try:
                delivery = await self._client.status(message_id=int(carrier_ref))
            except MessageUnknown:
                continue
            if STATES[delivery.status] is not MessageState.SENT:
                receipts.append(_polled_receipt(carrier_ref, delivery, self._clock()))
        return receipts

    async def close(self) -> None:
        await self._client.close()

    def _message(self, messages: Sequence[Outbound]) -> Message:
        """What all of the call's messages share; their validity is that of the longest, for the others end here."""
        first = messages[0]
        left_s = (max(message.expires_at for message in messages) - self._clock()).total_seconds()
        return Message(
            first.sender,
            first.text,
            transactional=first.traffic == Traffic.TRANSACTIONAL,
            encoding=ENCODINGS[first.encoding == TextEncoding.UCS2, first.options.flash],
            uid=f"{first.message_id}-{first.attempt}" if len(messages) == 1 else "",
            callback_url=self._callback_url,
            validity_s=min(limits.VALIDITY_S_MAX, max(limits.VALIDITY_S_MIN, int(left_s))),
            pe_id=first.options.pe_id,
            template_id=first.options.template_id,
        )


class LiaWebhookParser:
    """Reads what the vendor posts."""

    def __init__(self, _settings: LiaSettings, clock: Clock) -> None:
        self._clock = clock

    def read(self, pushed: WebhookRequest) -> WebhookResult:
        if pushed.path != "report":
            raise MalformedReport("pushes come to /report")
        try:
            push = parse_report_push(pushed.body)
        except BadPush as error:
            raise MalformedReport(str(error)) from None
        receipt = _pushed_receipt(push, pushed.body, self._clock())
        return WebhookResult((receipt,), ACKNOWLEDGEMENT.status, ACKNOWLEDGEMENT.content_type, ACKNOWLEDGEMENT.body)


def _answer(sent: Sent) -> Answer:
    if sent.refusal is not None:
        return answer_of(sent.refusal)
    return Answer(Outcome.ACCEPTED, str(sent.message_id))


def _pushed_receipt(push: ReportPush, body: bytes, now: datetime) -> CarrierReceipt:
    """The dialect's reports tell no time."""
    state, raw = STATES[push.status], body.decode(errors="replace")
    return CarrierReceipt(str(push.message_id), state, now, _code(push.error_code), raw, push.number or None)


def _polled_receipt(carrier_ref: str, delivery: Delivery, now: datetime) -> CarrierReceipt:
    return CarrierReceipt(
        carrier_ref,
        STATES[delivery.status],
        now,
        _code(delivery.error_code),
        f"GetDeliveryStatus: {delivery.word} {delivery.error_text}".strip(),
        delivery.number or None,
    )


def _code(error_code: str) -> str | None:
    return error_code[: limits.RECEIPT_STATUS_CHARS_MAX] or None
