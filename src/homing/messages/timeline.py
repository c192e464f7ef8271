"""A message's story, put together from its rows: what was decided, what happened, and when. The command line and the
console tell it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final

import msgspec

from homing import limits
from homing.kit.money import trimmed
from homing.kit.spread import mix
from homing.messages.outbox import BIND_KINDS
from homing.model import CURRENCY, Book, Door, EntryKind, Outcome, PushKind, PushOutcome, Traffic
from homing.states import TABLE, State
from homing.store.database import Connection, Record
from homing.text.numbers import UNKNOWN
from homing.text.segments import Encoding

Row = Mapping[str, Any]

NOTES_TOLD_ELSEWHERE: Final = (
    "sender_asked",
    "sender_replaced",
    "route",
    "parts",
    "guard",
)  # beside the sender and the route


SHARES: Final = re.compile(r"adaptive, shares (?P<version>\d+) of (?P<total>[1-9]\d*)")
"""How a message's notes refer to what its route was chosen by (routing/choose.py)."""


class Moment(msgspec.Struct, frozen=True):
    """One step: when, a word or two, and the rest of the sentence."""

    at: datetime
    what: str
    detail: str


async def find_message(connection: Connection, message_id: int) -> Record | None:
    """A message's row with the names of its account, app, route and carrier; None when there is none."""
    return await connection.row("timeline_message", message_id)


async def read_timeline(connection: Connection, message: Record) -> list[Moment]:
    """The story of a row of `find_message`, in the order of time. What is still to come stands at the end, at the
    time when it is due.
    """
    key = message["account_id"], message["message_id"]
    entries = await connection.fetch("ledger_of_message", *key, message["submission_id"])
    attempts = await connection.fetch("timeline_attempts", *key)
    receipts = await connection.fetch("timeline_receipts", *key)
    parts = await connection.fetch("timeline_parts", *key)
    pushes = await connection.fetch("timeline_pushes", *key)
    posts = await connection.fetch("timeline_push_attempts", *key)
    conversion = await connection.row("timeline_conversion", *key)
    waiting = await connection.fetch(
        "timeline_queue", message["message_id"], limits.LANES_PER_CARRIER, message["traffic"]
    )
    choice = await _choice(connection, message)
    ours = chain(
        _accepted(message),
        choice,
        _entries(message, entries),
        map(_attempt, attempts),
        _sent(message),
    )
    since = chain(
        map(_receipt, receipts),
        _parts(parts),
        _ended(message, parts),
        map(_push, pushes),
        map(_post, posts),
        _converted(conversion),
        map(_waits, waiting),
        chain.from_iterable(map(_due_push, pushes)),
    )
    # The cause comes first, also where clocks differ by a moment: a message's time is its id's, which in a burst is
    # ahead of the clock, and a receipt's is the carrier's, which can be of whole minutes and lie before the submit.
    submitted_at, sent_at = message["submitted_at"], message["sent_at"] or message["submitted_at"]
    ordered = [(max(moment.at, submitted_at), moment) for moment in ours]
    ordered += [(max(moment.at, submitted_at, sent_at), moment) for moment in since]
    return [
        msgspec.structs.replace(moment, at=at) if moment.what == "receipt" else moment
        for at, moment in sorted(ordered, key=lambda pair: pair[0])
    ]


def _accepted(message: Row) -> Iterator[Moment]:
    """What was decided before the message was taken."""
    at = message["submitted_at"]
    notes = json.loads(message["notes"] or "{}")
    yield Moment(at, "submitted", _submitted(message))
    yield Moment(at, "number", _number(message))
    asked = f", in place of {notes['sender_asked']!r}" if "sender_asked" in notes else ""
    why = f": {notes['sender_replaced']}" if "sender_replaced" in notes else ""
    yield Moment(at, "sender", f"{message['sender'] or 'none'}{asked}{why}")
    yield Moment(at, "text", _text(message, notes))
    if "guard" in notes:
        yield Moment(at, "guard", notes["guard"])
    gift = f", {trimmed(message['gift_micro'])} of it from the gift" if message["gift_micro"] else ""
    yield Moment(
        at,
        "price",
        f"{trimmed(message['price_micro'])} a segment x {message['segments']}"
        f" = {trimmed(message['charge_micro'])} {CURRENCY}{gift}",
    )
    why = f"; {notes['route']}" if "route" in notes else ""
    yield Moment(at, "route", _route(message) + why)


