"""laaffic: getReport, getSentRcd and recordMo (contract, sections 6 to 8)."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from homing import errors
from homing.accounts.profile import Profile
from homing.common import ids
from homing.common.slots import NoFreeSlot, Slots
from homing.common.token_bucket import TokenBucket
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.codes import ROW_STATUSES
from homing.dialects.laaffic.counts import FINAL, SentCounts, SentSpan
from homing.dialects.laaffic.parameters import RecordMo, Span, split_list, text_of, time_of, whole
from homing.dialects.laaffic.prices import PriceDetail, price_detail
from homing.dialects.laaffic.pushes import code_number
from homing.dialects.laaffic.send import app_of
from homing.messages.lookup import MessageLookup
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.messages import FinishedMessage, InboundPageRow, MessageRow
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
    mcc: int
    mnc: int
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
    def __init__(self, database: Database, lookup: MessageLookup) -> None:
        self._database = database
        self._lookup = lookup
        self._counts = SentCounts(database)
        self._streams = Slots(bounds.STREAMS_MAX, bounds.STREAM_WAIT_S)
        self._pages = Slots(bounds.STREAMS_MAX, bounds.STREAM_WAIT_S)

    async def report(self, account: Profile, parameters: dict[str, str]) -> bytes:
        """getReport: rows in the order asked; a queued, an unknown and another's message count as `nofound`,
        and so does what is no id.
        """
        app_id = _required_app(account, parameters.get("appId", ""))
        pieces = [piece.strip() for piece in split_list(parameters.get("msgIds", ""))]
        if not pieces or len(pieces) > bounds.REPORT_IDS_MAX:
            raise errors.QueryEmpty
        message_ids = [_message_id(piece) for piece in pieces]
        known_ids = [message_id for message_id in message_ids if message_id is not None]
        messages = await self._lookup.many(account.account_id, known_ids)
        counts = {"0": 0, "1": 0, "-1": 0}
        rows = []
        for message_id in message_ids:
            message = None if message_id is None else messages.get(message_id)
            status = None if message is None else ROW_STATUSES[MessageState(message.state_seen)]
            if message is None or status is None or message.app_id != app_id:
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
                str(len(pieces) - len(rows)),
                rows,
            )
        )

    async def sent(
        self, account: Profile, parameters: dict[str, str], rows: TokenBucket
    ) -> AsyncGenerator[bytes, None]:
        """getSentRcd: the finished messages of a span, in pieces. `rows` is what the account may read, and is charged.
        Raises `QueryTooFrequent` when there is no room for one more such answer.
        """
        app_id = _required_app(account, parameters.get("appId", ""))
        start, end = _span(parameters.get("startTime", ""), parameters.get("endTime", ""))
        offset = whole(parameters.get("startIndex"), 0, "startIndex")
        span = SentSpan(account.account_id, app_id, ids.first_id_at(_ms(start)), ids.first_id_at(_ms(end) + 1))
        stream = self._stream(span, offset, rows)
        await anext(stream)  # has its place, and its first rows are read: what fails from here on is a broken answer
        return stream

    async def _stream(self, span: SentSpan, offset: int, rows: TokenBucket) -> AsyncGenerator[bytes, None]:
        """Nothing, once it has begun; then the answer. No connection is held between two pages."""
        async with self._place(self._streams, span.account_id):
            page = await self._page(span, span.first_id, offset, bounds.RECORDS_MAX)
            yield b""
            yield b'{"status":"0","reason":"success","array":['
            left, separator = bounds.RECORDS_MAX, b""
            while page:
                rows.owe(len(page))
                left -= len(page)
                yield separator + b",".join([encode(_sent_row(row)) for row in page])
                separator = b","
                if not left or len(page) < bounds.RECORDS_STATEMENT_ROWS:
                    break
                page = await self._page(span, page[-1].message_id + 1, 0, left)
            counts = await self._counts.read(span, rows)
            yield b'],"success":"%d","fail":"%d"}' % (counts.delivered, counts.failed)

    async def _page(self, span: SentSpan, from_id: int, offset: int, rows_max: int) -> Sequence[FinishedMessage]:
        size = min(rows_max, bounds.RECORDS_STATEMENT_ROWS)
        return await statements.messages.messages_finished(
            self._database,
            account_id=span.account_id,
            app_id=span.app_id,
            first_id=from_id,
            beyond_id=span.beyond_id,
            states=FINAL,
            offset=offset,
            rows_max=size,
        )

    @contextlib.asynccontextmanager
    async def _place(self, places: Slots, account_id: int) -> AsyncIterator[None]:
        try:
            async with places.take(account_id):
                yield
        except NoFreeSlot:
            raise errors.QueryTooFrequent from None

    async def inbound(self, account: Profile, call: RecordMo) -> bytes:
        """recordMo: one page of what people sent back, newest first."""
        app_id = _required_app(account, text_of(call.appId, "appId"))
        span = call.params or Span()
        start, end = _span(text_of(span.strTime, "strTime"), text_of(span.endTime, "endTime"))
        current, size = whole(call.current, 1, "current"), whole(call.size, 10, "size")
        if current < 1:
            raise errors.BadShape("current is 1 or more")
        if not 1 <= size <= bounds.PAGE_RECORDS_MAX:
            raise errors.BadShape(f"size is 1 to {bounds.PAGE_RECORDS_MAX}")
        async with self._place(self._pages, account.account_id), self._database.connection() as connection:
            total = await statements.messages.inbound_count(
                connection, account_id=account.account_id, app_id=app_id, since=start, until=end
            )
            rows = await statements.messages.inbound_page(
                connection,
                account_id=account.account_id,
                app_id=app_id,
                since=start,
                until=end,
                offset=(current - 1) * size,
                rows_max=size,
            )
        page = InboundPage(total, size, current, -(-total // size), [_inbound_row(row) for row in rows])
        return encode(InboundReply("0", "success", page))


def _required_app(account: Profile, app_id: str) -> str:
    """Queries call an empty appId an empty field (-14); an unknown one is an authentication error (-1)."""
    if not app_id:
        raise errors.QueryEmpty
    return app_of(account, app_id)


def _message_id(text: str) -> int | None:
    """Decimal digits within 53 bits and a little, else None: what it stands for is not found."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None


