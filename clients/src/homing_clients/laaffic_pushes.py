"""What the laaffic dialect pushes to its customers: delivery reports and inbound messages (contract, section 10).

Answer a push that was stored with `ACKNOWLEDGEMENT`: HTTP 200, and nothing else, stops its repetition. One report a
request, each may come more than once.
"""

from datetime import UTC, datetime, tzinfo
from typing import Final

from homing_clients.laaffic_calls import price_of, status_of
from homing_clients.laaffic_results import Inbound, ReportPush, Status
from homing_clients.pushes import parse_push
from homing_clients.reading import Members, Unreadable

WRONG_NUMBER: Final = "999"
OF_INBOUND: Final = ("content", "reply_time", "sendid")
"""What an inbound message has, and a report has not."""
UNITS_A_SECOND: Final = {10: 1, 13: 1000}


def parse_report_push(body: bytes) -> ReportPush:
    """A delivery report from a request's body (JSON; a form is understood too). Raises `BadPush`."""
    return parse_push(body, _report)


def parse_inbound_push(body: bytes, zone: tzinfo = UTC) -> Inbound:
    """An inbound message from a request's body; `zone` is the vendor's, whose times name none. Raises `BadPush`."""
    return parse_push(body, lambda push: _inbound(push, zone))


def _report(push: Members) -> ReportPush:
    if "msgid" not in push:
        raise Unreadable("no msgid")
    status, reason = status_of(push), push.text("reason")
    return ReportPush(
        message_id=push.text("msgid"),
        order_id=push.text("orderId"),
        app_id=push.text("appId"),
        number=push.text("mobile"),
        status=Status.DELIVERED if status is Status.DELIVERED else Status.FAILED,
        reason="" if status is Status.DELIVERED else reason,
        reported_at=_epoch(push.text("timestamp")),
        mcc=push.text("mcc"),
        mnc=push.text("mnc"),
        wrong_number=push.text("mcc") == WRONG_NUMBER,
        price=price_of(push),
    )


def _inbound(push: Members, zone: tzinfo) -> Inbound:
    if "mobile" not in push:
        raise Unreadable("no mobile")
    if "status" in push and not any(name in push for name in OF_INBOUND):
        raise Unreadable("a delivery report")
    return Inbound(
        push.text("msgid"),
        push.text("mobile"),
        push.text("sendid"),
        push.text("content"),
        push.time("reply_time", zone),
        push.text("mcc"),
        push.text("mnc"),
        push.text("operator"),
        price_of(push),
    )


def _epoch(text: str) -> datetime | None:
    """Milliseconds since 1970, 13 digits; seconds, 10 digits, are understood too."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) in UNITS_A_SECOND):
        return None
    return datetime.fromtimestamp(int(text) / UNITS_A_SECOND[len(text)], UTC)
