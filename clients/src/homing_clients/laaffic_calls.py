"""The laaffic dialect's calls: how each is written and its answer read (docs/reference/laaffic.md)."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from homing_clients.call import (
    ClientCall,
    ClientEndpoint,
)
from homing_clients.laaffic_code_calls import LaafficCodeCalls
from homing_clients.laaffic_envelope import call_of, envelope_of
from homing_clients.laaffic_results import (
    Balance,
    Inbound,
    InboundPage,
    Message,
    Price,
    Report,
    Reports,
    Sending,
    Sent,
    SentRecord,
    Status,
)
from homing_clients.reading import Members, Unreadable

T = TypeVar("T")

BASE_URL: Final = "https://api.laaffic.com/v3"

GET_BALANCE: Final = ClientEndpoint("getBalance", "GET", repeatable=True)
SEND_SMS: Final = ClientEndpoint("sendSms", "POST", repeatable=False)
SEND_BATCH: Final = ClientEndpoint("sendSms/batch", "POST", repeatable=False)
GET_REPORT: Final = ClientEndpoint("getReport", "GET", repeatable=True)
GET_SENT_RCD: Final = ClientEndpoint("getSentRcd", "GET", repeatable=True)
RECORD_MO: Final = ClientEndpoint("recordMo", "POST", repeatable=True)
BACKFILL: Final = ClientEndpoint("postback/backfill", "POST", repeatable=False)

ROW_STATUS: Final = {"0": Status.DELIVERED, "-1": Status.SENDING}
"""Else failed: "1" in getReport, "2" in getSentRcd."""


class LaafficCalls(LaafficCodeCalls):
    """Builds the calls of one credential; `LaafficSigner` signs them."""

    def balance(self) -> ClientCall[Balance]:
        """getBalance: what the account holds."""
        return call_of(GET_BALANCE, {}, lambda reply: _balance(envelope_of(reply)))

    def send(
        self,
        numbers: str | Sequence[str],
        text: str,
        *,
        sender: str = "",
        order_ids: Sequence[str] = (),
        app_id: str = "",
    ) -> ClientCall[Sending]:
        """sendSms: one text to up to 1000 numbers, or to one given as a str.

        `order_ids` are your references, one for each number, echoed in reports; `sender` "" is the account's default.
        Raises ValueError when there are not as many as numbers.
        """
        message = Message(numbers if isinstance(numbers, str) else tuple(numbers), text, sender, tuple(order_ids))
        parameters = {"appId": app_id or self._app_id, **_group(message)}
        return call_of(SEND_SMS, parameters, lambda reply: _sending([message], envelope_of(reply)))

    def send_batch(self, messages: Sequence[Message], *, app_id: str = "") -> ClientCall[Sending]:
        """sendSms/batch: several texts, up to 1000 numbers in all. All of it is accepted, or nothing."""
        parameters = {"appId": app_id or self._app_id, "array": [_group(message) for message in messages]}
        return call_of(SEND_BATCH, parameters, lambda reply: _sending(messages, envelope_of(reply)))

    def reports(self, message_ids: Sequence[str], *, app_id: str = "") -> ClientCall[Reports]:
        """getReport: what became of up to 200 messages."""
        parameters = {"appId": app_id or self._app_id, "msgIds": ",".join(message_ids)}
        return call_of(GET_REPORT, parameters, lambda reply: _reports(envelope_of(reply)))

    def sent_records(
        self, start: datetime, end: datetime, *, start_index: int = 0, app_id: str = ""
    ) -> ClientCall[tuple[SentRecord, ...]]:
        """getSentRcd: the finished messages of a span, up to 50 000 after the first `start_index`.

        At most 31 days, at most 90 days ago. Raises ValueError for a time without a zone.
        """
        parameters = {
            "appId": app_id or self._app_id,
            **_span("startTime", start, end),
            "startIndex": start_index,
        }
        return call_of(
            GET_SENT_RCD, parameters, lambda reply: tuple(map(_sent_record, envelope_of(reply).rows("array")))
        )

    def inbound(
        self, start: datetime, end: datetime, *, page: int = 1, size: int = 100, app_id: str = ""
    ) -> ClientCall[InboundPage]:
        """recordMo: a page of what people sent, `page` from 1, `size` up to 100, the span at most 31 days.

        Raises ValueError for a time without a zone.
        """
        parameters = {
            "appId": app_id or self._app_id,
            "current": page,
            "size": size,
            "params": _span("strTime", start, end),
        }
        return call_of(RECORD_MO, parameters, lambda reply: _inbound_page(envelope_of(reply)))

    def report_conversion(
        self, number: str, at: datetime, *, message_id: str = "", app_id: str = ""
    ) -> ClientCall[None]:
        """postback/backfill: the person came back. Without a message id it is about the latest message to the number.

        With an id a report may be repeated freely, and the client does so when an answer is lost. Without one it may
        not: a message that was sent meanwhile would be taken for the one that worked.
        """
        at_ms = int(_aware(at).timestamp() * 1000)
        parameters = {"appId": app_id or self._app_id, "number": number, "time": str(at_ms)}
        if message_id:
            parameters["msgid"] = message_id
        return ClientCall(BACKFILL, parameters, lambda reply, _doubt: _nothing(envelope_of(reply)), bool(message_id))


def _group(message: Message) -> dict[str, str]:
    numbers, orders = numbers_of(message), message.order_ids
    if orders and (len(orders) != len(numbers) or any("," in order for order in orders)):
        raise ValueError("order_ids are as many as numbers, and hold no commas")
    group = {"numbers": ",".join(numbers), "content": message.text}
    if message.sender:
        group["senderId"] = message.sender
    if orders:
        group["orderId"] = ",".join(orders)
    return group


def numbers_of(message: Message) -> list[str]:
    """A message's numbers one by one: a comma list counts as its parts."""
    groups = (message.numbers,) if isinstance(message.numbers, str) else message.numbers
    return [number for numbers in groups for number in numbers.split(",") if number.strip()]


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time needs its zone")
    return at