def _span(start_text: str, end_text: str) -> tuple[datetime, datetime]:
    """Raises -14 for a missing time, -11 for one that cannot be read or a reversed span, -25 beyond 31 or 90 days."""
    if not start_text or not end_text:
        raise errors.QueryEmpty
    start, end = time_of(start_text), time_of(end_text)
    if start > end:
        raise errors.BadTime
    if end - start > timedelta(days=bounds.SPAN_DAYS_MAX):
        raise errors.OutOfRange
    if start < datetime.now(UTC) - timedelta(days=bounds.HISTORY_DAYS):
        raise errors.OutOfRange
    return start, end


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def iso(at: datetime | None) -> str | None:
    """ISO-8601 seconds with offset."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")


def _report_row(message: MessageRow, status: str) -> ReportRow:
    return ReportRow(
        str(message.message_id),
        message.raw_number or message.number,
        iso(message.final_at),
        status,
        price_detail(message.charge_micro - message.refund_micro, message.segments, message.price_micro),
    )


def _sent_row(row: FinishedMessage) -> SentRow:
    delivered = row.state == MessageState.DELIVERED
    return SentRow(str(row.message_id), row.number, iso(row.final_at), "0" if delivered else "2")


def _inbound_row(row: InboundPageRow) -> InboundRow:
    return InboundRow(
        row.number,
        row.recipient,
        iso(row.received_at) or "",
        row.content,
        code_number(row.mcc),
        code_number(row.mnc),
        row.operator or UNKNOWN,
        price_detail(0, 1, 0),
    )
