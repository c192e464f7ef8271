"""laaffic: getReport, getSentRcd and recordMo (contract, sections 6 to 8)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.doors.laaffic_parameters import RecordMo, Span, split_list, text_of, time_of, whole
from homing.doors.laaffic_send import app_of
from homing.kit import ids
from homing.messages.laaffic_form import PriceDetail, price_detail
from homing.messages.lookup import Lookup
from homing.states import FINAL_STATES, TABLE, State
from homing.store.database import Database, Record
from homing.text.numbers import UNKNOWN

encode: Final = msgspec.json.encode


class ReportRow(msgspec.Struct):
    msgId: str
    number: str
    receiveTime: str | None
    status: str
    pricedetail: PriceDetail


class ReportReply(msgspec.Struct):
    status: str
    reason: str
    success: str
    fail: str
    sending: str
    nofound: str
    array: list[ReportRow]


class SentRow(msgspec.Struct):
    msgId: str
    number: str
    receiveTime: str | None
    status: str


class InboundRow(msgspec.Struct):
    number: str
    sendId: str
    receiveTime: str
    content: str
    mcc: str
    mnc: str
    operator: str
    pricedetail: PriceDetail


class InboundPage(msgspec.Struct):
    total: int
    size: int
    current: int
    pages: int
    records: list[InboundRow]


class InboundReply(msgspec.Struct):
    status: str
    reason: str
    data: InboundPage


class Queries:
    def __init__(self, database: Database, lookup: Lookup) -> None:
        self._database = database
        self._lookup = lookup

    async def report(self, account: Profile, parameters: dict[str, str]) -> bytes:
        """getReport: rows in the order asked; a queued, an unknown and another's message count as `nofound`."""
        app_id = _required_app(account, parameters.get("appId", ""))
        asked = [piece.strip() for piece in split_list(parameters.get("msgIds", ""))]
        if not asked or len(asked) > limits.LAAFFIC_REPORT_IDS_MAX:
            raise errors.QueryEmpty
        if not all(piece.isascii() and piece.isdigit() for piece in asked):
            raise errors.QueryEmpty
        found = await self._lookup.many(account.account_id, [int(p) for p in asked if len(p) <= 16])
        counts = {"0": 0, "1": 0, "-1": 0}
        rows = []
        for piece in asked:
            message = found.get(int(piece)) if len(piece) <= 16 else None
            status = None if message is None else TABLE[State(message["state_seen"])].laaffic
            if message is None or status is None or message["app_id"] != app_id:
                continue
            counts[status] += 1
            rows.append(_report_row(message, status))
        return encode(
            ReportReply(
                "0",
                "success",
                str(counts["0"]),
                str(counts["1"]),
                str(counts["-1"]),
                str(len(asked) - len(rows)),
                rows,
            )
        )

    async def sent(self, account: Profile, parameters: dict[str, str]) -> AsyncIterator[bytes]:
        """getSentRcd: the finished messages of a span, streamed. The counts come after the rows' scan, so the array
        is sent last but its totals are read first; memory stays bounded at any number of rows.
        """
        app_id = _required_app(account, parameters.get("appId", ""))
        start, end = _span(parameters.get("startTime", ""), parameters.get("endTime", ""))
        offset = whole(parameters.get("startIndex"), 0)
        return self._stream(
            account.account_id, app_id, ids.first_id_at(_ms(start)), ids.first_id_at(_ms(end) + 1), offset
        )

    async def _stream(
        self, account_id: int, app_id: str, first_id: int, beyond_id: int, offset: int
    ) -> AsyncIterator[bytes]:
        span = (
            account_id,
            app_id,
            first_id,
            beyond_id,
            list(FINAL_STATES),
            offset,
            limits.LAAFFIC_RECORDS_MAX,
        )
        async with self._database.transaction() as transaction:
            yield b'{"status":"0","reason":"success","array":['
            rows: list[bytes] = []
            separator = b""
            async for row in transaction.cursor("messages_finished", *span):
                rows.append(encode(_sent_row(row)))
                if len(rows) == limits.BATCH_ITEMS_MAX:
                    yield separator + b",".join(rows)
                    rows, separator = [], b","
            if rows:
                yield separator + b",".join(rows)
            yield b"]}"

    async def inbound(self, account: Profile, call: RecordMo) -> bytes:
        """recordMo: one page of what people sent back, newest first."""
        app_id = _required_app(account, text_of(call.appId))
        span = call.params or Span()
        start, end = _span(text_of(span.strTime), text_of(span.endTime))
        current, size = whole(call.current, 1), whole(call.size, 10)
        if current < 1 or not 1 <= size <= limits.LAAFFIC_PAGE_MAX:
            raise errors.BadShape
        key = (account.account_id, app_id, start, end)
        async with self._database.transaction() as transaction:
            counted = await transaction.row("inbound_count", *key)
            rows = await transaction.fetch("inbound_page", *key, (current - 1) * size, size)
        total = counted["total"] if counted else 0
        page = InboundPage(total, size, current, -(-total // size), [_inbound_row(row) for row in rows])
        return encode(InboundReply("0", "success", page))


def _required_app(account: Profile, app_id: str) -> str:
    """Queries call an empty appId an empty field (-14); an unknown one is an authentication error (-1)."""
    if not app_id:
        raise errors.QueryEmpty
    return app_of(account, app_id)


def _span(start_text: str, end_text: str) -> tuple[datetime, datetime]:
    """Raises -14 for a missing time, -11 for one that cannot be read or a reversed span, -25 beyond 31 or 90 days."""
    if not start_text or not end_text:
        raise errors.QueryEmpty
    start, end = time_of(start_text), time_of(end_text)
    if start > end:
        raise errors.BadTime
    if end - start > timedelta(days=limits.LAAFFIC_SPAN_DAYS_MAX):
        raise errors.OutOfRange
    if start < datetime.now(UTC) - timedelta(days=limits.LAAFFIC_HISTORY_DAYS):
        raise errors.OutOfRange
    return start, end


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def iso(at: datetime | None) -> str | None:
    """ISO-8601 seconds with offset."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")


def _report_row(message: Record, status: str) -> ReportRow:
    return ReportRow(
        str(message["message_id"]),
        message["raw_number"] or message["number"],
        iso(message["final_at"]),
        status,
        price_detail(message["charge_micro"] - message["refund_micro"], message["segments"], message["price_micro"]),
    )


def _sent_row(row: Record) -> SentRow:
    delivered = row["state"] == State.DELIVERED
    return SentRow(str(row["message_id"]), row["number"], iso(row["final_at"]), "0" if delivered else "2")


def _inbound_row(row: Record) -> InboundRow:
    return InboundRow(
        row["number"],
        row["recipient"],
        iso(row["received_at"]) or "",
        row["content"],
        row["mcc"],
        row["mnc"],
        row["operator"] or UNKNOWN,
        price_detail(0, 1, 0),
    )
