"""The laaffic dialect's pushes: delivery reports and inbound messages (contract, section 10)."""

import msgspec

from homing.kit.money import trimmed
from homing.model import CURRENCY


class PriceDetail(msgspec.Struct):
    """`pay` is what the message cost, `price` a segment's price, `chargeCnt` its segments."""

    pay: str
    chargeCnt: int
    currency: str
    price: str


def price_detail(paid_micro: int, segments: int, price_micro: int) -> PriceDetail:
    return PriceDetail(trimmed(paid_micro), segments, CURRENCY, trimmed(price_micro))


class Report(msgspec.Struct):
    """`msgid` in lower case, `status` an integer: 0 success, else failure."""

    appId: str
    orderId: str | None
    msgid: str
    mobile: str
    status: int
    reason: str
    timestamp: int
    mcc: str
    mnc: str
    pricedetail: PriceDetail


class Inbound(msgspec.Struct):
    """`reply_time` is `yyyy-MM-dd HH:mm:ss` in UTC; there is no appId."""

    msgid: str
    mobile: str
    reply_time: str
    content: str
    sendid: str
    mcc: str
    mnc: str
    operator: str
    pricedetail: PriceDetail
