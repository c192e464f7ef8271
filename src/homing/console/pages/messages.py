"""Looking for messages, and what became of one."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from starlette.responses import Response

from homing import errors, limits
from homing.admin.account_settings import as_id
from homing.admin.carriers import find_carrier
from homing.common import ids
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import EVERYBODY, STAFF, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import page_of
from homing.console.request_context import PageNotFound, RequestContext
from homing.console.timeline_view import OUTCOME_LABELS, STATE_LABELS, outcome_tone, state_tone, steps
from homing.delivery.pushes import replay_push
from homing.messages.search import FoundMessages, MessageFilter, MessageKey, find_id, search
from homing.messages.timeline import TimelineEntry, find_message, read_timeline
from homing.states import TABLE, MessageState
from homing.store import statements
from homing.store.statements.timeline import TimelineMessage, TimelinePush
from homing.text.numbers import normalise

STATES: Final = {state.name.lower(): state for state in MessageState if state is not MessageState.SENDING}
MINUTE: Final = timedelta(minutes=1)
STILL_LIVE: Final = timedelta(minutes=10)
"""How long after its final state a message's page is still live: pushes, late receipts and conversions arrive then."""


async def show(context: RequestContext) -> Response:
    query = context.query_value("find")
    if _message_id(query) is not None and not context.query_value("before"):
        message_id = await find_id(context.database, int(query), context.scope)
        if message_id is not None:
            return context.redirect(f"/messages/{message_id}")
    result, key, filter_error = await _find(context, query)
    page = page_of(result.rows, lambda row: row.message_id)
    return context.page(
        "messages.html",
        rows=page.rows,
        older_key=page.older,
        result=result,
        stopped_at=_time_of(result.stopped_id),
        key=key,
        filter_error=filter_error,
        query=query,
        carriers=await _carriers(context),
        states=[(name, STATE_LABELS[state]) for name, state in STATES.items()],
        labels=STATE_LABELS,
        tone=state_tone,
        is_filtered=any(context.query_value(name) for name in ("find", "account", "carrier", "state", "from", "to")),
    )


async def _find(context: RequestContext, query: str) -> tuple[FoundMessages, MessageKey | None, str]:
    """The result, the key that found it, and the error of the filter."""
    try:
        message_filter = await _message_filter(context)
    except errors.InvalidInput as error:
        return FoundMessages([], None, 0), None, context.sentence(error)
    rows_max = limits.CONSOLE_PAGE_ROWS + 1
    for key, value in _keys(context, query):
        result = await search(context.database, _with(message_filter, key, value), rows_max, context.now)
        if result.rows or result.stopped_id:
            return result, key, ""
    return (
        (
            FoundMessages([], None, 0)
            if query
            else await search(context.database, message_filter, rows_max, context.now)
        ),
        None,
        "",
    )


def _with(base: MessageFilter, key: MessageKey, value: str) -> MessageFilter:
    return MessageFilter(base.account_id, base.carrier_id, base.states, base.first_id, base.beyond_id, key, value)


def _keys(context: RequestContext, query: str) -> Sequence[tuple[MessageKey, str]]:
    """Interpretations of a pasted text, in the order of the search; an older page continues with its own key."""
    if not query:
        return []
    number = normalise(query)
    tried = [(MessageKey.NUMBER, number)] if number else []
    tried += [(MessageKey.REFERENCE, query), (MessageKey.CARRIER_REF, query)]
    chosen = [candidate for candidate in tried if candidate[0] == context.query_value("by")]
    return chosen or tried


