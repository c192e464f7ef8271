"""The laaffic dialect's pushes: delivery reports and inbound messages (contract, section 10)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from homing.dialects.base import ChangedMessage, InboundMessage, NewPush
from homing.dialects.laaffic.codes import FAILURE_REASONS
from homing.dialects.laaffic.number import NUMBER
from homing.dialects.laaffic.prices import PriceDetail, price_detail
from homing.model import PushKind
from homing.smpp.statuses import INVALID_DESTINATION
from homing.states import TABLE, MessageState
from homing.text.numbers import UNKNOWN

encode: Final = msgspec.json.encode

WRONG_NUMBER_MCC: Final = "999"


class LaafficReport(msgspec.Struct):
    """`msgid` in lower case, `status` an integer: 0 success, else failure; `orderId` is "" where none was given."""

    appId: str
    orderId: str
    msgid: str
    mobile: str
    status: int
    reason: str
    timestamp: int
    mcc: str
    mnc: str
    pricedetail: PriceDetail


class Inbound(msgspec.Struct):
    """`reply_time` is `yyyy-MM-dd HH:mm:ss` in UTC; there is no appId. `mcc` and `mnc` are integers here."""

    msgid: str
    mobile: str
    reply_time: str
    content: str
    sendid: str
    mcc: int
    mnc: int
    operator: str
    pricedetail: PriceDetail


def code_number(code: str) -> int:
    """A mobile country or network code as inbound messages have it: an integer, -1 for one that is not known."""
    return int(code)


def reports(message: ChangedMessage) -> Iterator[NewPush]:
    """The end alone is reported."""
    if message.report_url and TABLE[message.state].final:
        yield NewPush(
            account_id=message.account_id,
            message_id=message.message_id,
            dialect=NUMBER,
            kind=PushKind.REPORT,
            url=message.report_url,
            body=encode(report_of(message)).decode(),
            is_only=True,
        )


def report_of(message: ChangedMessage) -> LaafficReport:
    delivered = message.state is MessageState.DELIVERED
    # Carriers of all kinds word a wrong or barred number as SMPP does (section 5.1.3).
    is_wrong_number = message.state is MessageState.REJECTED and message.error_code == INVALID_DESTINATION
    return LaafficReport(
        appId=message.app_id,
        orderId=message.reference or "",
        msgid=str(message.message_id),
        mobile=message.raw_number or message.number,
        status=0 if delivered else 1,
        reason="0" if delivered else message.error_text or message.error_code or FAILURE_REASONS[message.state],
        timestamp=int(message.at.timestamp() * 1000),
        mcc=WRONG_NUMBER_MCC if is_wrong_number else message.mcc,
        mnc=UNKNOWN if is_wrong_number else message.mnc,
        pricedetail=price_detail(message.charge_micro - message.refund_micro, message.segments, message.price_micro),
    )


def inbound(message: InboundMessage) -> Iterator[NewPush]:
    if message.inbound_url:
        form = Inbound(
            msgid=str(message.inbound_id),
            mobile=message.number,
            reply_time=_clock(message.received_at),
            content=message.content,
            sendid=message.recipient,
            mcc=code_number(message.mcc),
            mnc=code_number(message.mnc),
            operator=message.network or UNKNOWN,
            pricedetail=price_detail(0, 1, 0),
        )
        yield NewPush(
            account_id=message.account_id,
            message_id=message.inbound_id,
            dialect=NUMBER,
            kind=PushKind.INBOUND,
            url=message.inbound_url,
            body=encode(form).decode(),
        )


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
