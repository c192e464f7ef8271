"""Messages that were sent: one, many by what they have in common, and cancelling one that still waits."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from homing.api.http.wire import HttpResponse
from homing.common import ids
from homing.dialects.base import Dialects
from homing.dialects.v1.calls import (
    V1Call,
    cursor_parameter,
    id_of,
    number_of,
    query_of,
    read_nothing,
    rows_parameter,
    storable,
    time_parameter,
    wrong_parameter,
)
from homing.dialects.v1.problems import V1Refusal
from homing.dialects.v1.replies import MessagePage, message_view, status_of
from homing.dialects.v1.words import CANCELLED, STATUSES
from homing.messages.cancellation import cancel_message
from homing.messages.lookup import MessageLookup
from homing.messages.search import FoundMessages, MessageFilter, MessageKey, search
from homing.states import MessageState
from homing.store.database import Database
from homing.store.statements.messages import MessageRow

encode: Final = msgspec.json.encode
PARAMETERS: Final = frozenset(("to", "reference", "status", "since", "until", "limit", "cursor"))
STATES: Final = {word: (int(state),) for state, word in STATUSES.items()} | {
    "sending": (int(MessageState.QUEUED), int(MessageState.SENDING)),
    CANCELLED: (int(MessageState.FAILED),),
}
"""By status the states in which rows have it; a message that is being submitted is stored as queued, and claimed."""


class MessageQueries:
    def __init__(
        self, *, database: Database, lookup: MessageLookup, dialects: Dialects, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._lookup = lookup
        self._dialects = dialects
        self._clock = clock

    async def show(self, call: V1Call) -> HttpResponse:
        return HttpResponse(encode(message_view(await self._message(call))))

    async def list(self, call: V1Call) -> HttpResponse:
        values = query_of(call, PARAMETERS)
        rows_max = rows_parameter(values)
        result = await search(self._database, _filter(call.account.account_id, values), rows_max, self._clock())
        status, number = values.get("status"), values.get("to")
        rows = [row for row in result.rows if status is None or status_of(row) == status]
        if number is not None and "reference" in values:
            digits = number_of(number, "to")
            rows = [row for row in rows if row.number == digits]
        return HttpResponse(encode(MessagePage([message_view(row) for row in rows], _next(result, rows_max))))

    async def cancel(self, call: V1Call) -> HttpResponse:
        """A message that was cancelled before is answered alike."""
        read_nothing(call.body or b"{}")
        row = await self._message(call)
        is_cancelled = await cancel_message(
            self._database, call.account.account_id, row.message_id, self._clock(), self._dialects
        )
        row = await self._message(call)
        if not is_cancelled and status_of(row) != CANCELLED:
            raise V1Refusal("too_late_to_cancel")
        return HttpResponse(encode(message_view(row)))

    async def _message(self, call: V1Call) -> MessageRow:
        message_id = id_of(call.target)
        row = None if message_id is None else await self._lookup.by_id(call.account.account_id, message_id)
        if row is None:
            raise V1Refusal("message_not_found")
        return row


def _filter(account_id: int, values: Mapping[str, str]) -> MessageFilter:
    key, value = None, ""
    if "reference" in values:
        key, value = MessageKey.REFERENCE, storable(values["reference"], "reference")
    elif "to" in values:
        key, value = MessageKey.NUMBER, number_of(values["to"], "to")
    status = values.get("status")
    if status is not None and status not in STATES:
        raise wrong_parameter("status", f"one of {', '.join(STATES)}")
    since, until, cursor = (time_parameter(values, "since"), time_parameter(values, "until"), cursor_parameter(values))
    beyond_id = ids.ID_MAX if cursor is None else min(cursor, ids.ID_MAX)
    if until is not None:
        beyond_id = min(beyond_id, _id_at(until))
    return MessageFilter(
        account_id=account_id,
        states=() if status is None else STATES[status],
        first_id=0 if since is None else _id_at(since),
        beyond_id=beyond_id,
        key=key,
        value=value,
    )


def _id_at(at: datetime) -> int:
    return min(ids.first_id_at(int(at.timestamp() * 1000)), ids.ID_MAX)


def _next(result: FoundMessages, rows_max: int) -> str | None:
    if result.stopped_id is not None:
        return str(result.stopped_id)
    return str(result.rows[-1].message_id) if len(result.rows) >= rows_max else None
