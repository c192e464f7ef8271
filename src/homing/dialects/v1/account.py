"""What an account asks for besides its messages: money, what people sent, numbers, and conversions that it reports."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET

from homing.api.http.wire import HttpResponse
from homing.common import ids
from homing.conversions.recorder import ConversionOutcome, ConversionRecorder
from homing.dialects.v1.bodies import ConversionBody, LookupBody
from homing.dialects.v1.calls import (
    V1Call,
    app_of,
    cursor_parameter,
    id_of,
    number_of,
    query_of,
    reader,
    rows_parameter,
    storable,
    time_parameter,
)
from homing.dialects.v1.idempotency import AnsweredCalls
from homing.dialects.v1.number import NUMBER
from homing.dialects.v1.problems import V1Refusal, wrong_member
from homing.dialects.v1.replies import (
    BalanceView,
    ConversionView,
    InboundList,
    LookupView,
    PostingView,
    StatementPage,
    inbound_view,
    money_of,
    whole_second,
)
from homing.intake.intake import Intake
from homing.ledger.account_statement import effect, read_statement
from homing.ledger.balances import BalanceReader
from homing.model import PostingKind
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.ledger import PostingRow
from homing.text.numbers import UNKNOWN

encode: Final = msgspec.json.encode
STATEMENT_PARAMETERS: Final = frozenset(("limit", "cursor"))
INBOUND_PARAMETERS: Final = frozenset(("since", "limit", "cursor"))
read_conversion: Final = reader(ConversionBody)
read_lookup: Final = reader(LookupBody)


class AccountCalls:
    def __init__(
        self,
        *,
        database: Database,
        intake: Intake,
        balances: BalanceReader,
        conversions: ConversionRecorder,
        answered: AnsweredCalls,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._intake = intake
        self._balances = balances
        self._conversions = conversions
        self._answered = answered
        self._clock = clock

    async def balance(self, call: V1Call) -> HttpResponse:
        query_of(call, frozenset())
        balance = await self._balances.read(call.account.account_id)
        view = BalanceView(
            available=money_of(balance.available_micro),
            balance=money_of(balance.balance_micro),
            gift=money_of(balance.gift_micro),
            credit=money_of(balance.credit_micro),
        )
        return HttpResponse(encode(view))

    async def statement(self, call: V1Call) -> HttpResponse:
        values = query_of(call, STATEMENT_PARAMETERS)
        rows_max, cursor = rows_parameter(values), cursor_parameter(values)
        rows = await read_statement(self._database, call.account.account_id, rows_max, cursor)
        following = str(rows[-1].posting_id) if len(rows) == rows_max else None
        return HttpResponse(encode(StatementPage([_posting_view(row) for row in rows], following)))

    async def inbound(self, call: V1Call) -> HttpResponse:
        values = query_of(call, INBOUND_PARAMETERS)
        rows_max, cursor, since = rows_parameter(values), cursor_parameter(values), time_parameter(values, "since")
        rows = await statements.messages.inbound_before(
            self._database,
            account_id=call.account.account_id,
            before_id=ids.ID_MAX if cursor is None else cursor,
            first_id=0 if since is None else min(ids.first_id_at(int(since.timestamp() * 1000)), ids.ID_MAX),
            rows_max=rows_max,
        )
        following = str(rows[-1].inbound_id) if len(rows) == rows_max else None
        return HttpResponse(encode(InboundList([inbound_view(row) for row in rows], following)))

    async def look_up(self, call: V1Call) -> HttpResponse:
        return self._looked_up(call, call.target)

    async def look_up_body(self, call: V1Call) -> HttpResponse:
        return self._looked_up(call, read_lookup(call.body).number)

    def _looked_up(self, call: V1Call, raw: str) -> HttpResponse:
        """A number that cannot be one is refused as it would be when it is sent to."""
        number = number_of(raw, "number")
        destination, price_micro = self._intake.look_up(call.account.account_id, number)
        view = LookupView(
            number=number,
            possible=bool(destination.calling_code) and price_micro is not None,
            country=destination.country or None,
            calling_code=destination.calling_code or None,
            mcc=None if destination.mcc == UNKNOWN else destination.mcc,
            mnc=None if destination.mnc == UNKNOWN else destination.mnc,
            network=destination.network or None,
            price=None if price_micro is None else money_of(price_micro),
        )
        return HttpResponse(encode(view))

    async def convert(self, call: V1Call) -> HttpResponse:
        body = read_conversion(call.body)
        if (body.message_id is UNSET) == (body.to is UNSET):
            raise wrong_member("message_id", "either message_id or to is needed")
        return await self._answered.answer(call, lambda call: self._convert(call, body))

    async def _convert(self, call: V1Call, body: ConversionBody) -> HttpResponse:
        account_id = call.account.account_id
        message_id: int | None
        if body.message_id is not UNSET:
            message_id = id_of(body.message_id)
        else:
            assert body.to is not UNSET
            number, app = number_of(body.to, "to"), app_of(call.account, body.app or None)
            storable(body.to, "to")
            message_id = await self._conversions.latest_to(account_id, number, "" if app is None else app.app_id)
        if message_id is None:
            raise V1Refusal("message_not_found")
        at = None if body.converted_at is UNSET else _past(body.converted_at, self._clock())
        outcome = await self._conversions.report(account_id, message_id, NUMBER, at)
        if outcome is ConversionOutcome.UNKNOWN_MESSAGE:
            raise V1Refusal("message_not_found")
        is_first = outcome is ConversionOutcome.RECORDED
        return HttpResponse(encode(ConversionView(str(message_id), "recorded", is_first)), 201 if is_first else 200)


def _past(at: datetime, now: datetime) -> datetime:
    """Raises `V1Refusal` for a time that is still to come, or before there were any messages."""
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise wrong_member("converted_at", "not within what can be reckoned with") from None
    if at > now or at.timestamp() * 1000 < ids.EPOCH_MS:
        raise wrong_member("converted_at", "it is not between 2025 and now")
    return at


def _posting_view(row: PostingRow) -> PostingView:
    ledger_account, amount_micro = effect(row)
    at = whole_second(row.at)
    assert at is not None
    return PostingView(
        id=str(row.posting_id),
        at=at,
        kind=PostingKind(row.kind).name.lower(),
        ledger_account=ledger_account.name.lower(),
        amount=money_of(amount_micro),
        message_id=None if row.message_id is None else str(row.message_id),
        submission_id=None if row.submission_id is None else str(row.submission_id),
        reason=row.reason or None,
    )