def _span(start_name: str, start: datetime, end: datetime) -> dict[str, str]:
    """The contract's times have whole seconds: a span that ends within one ends with it."""
    if end.microsecond:
        end = end.replace(microsecond=0) + timedelta(seconds=1)
    return {start_name: _iso(start), "endTime": _iso(end)}


def _iso(at: datetime) -> str:
    return _aware(at).isoformat(timespec="seconds")


def _nothing(_members: Members) -> None:
    return None


def _balance(members: Members) -> Balance:
    return Balance(members.amount("balance"), members.amount("gift"), members.amount("credit"))


def _sending(messages: Sequence[Message], members: Members) -> Sending:
    """Each number's result. The vendor lists the accepted ones alone, so they are found again among those given by
    number and reference (a vendor may leave that out); of equal ones the first count as accepted. Why others are not
    stands in `failArray`, where the vendor has it.
    """
    ids: dict[tuple[str, str], list[str]] = {}
    for row in members.rows("array"):
        if "msgId" not in row:
            raise Unreadable("a message without msgId")
        ids.setdefault((_digits(row.text("number")), row.text("orderId")), []).append(row.text("msgId"))
    unused_ids, nothing = {key: iter(numbers) for key, numbers in ids.items()}, iter(())
    reasons = _reasons(members)
    results = []
    for message in messages:
        numbers = numbers_of(message)
        for number, order_id in zip(numbers, message.order_ids or [""] * len(numbers), strict=True):
            exact, unnamed = ((_digits(number), order) for order in (order_id, ""))
            message_id = next(unused_ids.get(exact, nothing), None) or next(unused_ids.get(unnamed, nothing), None)
            reason = "" if message_id is not None else reasons.get(_digits(number), "")
            results.append(Sent(number, order_id, message_id, reason))
    accepted = sum(1 for result in results if result.message_id is not None)
    if accepted != sum(map(len, ids.values())):
        raise Unreadable("accepted numbers that were not sent")
    return Sending(accepted, len(results) - accepted, tuple(results))


def _reasons(members: Members) -> dict[str, str]:
    """Why numbers were not accepted, by their digits. Older vendors do not tell; what cannot be read costs nothing."""
    try:
        return {_digits(row.text("number")): row.text("reason") for row in members.rows("failArray")}
    except Unreadable:
        return {}


def _digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def _reports(members: Members) -> Reports:
    messages = tuple(
        Report(row.text("msgId"), row.text("number"), status_of(row), row.time("receiveTime"), price_of(row))
        for row in members.rows("array")
    )
    counted = Counter(message.status for message in messages)
    return Reports(
        counted[Status.DELIVERED],
        counted[Status.FAILED],
        counted[Status.SENDING],
        members.whole("nofound"),
        messages,
    )


def _sent_record(row: Members) -> SentRecord:
    return SentRecord(row.text("msgId"), row.text("number"), status_of(row), row.time("receiveTime"))


def status_of(row: Members) -> Status:
    status = row.text("status").strip()
    if not status:
        raise Unreadable("a message without status")
    return ROW_STATUS.get(status, Status.FAILED)


def price_of(row: Members) -> Price | None:
    detail = row.object("pricedetail")
    if detail is None:
        return None
    return Price(detail.amount("pay"), detail.whole("chargeCnt"), detail.amount("price"), detail.text("currency"))


def _inbound_page(members: Members) -> InboundPage:
    data = members.object("data")
    if data is None:
        raise Unreadable("no data")
    messages = tuple(
        Inbound(
            row.text("msgid") or row.text("msgId"),
            row.text("number"),
            row.text("sendId"),
            row.text("content"),
            row.time("receiveTime"),
            row.text("mcc"),
            row.text("mnc"),
            row.text("operator"),
            price_of(row),
        )
        for row in data.rows("records")
    )
    return InboundPage(data.whole("total"), data.whole("size"), data.whole("current"), data.whole("pages"), messages)
