"""Looking for messages, and what became of one."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from homing import errors, limits
from homing.accounts.admin import as_id
from homing.accounts.catalogue import find_carrier
from homing.console import entered
from homing.console.page import EVERYBODY, STAFF, Entry, Group, Page, Section
from homing.console.paging import page_of
from homing.console.story import OUTCOME_LABELS, STATE_LABELS, outcome_tone, state_tone, steps
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.events.pushes import replay_push
from homing.kit import ids
from homing.messages.search import Found, Key, Wanted, find_id, search
from homing.messages.timeline import Moment, find_message, read_timeline
from homing.states import TABLE, State
from homing.text.numbers import normalise

STATES: Final = {state.name.lower(): state for state in State if state is not State.SENDING}
MINUTE: Final = timedelta(minutes=1)
STILL_LIVE: Final = timedelta(minutes=10)
"""How long after its end a message's page still follows: pushes, late receipts and conversions come then."""


async def show(visit: Visit) -> Response:
    sought = visit.asked("find")
    if _message_id(sought) is not None and not visit.asked("before"):
        message_id = await find_id(visit.database, int(sought), visit.scope)
        if message_id is not None:
            return visit.go(f"/messages/{message_id}")
    found, key, trouble = await _find(visit, sought)
    shown = page_of(found.rows, "message_id")
    return visit.page(
        "messages.html",
        rows=shown.rows,
        older_key=shown.older,
        found=found,
        stopped_at=_time_of(found.stopped_id),
        key=key,
        trouble=trouble,
        sought=sought,
        carriers=await _carriers(visit),
        states=[(name, STATE_LABELS[state]) for name, state in STATES.items()],
        labels=STATE_LABELS,
        tone=state_tone,
        is_filtered=any(visit.asked(name) for name in ("find", "account", "carrier", "state", "from", "to")),
    )


async def _find(visit: Visit, sought: str) -> tuple[Found, Key | None, str]:
    """What the filter finds, by which key, and what is wrong with the filter."""
    try:
        wanted = await _wanted(visit)
    except errors.OperatorError as error:
        return Found([], None, 0), None, visit.word(error)
    rows_max = limits.CONSOLE_PAGE_ROWS + 1
    for key, value in _keys(visit, sought):
        found = await search(visit.database, _with(wanted, key, value), rows_max, visit.now)
        if found.rows or found.stopped_id:
            return found, key, ""
    return (Found([], None, 0) if sought else await search(visit.database, wanted, rows_max, visit.now)), None, ""


def _with(wanted: Wanted, key: Key, value: str) -> Wanted:
    return Wanted(wanted.account_id, wanted.carrier_id, wanted.states, wanted.first_id, wanted.beyond_id, key, value)


def _keys(visit: Visit, sought: str) -> Sequence[tuple[Key, str]]:
    """What a text that somebody pasted may be, in the order of trying; an older page goes on with its own key."""
    if not sought:
        return []
    number = normalise(sought)
    tried = [(Key.NUMBER, number)] if number else []
    tried += [(Key.REFERENCE, sought), (Key.CARRIER_REF, sought)]
    chosen = [one for one in tried if one[0] == visit.asked("by")]
    return chosen or tried


async def _wanted(visit: Visit) -> Wanted:
    account, carrier, state = visit.asked("account"), visit.asked("carrier"), visit.asked("state")
    account_id = visit.scope
    if account and visit.scope is None:
        account_id = await entered.account_id(visit, account)
    carrier_id = None
    if carrier and visit.scope is None:
        try:
            carrier_id = (await find_carrier(visit.database, carrier))["carrier_id"]
        except errors.OperatorError:
            raise errors.OperatorError(visit.say("There is no carrier {carrier}.", carrier=carrier)) from None
    states = (STATES[state],) if state in STATES else ()
    first_id, beyond_id, before_id = _id_at(visit, "from"), _id_at(visit, "to", MINUTE), visit.asked_id("before")
    bounds = [one for one in (beyond_id, before_id) if one is not None]
    return Wanted(account_id, carrier_id, states, first_id or 0, min(bounds, default=ids.ID_MAX))


def _id_at(visit: Visit, name: str, later: timedelta = timedelta(0)) -> int | None:
    """The first id of a time in the viewer's zone, to the minute as the field gives it."""
    text = visit.asked(name)
    if not text:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=visit.zone)
        return min(ids.ID_MAX, ids.first_id_at(int((at + later).timestamp() * 1000)))
    raise errors.OperatorError(visit.say("{entered} is no date and time.", entered=text))


def _time_of(message_id: int | None) -> datetime | None:
    return None if message_id is None else datetime.fromtimestamp(ids.id_time_ms(message_id) / 1000, UTC)


def _message_id(text: str) -> int | None:
    found = as_id(text)
    return found if found is not None and found <= ids.ID_MAX else None


async def _carriers(visit: Visit) -> Sequence[Any]:
    if visit.scope is not None:
        return []
    return [(row["name"], row["name"]) for row in await visit.shared.carriers()]


async def show_one(visit: Visit) -> Response:
    message_id = _message_id(visit.part("message_id"))
    if message_id is None:
        raise NotFoundHere
    read = await visit.shared.live.kept.get(("message", message_id), lambda: _read(visit, message_id))
    if read is None or visit.scope not in (None, read[0]["account_id"]):
        raise NotFoundHere
    message, moments, pushes = read
    state = State(message["state"])
    ended_at = message["final_at"] if TABLE[state].final else None
    return visit.page(
        "message.html",
        message=message,
        steps=steps(visit, moments, message["submitted_at"]),
        pushes=[{**push, "label": OUTCOME_LABELS[push["outcome"]], "tone": outcome_tone(push)} for push in pushes],
        state=STATE_LABELS[state],
        tone=state_tone(state),
        is_live=ended_at is None or visit.now - ended_at < STILL_LIVE,
        is_blanked=message["text"] == "" and message["segments"] > 0,
        took_s=(ended_at - message["submitted_at"]).total_seconds() if ended_at else None,
    )


async def _read(visit: Visit, message_id: int) -> tuple[Any, Sequence[Moment], Sequence[Any]] | None:
    """A message, its timeline and its pushes, for whoever may see them."""
    async with visit.database.transaction() as transaction:
        message = await find_message(transaction, message_id)
        if message is None:
            return None
        moments = await read_timeline(transaction, message, visit.shared.dialects)
        pushes = await transaction.fetch("timeline_pushes", message["account_id"], message_id)
    return message, moments, pushes


async def resend(visit: Visit) -> Response:
    """Sends a push of this message again."""
    push_id = entered.row_id(visit, "push", visit.say("There is no such push."))
    async with visit.changing() as transaction:
        await replay_push(transaction, push_id, _message_id(visit.part("message_id")))
    visit.shared.live.kept.forget()
    return visit.go(visit.path, visit.say("The push goes out again."))


SECTION = Section(
    (
        Page("/messages", show, seen_by=EVERYBODY),
        Page("/messages/{message_id}", show_one, resend, seen_by=EVERYBODY, changed_by=STAFF),
    ),
    (Entry("/messages", N_("Messages"), Group.TRAFFIC, "message", EVERYBODY),),
)
