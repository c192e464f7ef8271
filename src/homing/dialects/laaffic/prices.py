"""What a message cost, as the laaffic dialect tells it in answers and pushes (contract, section 6)."""

import msgspec

from homing.common.money import trimmed
from homing.model import CURRENCY


class PriceDetail(msgspec.Struct):
    """`pay` is what the message cost, `price` a segment's price, `chargeCnt` its segments."""

    pay: str
    chargeCnt: int
    currency: str
    price: str


def price_detail(paid_micro: int, segments: int, price_micro: int) -> PriceDetail:
    return PriceDetail(trimmed(paid_micro), segments, CURRENCY, trimmed(price_micro))