async def _message_filter(context: RequestContext) -> MessageFilter:
    account, carrier, state = (
        context.query_value("account"),
        context.query_value("carrier"),
        context.query_value("state"),
    )
    account_id = context.scope
    if account and context.scope is None:
        account_id = await form_values.account_id(context, account)
    carrier_id = None
    if carrier and context.scope is None:
        try:
            carrier_id = (await find_carrier(context.database, carrier)).carrier_id
        except errors.InvalidInput:
            raise errors.InvalidInput(context.translate("Carrier {carrier} does not exist.", carrier=carrier)) from None
    states = (STATES[state],) if state in STATES else ()
    first_id, beyond_id, before_id = _id_at(context, "from"), _id_at(context, "to", MINUTE), context.query_id("before")
    bounds = [bound for bound in (beyond_id, before_id) if bound is not None]
    return MessageFilter(account_id, carrier_id, states, first_id or 0, min(bounds, default=ids.ID_MAX))


def _id_at(context: RequestContext, name: str, later: timedelta = timedelta(0)) -> int | None:
    """The first id at a time in the viewer's zone; the field has minutes."""
    text = context.query_value(name)
    if not text:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=context.zone)
        return min(ids.ID_MAX, ids.first_id_at(int((at + later).timestamp() * 1000)))
    raise errors.InvalidInput(context.translate("{entered} is not a valid date and time.", entered=text))


def _time_of(message_id: int | None) -> datetime | None:
    return None if message_id is None else datetime.fromtimestamp(ids.id_time_ms(message_id) / 1000, UTC)


def _message_id(text: str) -> int | None:
    message_id = as_id(text)
    return message_id if message_id is not None and message_id <= ids.ID_MAX else None


async def _carriers(context: RequestContext) -> Sequence[tuple[str, str]]:
    if context.scope is not None:
        return []
    return [(row.name, row.name) for row in await context.console_state.carriers()]


async def show_item(context: RequestContext) -> Response:
    message_id = _message_id(context.path_part("message_id"))
    if message_id is None:
        raise PageNotFound
    read = await context.console_state.live.cache.get(("message", message_id), lambda: _read(context, message_id))
    if read is None or context.scope not in (None, read[0].account_id):
        raise PageNotFound
    message, entries, pushes, verification_id = read
    state = MessageState(message.state)
    ended_at = message.final_at if TABLE[state].final else None
    return context.page(
        "message.html",
        message=message,
        steps=steps(context, entries, message.submitted_at),
        pushes=[
            {**msgspec.structs.asdict(push), "label": OUTCOME_LABELS[push.outcome], "tone": outcome_tone(push.outcome)}
            for push in pushes
        ],
        state=STATE_LABELS[state],
        tone=state_tone(state),
        is_live=ended_at is None or context.now - ended_at < STILL_LIVE,
        is_blanked=message.text == "" and message.segments > 0,
        verification_id=verification_id,
        took_s=(ended_at - message.submitted_at).total_seconds() if ended_at else None,
    )


async def _read(
    context: RequestContext, message_id: int
) -> tuple[TimelineMessage, Sequence[TimelineEntry], Sequence[TimelinePush], int | None] | None:
    """A message, its timeline, its pushes and the verification whose code it carries, for whoever may see them."""
    async with context.database.transaction() as transaction:
        message = await find_message(transaction, message_id)
        if message is None:
            return None
        entries = await read_timeline(transaction, message, context.console_state.dialects)
        pushes = await statements.timeline.timeline_pushes(
            transaction, account_id=message.account_id, message_id=message_id
        )
        verification_id = await statements.verifications.verification_of_message(
            transaction, account_id=message.account_id, message_id=message_id
        )
    return message, entries, pushes, verification_id


async def resend(context: RequestContext) -> Response:
    """Sends a push of this message again."""
    push_id = form_values.row_id(context, "push", context.translate("The push does not exist."))
    async with context.changing() as transaction:
        await replay_push(transaction, push_id, _message_id(context.path_part("message_id")))
    context.console_state.live.cache.forget()
    return context.redirect(context.path, context.translate("The push will be sent again."))


SECTION = PageSection(
    (
        Page("/messages", show, seen_by=EVERYBODY),
        Page("/messages/{message_id}", show_item, resend, seen_by=EVERYBODY, changed_by=STAFF),
    ),
    (NavigationEntry("/messages", N_("Messages"), NavigationGroup.TRAFFIC, "message", EVERYBODY),),
)
