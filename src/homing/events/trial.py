"""A push to try an address with: made up, in its dialect's form, and posted the way that every push is."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from homing.dialects.laaffic.form import Inbound, Report, price_detail
from homing.events.guarded import GuardedPoster, Posted
from homing.events.pusher import is_acknowledged
from homing.model import PushKind

ORDER: Final = "homing-test"
MESSAGE: Final = "0"
"""No message has this id."""
NUMBER: Final = "8613800130001"
PRICE_MICRO: Final = 31_000


class Trial(msgspec.Struct, frozen=True):
    """What was posted, what came back, and whether a push would count as acknowledged."""

    url: str
    body: str
    posted: Posted
    is_acknowledged: bool


async def try_address(
    poster: GuardedPoster, account_id: int, kind: PushKind, url: str, app_id: str, now: datetime
) -> Trial:
    """`kind`: LAAFFIC_REPORT or LAAFFIC_INBOUND. Never raises for what the address does; one that pushes may not go to
    is refused as always.
    """
    body = msgspec.json.encode(_inbound(now) if kind is PushKind.LAAFFIC_INBOUND else _report(app_id, now)).decode()
    posted = await poster.post(url, body, {"webhook-id": f"push_test_{int(now.timestamp() * 1000)}"}, account_id)
    return Trial(url, body, posted, is_acknowledged(kind, posted.status))


def _report(app_id: str, now: datetime) -> Report:
    return Report(
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
