"""query_sm, cancel_sm and replace_sm, by the message id of the submit's response."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.accounts.profile import Profile
from homing.accounts.query_budget import QueryBudget
from homing.api.smpp.part_store import MultipartStore
from homing.api.smpp.statuses import RequestRejected
from homing.common.ids import ID_MAX
from homing.dialects.base import Dialects
from homing.messages.cancellation import cancel_message
from homing.messages.lookup import MessageLookup
from homing.smpp import times
from homing.smpp.pdus import CancelSm, CancelSmResp, QuerySm, QuerySmResp, ReplaceSm, ResponsePdu
from homing.smpp.receipt_text import STATE_WORDS
from homing.smpp.statuses import CommandStatus
from homing.states import TABLE, MessageState
from homing.store.database import Database
from homing.text.numbers import normalise

ENROUTE: Final = 1  # message_state: SMPP 3.4, section 5.2.28
ERROR_MAX: Final = 255

Query = QuerySm | CancelSm | ReplaceSm


class QueriedMessage(msgspec.Struct, frozen=True):
    """The message of a request; of a part whose message is not complete yet, the state alone."""

    state_seen: int
    message_id: int | None = None
    number: str | None = None
    error_code: str | None = None
    final_at: datetime | None = None


class QueryHandler:
    """`answer` raises `RequestRejected`, a `Refusal` or a `PlatformFailure`."""

    def __init__(
        self,
        *,
        database: Database,
        lookup: MessageLookup,
        part_store: MultipartStore,
        budget: QueryBudget,
        clock: Callable[[], datetime],
        dialects: Dialects,
    ) -> None:
        self._dialects = dialects
        self._database = database
        self._lookup = lookup
        self._part_store = part_store
        self._budget = budget
        self._clock = clock

    async def answer(self, account: Profile, request: Query) -> ResponsePdu:
        self._budget.spend(account, type(request).__name__)
        match request:
            case QuerySm():
                return await self._query(account, request)
            case CancelSm():
                return await self._cancel(account, request)
            case ReplaceSm():
                await self._find(account, request.message_id, request.source_addr)
                raise RequestRejected(CommandStatus.RREPLACEFAIL, "cancel it and submit another")

    async def _query(self, account: Profile, request: QuerySm) -> ResponsePdu:
        message = await self._find(account, request.message_id, request.source_addr)
        state = MessageState(message.state_seen)
        is_final = TABLE[state].final
        code = message.error_code or ""
        return QuerySmResp(
            request.message_id,
            times.absolute(message.final_at) if is_final and message.final_at else "",
            STATE_WORDS[state][1] if is_final or state is MessageState.UNKNOWN else ENROUTE,
            int(code) if code.isascii() and code.isdigit() and len(code) <= 3 and int(code) <= ERROR_MAX else 0,
        )

    async def _cancel(self, account: Profile, request: CancelSm) -> ResponsePdu:
        """Cancels by id; addresses, where they are given, must be the message's."""
        message = await self._find(account, request.message_id, request.source_addr)
        is_other = request.destination_addr and normalise(request.destination_addr) != message.number
        if is_other or message.message_id is None:
            raise RequestRejected(CommandStatus.RCANCELFAIL)
        if not await cancel_message(
            self._database, account.account_id, message.message_id, self._clock(), self._dialects
        ):
            raise RequestRejected(CommandStatus.RCANCELFAIL, "it is on its way, or has ended")
        return CancelSmResp()

    async def _find(self, account: Profile, text: str, source: str) -> QueriedMessage:
        """The account's message, or a part that has none yet. Raises `RequestRejected`."""
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(ID_MAX))):
            raise RequestRejected(CommandStatus.RINVMSGID)
        message_id = int(text)
        message = await self._lookup.by_id(account.account_id, message_id)
        if message is None:
            part = await self._part_store.find(account.account_id, message_id)
            if part is None:
                raise RequestRejected(CommandStatus.RINVMSGID)
            if part.message_id is None:
                state = part.state if part.has_ended else MessageState.QUEUED
                return QueriedMessage(state_seen=state)
            message = await self._lookup.by_id(account.account_id, part.message_id)
        if message is None:
            raise RequestRejected(CommandStatus.RINVMSGID)
        if source and message.sender not in (source[: limits.SENDER_CHARS_MAX], account.registered(source)):
            raise RequestRejected(CommandStatus.RINVSRCADR)
        return QueriedMessage(
            state_seen=message.state_seen,
            message_id=message.message_id,
            number=message.number,
            error_code=message.error_code,
            final_at=message.final_at,
        )