async def _choice(connection: Connection, message: Row) -> list[Moment]:
    """What an adaptive route's choice rested on: its candidates, and the draw. Empty for other routes."""
    noted = SHARES.search(str(json.loads(message["notes"] or "{}").get("route", "")))
    if noted is None:
        return []
    at = message["submitted_at"]
    made = await connection.row("learn_choice", message["account_id"], int(noted["version"]))
    if made is None:
        return [Moment(at, "choice", f"what shares {noted['version']} rested on is kept no longer")]
    names = {row["carrier_id"]: row["name"] for row in await connection.fetch("timeline_carriers")}
    rests_on = json.loads(made["rests_on"])
    candidates = sorted(rests_on["candidates"], key=lambda one: (-one["share"], one["carrier_id"]))
    moments = [Moment(at, "choice", f"shares {made['version']} of {_clock(made['made_at'])}: {made['told']}")]
    moments += [Moment(at, "candidate", _candidate(one, names)) for one in candidates]
    moments.append(Moment(at, "draw", _draw(message, candidates, int(noted["total"]), names)))
    return moments


def _candidate(one: Mapping[str, Any], names: Mapping[int, str]) -> str:
    cost = f"{trimmed(one['cost_micro'])} a segment" if one["cost_micro"] is not None else "cost unknown"
    delivered = f", {one['delivered']:.1%} delivered" if one["delivered"] is not None else ""
    down = ", down" if one["is_down"] else ""
    return (
        f"{names.get(one['carrier_id'], one['carrier_id'])}: share {one['share'] / 100:.1f} %,"
        f" {one['conversions']:.0f} of {one['messages']:.0f} messages converted, rate {one['mean']:.1%}"
        f" ({one['low']:.1%} to {one['high']:.1%}, by {one['source']}){delivered}, {cost}{down}"
    )


def _draw(message: Row, candidates: Sequence[Mapping[str, Any]], total: int, names: Mapping[int, str]) -> str:
    """The same draw as in routing/choose.py: through the candidates in the order of their routes."""
    ticket = mix(message["message_id"]) % total
    said = f"{ticket} of {total}"
    if total != sum(max(1, one["share"]) for one in candidates):
        return f"{said}, among those of the candidates that could be used"
    below = 0
    for one in sorted(candidates, key=lambda one: one["route_id"]):
        first, below = below, below + max(1, one["share"])
        if ticket < below:
            return f"{said}: {names.get(one['carrier_id'], one['carrier_id'])} has {first} to {below - 1}"
    return said


def _submitted(message: Row) -> str:
    app = f"{message['app']} ({message['app_id']})" if message["app"] else message["app_id"] or "none"
    said = f"through {Door(message['door']).name.lower()}, app {app}, request {message['request_id']}"
    return f"{said}, reference {message['reference']}" if message["reference"] is not None else said


def _number(message: Row) -> str:
    known = [code for code in (message["mcc"], message["mnc"]) if code != UNKNOWN]
    network = f", network {'-'.join(known)}" if known else ""
    written = f", written {message['raw_number']!r}" if message["raw_number"] else ""
    return f"{message['number']}, {message['country'] or 'unknown country'}{network}{written}"


def _text(message: Row, notes: Mapping[str, object]) -> str:
    told = [
        Encoding(message["encoding"]).name,
        _plural(message["segments"], "segment"),
        Traffic(message["traffic"]).name.lower(),
        f"valid until {_clock(message['expires_at'])}",
        *(
            name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {value}"
            for name, value in notes.items()
            if name not in NOTES_TOLD_ELSEWHERE
        ),
        *(
            f"came in {len(parts)} parts: {', '.join(str(part_id) for part_id, _registered in parts)}"
            for parts in (notes.get("parts"),)
            if isinstance(parts, list)
        ),
    ]
    return ", ".join(told)


def _route(message: Row) -> str:
    if message["route_prefix"] is None:
        return f"route {message['route_id']}, which is there no longer"
    return (
        f"{message['route_carrier']}, by route {message['route_id']} (prefix {message['route_prefix'] or '*'},"
        f" priority {message['route_priority']}, weight {message['route_weight']})"
    )


def _entries(message: Row, entries: Sequence[Row]) -> Iterator[Moment]:
    """A charge is for a whole submission, which is said where that is more than this message."""
    charged = [entry for entry in entries if entry["submission_id"] is not None]
    is_shared = sum(entry["amount_micro"] for entry in charged) > message["charge_micro"]
    for entry in entries:
        whole = f", for all of submission {entry['submission_id']}" if is_shared and entry in charged else ""
        yield Moment(
            entry["at"],
            EntryKind(entry["kind"]).name.lower(),
            f"{trimmed(entry['amount_micro'])} {CURRENCY} from {Book(entry['from_book']).name.lower()}"
            f" to {Book(entry['to_book']).name.lower()}{whole} (entry {entry['entry_id']})",
        )


