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
from homing.console.page import EVERYBODY, STAFF, NavigationEntry, NavigationGroup, Page, PageSection
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
"""How long after its end a message's page still follows: pushes, late receipts and conversions come then."""


async def show(context: RequestContext) -> Response:
    sought = context.asked("find")
    if _message_id(sought) is not None and not context.asked("before"):
        message_id = await find_id(context.database, int(sought), context.scope)
        if message_id is not None:
            return context.go(f"/messages/{message_id}")
    found, key, trouble = await _find(context, sought)
    shown = page_of(found.rows, lambda row: row.message_id)
    return context.page(
        "messages.html",
        rows=shown.rows,
        older_key=shown.older,
        found=found,
        stopped_at=_time_of(found.stopped_id),
        key=key,
        trouble=trouble,
        sought=sought,
        carriers=await _carriers(context),
        states=[(name, STATE_LABELS[state]) for name, state in STATES.items()],
        labels=STATE_LABELS,
        tone=state_tone,
        is_filtered=any(context.asked(name) for name in ("find", "account", "carrier", "state", "from", "to")),
    )


async def _find(context: RequestContext, sought: str) -> tuple[FoundMessages, MessageKey | None, str]:
    """What the filter finds, by which key, and what is wrong with the filter."""
    try:
        wanted = await _wanted(context)
    except errors.InvalidInput as error:
        return FoundMessages([], None, 0), None, context.word(error)
    rows_max = limits.CONSOLE_PAGE_ROWS + 1
    for key, value in _keys(context, sought):
        found = await search(context.database, _with(wanted, key, value), rows_max, context.now)
        if found.rows or found.stopped_id:
            return found, key, ""
    return (
        (FoundMessages([], None, 0) if sought else await search(context.database, wanted, rows_max, context.now)),
        None,
        "",
    )


def _with(wanted: MessageFilter, key: MessageKey, value: str) -> MessageFilter:
    return MessageFilter(
        wanted.account_id, wanted.carrier_id, wanted.states, wanted.first_id, wanted.beyond_id, key, value
    )


def _keys(context: RequestContext, sought: str) -> Sequence[tuple[MessageKey, str]]:
    """What a text that somebody pasted may be, in the order of trying; an older page goes on with its own key."""
    if not sought:
        return []
    number = normalise(sought)
    tried = [(MessageKey.NUMBER, number)] if number else []
    tried += [(MessageKey.REFERENCE, sought), (MessageKey.CARRIER_REF, sought)]
    chosen = [one for one in tried if one[0] == context.asked("by")]
    return chosen or tried


async def _wanted(context: RequestContext) -> MessageFilter:
    account, carrier, state = context.asked("account"), context.asked("carrier"), context.asked("state")
    account_id = context.scope
    if account and context.scope is None:
        account_id = await form_values.account_id(context, account)
    carrier_id = None
    if carrier and context.scope is None:
        try:
            carrier_id = (await find_carrier(context.database, carrier)).carrier_id
        except errors.InvalidInput:
            raise errors.InvalidInput(context.say("Carrier {carrier} does not exist.", carrier=carrier)) from None
    states = (STATES[state],) if state in STATES else ()
    first_id, beyond_id, before_id = _id_at(context, "from"), _id_at(context, "to", MINUTE), context.asked_id("before")
    bounds = [one for one in (beyond_id, before_id) if one is not None]
    return MessageFilter(account_id, carrier_id, states, first_id or 0, min(bounds, default=ids.ID_MAX))


def _id_at(context: RequestContext, name: str, later: timedelta = timedelta(0)) -> int | None:
    """The first id of a time in the viewer's zone, to the minute as the field gives it."""
    text = context.asked(name)
    if not text:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=context.zone)
        return min(ids.ID_MAX, ids.first_id_at(int((at + later).timestamp() * 1000)))
    raise errors.InvalidInput(context.say("{entered} is not a valid date and time.", entered=text))


def _time_of(message_id: int | None) -> datetime | None:
    return None if message_id is None else datetime.fromtimestamp(ids.id_time_ms(message_id) / 1000, UTC)


def _message_id(text: str) -> int | None:
    found = as_id(text)
    return found if found is not None and found <= ids.ID_MAX else None


async def _carriers(context: RequestContext) -> Sequence[tuple[str, str]]:
    if context.scope is not None:
        return []
    return [(row.name, row.name) for row in await context.shared.carriers()]


async def show_one(context: RequestContext) -> Response:
    message_id = _message_id(context.part("message_id"))
    if message_id is None:
        raise PageNotFound
    read = await context.shared.live.kept.get(("message", message_id), lambda: _read(context, message_id))
    if read is None or context.scope not in (None, read[0].account_id):
        raise PageNotFound
    message, moments, pushes = read
    state = MessageState(message.state)
    ended_at = message.final_at if TABLE[state].final else None
    return context.page(
        "message.html",
        message=message,
        steps=steps(context, moments, message.submitted_at),
        pushes=[
            {**msgspec.structs.asdict(push), "label": OUTCOME_LABELS[push.outcome], "tone": outcome_tone(push.outcome)}
            for push in pushes
        ],
        state=STATE_LABELS[state],
        tone=state_tone(state),
        is_live=ended_at is None or context.now - ended_at < STILL_LIVE,
        is_blanked=message.text == "" and message.segments > 0,
        took_s=(ended_at - message.submitted_at).total_seconds() if ended_at else None,
    )


async def _read(
    context: RequestContext, message_id: int
) -> tuple[TimelineMessage, Sequence[TimelineEntry], Sequence[TimelinePush]] | None:
    """A message, its timeline and its pushes, for whoever may see them."""
    async with context.database.transaction() as transaction:
        message = await find_message(transaction, message_id)
        if message is None:
            return None
        moments = await read_timeline(transaction, message, context.shared.dialects)
        pushes = await statements.timeline.timeline_pushes(
            transaction, account_id=message.account_id, message_id=message_id
        )
    return message, moments, pushes


async def resend(context: RequestContext) -> Response:
    """Sends a push of this message again."""
    push_id = form_values.row_id(context, "push", context.say("The push does not exist."))
    async with context.changing() as transaction:
        await replay_push(transaction, push_id, _message_id(context.part("message_id")))
    context.shared.live.kept.forget()
    return context.go(context.path, context.say("The push will be sent again."))


SECTION = PageSection(
    (
        Page("/messages", show, seen_by=EVERYBODY),
        Page("/messages/{message_id}", show_one, resend, seen_by=EVERYBODY, changed_by=STAFF),
    ),
    (NavigationEntry("/messages", N_("Messages"), NavigationGroup.TRAFFIC, "message", EVERYBODY),),
)
