"""Events, read by who asks for them in place of being pushed to, or beside it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from homing.admin.webhooks import EVENT_TYPES, refresh_feed
from homing.api.http.wire import HttpResponse
from homing.dialects.v1.calls import (
    V1Call,
    cursor_parameter,
    id_of,
    query_of,
    rows_parameter,
    time_parameter,
    wrong_parameter,
)
from homing.dialects.v1.events import StoredEvents
from homing.dialects.v1.problems import V1Refusal
from homing.model import EVENT_PREFIX
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.events import EventRow

encode: Final = msgspec.json.encode
PARAMETERS: Final = frozenset(("type", "message_id", "verification_id", "since", "until", "order", "limit", "cursor"))
ID_MAX: Final = 2**63 - 1
EVENTS_LOOKED_MAX: Final = 10_000  # by one call, whatever their types
EVENTS_OF_ONE_MAX: Final = 1_000  # message or verification: a handful
READ_NOTED: Final = timedelta(hours=1)
Order = Literal["asc", "desc"]


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Of an account those of a type or any, from `first_id` on and below `beyond_id`."""

    account_id: int
    types: Sequence[str] | None
    first_id: int
    beyond_id: int
    order: Order
    rows_max: int


class EventCalls:
    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def list(self, call: V1Call) -> HttpResponse:
        """The account's changes give events of all types from its first call on."""
        values = query_of(call, PARAMETERS)
        account_id, rows_max, cursor = call.account.account_id, rows_parameter(values), cursor_parameter(values)
        kind, order = values.get("type"), _order(values.get("order", "desc"))
        if kind is not None and kind not in EVENT_TYPES:
            raise wrong_parameter("type", f"one of {', '.join(EVENT_TYPES)}")
        since, until = time_parameter(values, "since"), time_parameter(values, "until")
        subjects = {name: _subject(values[name], name) for name in ("message_id", "verification_id") if name in values}
        if len(subjects) == 2:
            raise wrong_parameter("verification_id", "not together with message_id")
        await self._note_reader(account_id)
        first_id = 0 if since is None else await self._first_at(account_id, since)
        beyond_id = ID_MAX if until is None else await self._first_at(account_id, until)
        if cursor is not None and order == "desc":
            beyond_id = min(beyond_id, cursor)
        elif cursor is not None:
            first_id = max(first_id, cursor + 1)
        chosen = EventFilter(
            account_id=account_id,
            types=None if kind is None else [kind],
            first_id=first_id,
            beyond_id=beyond_id,
            order=order,
            rows_max=rows_max,
        )
        if subjects:
            rows, following = await self._of_subject(chosen, subjects)
        elif order == "desc":
            rows, following = await self._latest(chosen)
        else:
            rows, following = await self._earliest(chosen)
        events = [msgspec.Raw(row.body.encode()) for row in rows]
        return HttpResponse(encode(StoredEvents(events, None if following is None else str(following))))

    async def show(self, call: V1Call) -> HttpResponse:
        query_of(call, frozenset())
        event_id = id_of(call.target.removeprefix(EVENT_PREFIX))
        row = None
        if event_id is not None:
            row = await statements.events.event_find(
                self._database, account_id=call.account.account_id, event_id=event_id
            )
        if row is None:
            raise V1Refusal("event_not_found")
        return HttpResponse(row.body.encode())

    async def _note_reader(self, account_id: int) -> None:
        """Written once an hour at most, however often an account reads."""
        read_at = await statements.events.event_feed_read_at(self._database, account_id=account_id)
        if read_at is not None and self._clock() - read_at < READ_NOTED:
            return
        async with self._database.transaction() as transaction:
            await statements.admin.account_settings(transaction, account_id=account_id)  # its lock
            await refresh_feed(transaction, account_id, is_read=True)

    async def _first_at(self, account_id: int, at: datetime) -> int:
        event_id = await statements.events.event_first_at(self._database, account_id=account_id, since=at)
        return ID_MAX if event_id is None else event_id

    async def _latest(self, chosen: EventFilter) -> tuple[Sequence[EventRow], int | None]:
        rows = await statements.events.events_latest(
            self._database,
            account_id=chosen.account_id,
            before_id=chosen.beyond_id,
            first_id=chosen.first_id,
            types=chosen.types,
            rows_max=chosen.rows_max,
            looked_max=EVENTS_LOOKED_MAX,
        )
        if len(rows) == chosen.rows_max:
            return rows, rows[-1].event_id
        return rows, await statements.events.events_latest_end(
            self._database,
            account_id=chosen.account_id,
            before_id=chosen.beyond_id,
            first_id=chosen.first_id,
            looked_max=EVENTS_LOOKED_MAX,
        )

    async def _earliest(self, chosen: EventFilter) -> tuple[Sequence[EventRow], int | None]:
        rows = await statements.events.events_earliest(
            self._database,
            account_id=chosen.account_id,
            after_id=chosen.first_id - 1,
            before_id=chosen.beyond_id,
            types=chosen.types,
            rows_max=chosen.rows_max,
            looked_max=EVENTS_LOOKED_MAX,
        )
        if len(rows) == chosen.rows_max:
            return rows, rows[-1].event_id
        end = await statements.events.events_earliest_end(
            self._database,
            account_id=chosen.account_id,
            after_id=chosen.first_id - 1,
            before_id=chosen.beyond_id,
            looked_max=EVENTS_LOOKED_MAX,
        )
        return rows, end or (rows[-1].event_id if rows else None)

    async def _of_subject(self, chosen: EventFilter, subjects: dict[str, int]) -> tuple[Sequence[EventRow], int | None]:
        if "message_id" in subjects:
            rows = await statements.events.events_of_message(
                self._database,
                account_id=chosen.account_id,
                message_id=subjects["message_id"],
                rows_max=EVENTS_OF_ONE_MAX,
            )
        else:
            rows = await statements.events.events_of_verification(
                self._database,
                account_id=chosen.account_id,
                verification_id=subjects["verification_id"],
                rows_max=EVENTS_OF_ONE_MAX,
            )
        rows = [
            row
            for row in rows
            if chosen.first_id <= row.event_id < chosen.beyond_id and (chosen.types is None or row.type in chosen.types)
        ]
        if chosen.order == "desc":
            rows.reverse()
        page = rows[: chosen.rows_max]
        is_more = len(rows) > len(page) or (chosen.order == "asc" and page)
        return page, page[-1].event_id if is_more else None


def _order(given: str) -> Order:
    match given:
        case "asc" | "desc":
            return given
        case _:
            raise wrong_parameter("order", "asc or desc")


def _subject(given: str, name: str) -> int:
    subject_id = id_of(given)
    if subject_id is None:
        raise wrong_parameter(name, "an id is digits")
    return subject_id
