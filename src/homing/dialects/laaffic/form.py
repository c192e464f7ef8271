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


def code_number(code: str) -> int:
    """A mobile country or network code as inbound messages have it: an integer, -1 for one that is not known."""
    return int(code)


class Report(msgspec.Struct):
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