def _attempt(attempt: Row) -> Moment:
    outcome = Outcome(attempt["outcome"]).name.lower()
    took_ms = round((attempt["answered_at"] - attempt["started_at"]).total_seconds() * 1000)
    known = f" as {attempt['carrier_ref']}" if attempt["carrier_ref"] else ""
    said = (
        f"{attempt['carrier']} was given it and its answer is not known after {took_ms} ms: it may have gone"
        if attempt["outcome"] == Outcome.UNKNOWN
        else f"{attempt['carrier']} {outcome} it{known} after {took_ms} ms"
    )
    return Moment(attempt["started_at"], f"attempt {attempt['attempt']}", said + _error(attempt))


def _receipt(receipt: Row) -> Moment:
    state = State(receipt["state"]).name.lower()
    effect = "" if receipt["applied"] else "; late or repeated, it changed nothing"
    raw = f"; raw: {receipt['raw']}" if receipt["raw"] else ""
    return Moment(receipt["received_at"], "receipt", f"{receipt['carrier']} says {state}{effect}{raw}")


def _sent(message: Row) -> Iterator[Moment]:
    if message["sent_at"] is not None:
        cost_micro = message["carrier_cost_micro"]
        asks = "" if cost_micro is None else f", and asks {trimmed(cost_micro)} {CURRENCY}"
        yield Moment(message["sent_at"], "sent", f"the carrier has it{asks}")


def _parts(parts: Sequence[Row]) -> Iterator[Moment]:
    for part in parts:
        if part["reported_at"] is not None:
            state = State(part["state"]).name.lower()
            error = f": {part['error_code']}" if part["error_code"] else ""
            told = f"of attempt {part['attempt']}, {part['carrier_ref']}, is {state}{error}"
            yield Moment(part["reported_at"], f"part {part['part']}", told)


def _ended(message: Row, parts: Sequence[Row]) -> Iterator[Moment]:
    state = State(message["state"])
    if message["final_at"] is not None and TABLE[state].final:
        back = f"; {trimmed(message['refund_micro'])} {CURRENCY} given back" if message["refund_micro"] else ""
        silent = ", ".join(str(part["part"]) for part in parts if part["reported_at"] is None)
        unheard = f"; nothing was heard of part {silent}" if silent and state is State.DELIVERED else ""
        yield Moment(message["final_at"], state.name.lower(), f"final{_error(message)}{unheard}{back}")


def _push(push: Row) -> Moment:
    kind = PushKind(push["kind"]).name.lower().replace("_", " ")
    outcome = PushOutcome(push["outcome"]).name.lower().replace("_", " ")
    told = push["url"] or "a bind"
    return Moment(push["created_at"], f"push {push['push_id']}", f"{kind} for {told}: {outcome}")


def _post(post: Row) -> Moment:
    is_bind = post["kind"] in BIND_KINDS
    answer = "failed" if post["status"] is None else "was answered" if is_bind else f"answered HTTP {post['status']}"
    said = f": {post['answer']}" if post["answer"] else ""
    return Moment(
        post["at"], f"push {post['push_id']}", f"try {post['attempt']} {answer} after {post['took_ms']} ms{said}"
    )


def _due_push(push: Row) -> Iterator[Moment]:
    if push["due_at"] is not None:
        yield Moment(push["due_at"], f"push {push['push_id']}", f"try {push['attempts'] + 1} is due")


def _converted(conversion: Row | None) -> Iterator[Moment]:
    """What was reported of this message, and whose credit that is; a credit can also come of a report about another."""
    if conversion is None:
        return
    message_id = conversion["message_id"]
    if conversion["recorded_at"] is not None:
        happened = f", and happened at {_clock(conversion['reported_at'])}" if conversion["reported_at"] else ""
        to = conversion["credited_to"]
        credit = "it has the credit" if to == message_id else f"converted with another message: {to} has the credit"
        yield Moment(
            conversion["recorded_at"],
            "converted",
            f"the person came back: reported through {Door(conversion['door']).name.lower()}{happened}; {credit}",
        )
    if conversion["credited_at"] is not None and conversion["credited_by"] != message_id:
        yield Moment(
            conversion["credited_at"],
            "credited",
            f"the person came back: reported about message {conversion['credited_by']}, and of those to this number"
            " this was the last to arrive",
        )


def _waits(queued: Row) -> Moment:
    """The queue's row: for its carrier, for an answer under a lease, or in lane 0 for its receipt."""
    if queued["carrier"] is None:
        return Moment(queued["due_at"], "due", "expires, unless a receipt comes before (lane 0)")
    place = f"{queued['carrier']} (lane {queued['lane']}), tried {_plural(queued['attempts'], 'time')}"
    if queued["claimed_by"]:
        return Moment(queued["due_at"], "due", f"is at {place}; claimed by {queued['claimed_by']} until then")
    return Moment(queued["due_at"], "due", f"waits for {place}")


def _error(row: Row) -> str:
    told = " ".join(text for text in (row["error_code"], row["error_text"]) if text)
    return f": {told}" if told else ""


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
