"""Made-up pushes of the laaffic dialect, to try an app's addresses with."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from homing.dialects.laaffic.prices import price_detail
from homing.dialects.laaffic.pushes import Inbound, LaafficReport
from homing.model import PushKind

ORDER: Final = "homing-test"
MESSAGE: Final = "0"
"""No message has this id."""
NUMBER: Final = "8613800130001"
PRICE_MICRO: Final = 31_000


def sample(kind: PushKind, app_id: str, now: datetime) -> str | None:
    match kind:
        case PushKind.REPORT:
            return msgspec.json.encode(_report(app_id, now)).decode()
        case PushKind.INBOUND:
            return msgspec.json.encode(_inbound(now)).decode()
        case _:
            return None


def _report(app_id: str, now: datetime) -> LaafficReport:
    return LaafficReport(
        appId=app_id,
        orderId=ORDER,
        msgid=MESSAGE,
        mobile=NUMBER,
        status=0,
        reason="0",
        timestamp=int(now.timestamp() * 1000),
        mcc="460",
        mnc="00",
        pricedetail=price_detail(PRICE_MICRO, 1, PRICE_MICRO),
    )


def _inbound(now: datetime) -> Inbound:
    return Inbound(
        msgid=MESSAGE,
        mobile=NUMBER,
        reply_time=f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        content="A test push from Homing",
        sendid=ORDER,
        mcc=460,
        mnc=0,
        operator="",
        pricedetail=price_detail(0, 1, 0),
    )
