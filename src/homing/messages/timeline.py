"""A message's timeline, made from its rows: what was decided, what happened, and when. For command line and console."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final

import msgspec

from homing.common.money import trimmed
from homing.common.urls import without_password
from homing.dialects.base import Dialects
from homing.i18n.labels import LEDGER_ACCOUNTS, OUTCOMES, POSTINGS, PUSH_OUTCOMES, PUSHES, STATES, TRAFFIC
from homing.i18n.phrases import Phrase, english
from homing.i18n.reasons import reason_phrase
from homing.ledger.account_statement import read_message_postings
from homing.messages.route_choice import read_choice, route_phrases, route_reasons
from homing.model import CURRENCY, Outcome, PushOutcome
from homing.reasons import Reason, decode_reason, plain_reason
from homing.states import TABLE, MessageState
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.ledger import PostingRow
from homing.store.statements.timeline import (
    TimelineAttempt,
    TimelineConversion,
    TimelineMessage,
    TimelinePart,
    TimelinePush,
    TimelinePushAttempt,
    TimelineQueue,
    TimelineReceipt,
)
from homing.text.numbers import UNKNOWN
from homing.text.segments import TextEncoding

NOTES: Final[Mapping[str, Phrase]] = {
    "template": Phrase(", template {value}"),
    "service_type": Phrase(", service type {value}"),
    "pe_id": Phrase(", PE id {value} (DLT)"),
    "template_id": Phrase(", template id {value} (DLT)"),
}
"""Notes about a message's text (`message.notes`), by their names."""


class TimelineEntry(msgspec.Struct, frozen=True):
    """A step of a message: its time, name and text, the latter as phrases that are joined. `is_internal`: not shown to
    customers, as it is about routes, carriers or their prices. `reasons`: those that the text is made from.
    """

    at: datetime
    name: Phrase
    phrases: tuple[Phrase, ...]
    is_internal: bool = False
    reasons: tuple[Reason, ...] = ()

    @property
    def what(self) -> str:
        """The name, in English."""
        return english([self.name])

    @property
    def detail(self) -> str:
        """The text, in English."""
        return english(self.phrases)

    def for_customer(self) -> "TimelineEntry | None":
        """The entry without its internal phrases; None: customers do not see it."""
        phrases = tuple(phrase for phrase in self.phrases if not phrase.is_internal)
        return None if self.is_internal or not phrases else msgspec.structs.replace(self, phrases=phrases)


RECEIPT: Final = Phrase("receipt")


async def find_message(connection: DatabaseConnection, message_id: int) -> TimelineMessage | None:
    """A message's row with the names of its account, app, route and carrier; None when there is none."""
    return await statements.timeline.timeline_message(connection, message_id=message_id)


async def read_timeline(
    connection: DatabaseConnection, message: TimelineMessage, dialects: Dialects
) -> list[TimelineEntry]:
    """The timeline of a message (`find_message`), in the order of time. Pending steps are at the end, with their due
    time.
    """
    account_id, message_id = message.account_id, message.message_id
    postings = await read_message_postings(connection, account_id, message_id, message.submission_id)
    attempts = await statements.timeline.timeline_attempts(connection, account_id=account_id, message_id=message_id)
    receipts = await statements.timeline.timeline_receipts(connection, account_id=account_id, message_id=message_id)
    parts = await statements.timeline.timeline_parts(connection, account_id=account_id, message_id=message_id)
    pushes = await statements.timeline.timeline_pushes(connection, account_id=account_id, message_id=message_id)
    push_attempts = await statements.timeline.timeline_push_attempts(
        connection, account_id=account_id, message_id=message_id
    )
    conversion = await statements.timeline.timeline_conversion(connection, account_id=account_id, message_id=message_id)
    waiting = await statements.timeline.timeline_queue(
        connection, message_id=message.message_id, traffic=message.traffic
    )
    choice = await read_choice(connection, message)
    before_submit = chain(
        _accepted(message, dialects),
        (TimelineEntry(message.submitted_at, name, (phrases,), is_internal=True) for name, phrases in choice),
        _postings(message, postings),
        map(_attempt, attempts),
        _sent(message),
    )
    after_submit = chain(
        map(_receipt, receipts),
        _parts(parts),
        _ended(message, parts),
        (_push(push, dialects) for push in pushes),
        map(_post, push_attempts),
        _converted(conversion, dialects),
        map(_waits, waiting),
        chain.from_iterable(map(_due_push, pushes)),
    )
    # Causes come before effects even if their times do not: the time of a submit is its message ID's, which in a burst
    # is ahead of the clock; a receipt's is the carrier's, which may be of whole minutes and before the submit.
    submitted_at, sent_at = message.submitted_at, message.sent_at or message.submitted_at
    ordered = [(max(moment.at, submitted_at), moment) for moment in before_submit]
    ordered += [(max(moment.at, submitted_at, sent_at), moment) for moment in after_submit]
    return [
        msgspec.structs.replace(moment, at=at) if moment.name is RECEIPT else moment
        for at, moment in sorted(ordered, key=lambda pair: pair[0])
    ]


def _accepted(message: TimelineMessage, dialects: Dialects) -> Iterator[TimelineEntry]:
    """What was decided at accept."""
    at = message.submitted_at
    notes = json.loads(message.notes or "{}")
    yield TimelineEntry(at, Phrase("submitted"), tuple(_submitted(message, dialects)))
    yield TimelineEntry(at, Phrase("number"), tuple(_number(message)))
    replaced = (plain_reason(notes["sender_replaced"]),) if "sender_replaced" in notes else ()
    yield TimelineEntry(at, Phrase("sender ID"), tuple(_sender(message, notes, replaced)), reasons=replaced)
    yield TimelineEntry(at, Phrase("text"), tuple(_text(message, notes)))
    if "guard" in notes:
        monitored = plain_reason(notes["guard"])
        yield TimelineEntry(at, Phrase("guard"), (reason_phrase(monitored),), reasons=(monitored,))
    price = Phrase(
        "{price} per segment × {segments} = {charge} {currency}",
        price=trimmed(message.price_micro),
        segments=message.segments,
        charge=trimmed(message.charge_micro),
        currency=CURRENCY,
    )
    gift = [Phrase(", of which {gift} from the bonus balance", gift=trimmed(message.gift_micro))] * bool(
        message.gift_micro
    )
    yield TimelineEntry(at, Phrase("price"), (price, *gift))
    chosen = route_reasons(notes)
    yield TimelineEntry(
        at, Phrase("route"), (_route(message), *route_phrases(chosen)), is_internal=True, reasons=tuple(chosen)
    )


def _submitted(message: TimelineMessage, dialects: Dialects) -> Iterator[Phrase]:
    app = f"{message.app} ({message.app_id})" if message.app else message.app_id
    yield Phrase(
        "through {dialect}, app {app}, request {request}",
        dialect=dialects.title_of(message.dialect),
        app=app or Phrase("none"),
        request=message.request_id,
    )
    if message.reference is not None:
        yield Phrase(", reference {reference}", reference=message.reference)


def _number(message: TimelineMessage) -> Iterator[Phrase]:
    yield Phrase("{number}, {country}", number=message.number, country=message.country or Phrase("unknown country"))
    network = [code for code in (message.mcc, message.mnc) if code != UNKNOWN]
    if network:
        yield Phrase(", network {network}", network="-".join(network))
    if message.raw_number:
        yield Phrase(", submitted as {written}", written=repr(message.raw_number))


def _sender(message: TimelineMessage, notes: Mapping[str, Any], replaced: Sequence[Reason]) -> Iterator[Phrase]:
    yield Phrase("{sender}", sender=message.sender or Phrase("none"))
    if "sender_asked" in notes:
        yield Phrase(", replaces {asked}", asked=repr(notes["sender_asked"]))
    for reason in replaced:
        yield Phrase(": {why}", why=reason_phrase(reason))


def _text(message: TimelineMessage, notes: Mapping[str, Any]) -> Iterator[Phrase]:
    yield Phrase("{encoding}", encoding=TextEncoding(message.encoding).name)
    if "encoding_asked" in notes:
        yield Phrase(", replaces {asked}, which cannot encode the text", asked=notes["encoding_asked"])
    n = message.segments
    yield Phrase(", 1 segment") if n == 1 else Phrase(", {n} segments", n=n)
    yield Phrase(", {traffic}", traffic=TRAFFIC[message.traffic])
    yield Phrase(", valid until {at}", at=message.expires_at)
    if notes.get("flash"):
        yield Phrase(", flash message")
    for name, value in notes.items():
        if name in NOTES:
            yield NOTES[name].of(value=value)
    parts = notes.get("parts")
    if isinstance(parts, list):
        ids = ", ".join(str(part_id) for part_id, _registered in parts)
        yield Phrase(", received in {n} parts: {ids}", n=len(parts), ids=ids)


def _route(message: TimelineMessage) -> Phrase:
    if message.route_prefix is None:
        return Phrase("route {route}, since removed", route=message.route_id)
    prefix = f"+{message.route_prefix}" if message.route_prefix else ""
    place = prefix or message.route_network or message.route_country
    if not place:
        return Phrase(
            "{carrier}, by route {route} (for all numbers, priority {priority}, weight {weight})",
            carrier=message.route_carrier,
            route=message.route_id,
            priority=message.route_priority,
            weight=message.route_weight,
        )
    return Phrase(
        "{carrier}, by route {route} (for {place}, priority {priority}, weight {weight})",
        carrier=message.route_carrier,
        route=message.route_id,
        place=place,
        priority=message.route_priority,
        weight=message.route_weight,
    )


def _postings(message: TimelineMessage, postings: Sequence[PostingRow]) -> Iterator[TimelineEntry]:
    """A charge is for a whole submission; its entry names the submission when that has other messages too."""
    charges = [posting for posting in postings if posting.submission_id is not None]
    is_shared = sum(charge.amount_micro for charge in charges) > message.charge_micro
    for posting in postings:
        detail = [
            Phrase(
                "{amount} {currency} from {source} to {target}",
                amount=trimmed(posting.amount_micro),
                currency=CURRENCY,
                source=LEDGER_ACCOUNTS[posting.source],
                target=LEDGER_ACCOUNTS[posting.destination],
            )
        ]
        if is_shared and posting in charges:
            detail.append(Phrase(", for the whole submission {submission}", submission=posting.submission_id))
        detail.append(Phrase(" (posting {posting})", posting=posting.posting_id))
        yield TimelineEntry(posting.at, POSTINGS[posting.kind], tuple(detail))


def _attempt(attempt: TimelineAttempt) -> TimelineEntry:
    took_ms = round((attempt.answered_at - attempt.started_at).total_seconds() * 1000)
    if attempt.outcome == Outcome.UNKNOWN:
        phrases = Phrase(
            "submitted to {carrier}, no answer after {n} ms: it may have been sent",
            carrier=attempt.carrier,
            n=took_ms,
        )
    elif attempt.carrier_ref:
        phrases = Phrase(
            "{outcome} by {carrier} as {ref} after {n} ms",
            carrier=attempt.carrier,
            outcome=OUTCOMES[attempt.outcome],
            ref=attempt.carrier_ref,
            n=took_ms,
        )
    else:
        phrases = Phrase(
            "{outcome} by {carrier} after {n} ms",
            carrier=attempt.carrier,
            outcome=OUTCOMES[attempt.outcome],
            n=took_ms,
        )
    name = Phrase("attempt {n}", n=attempt.attempt)
    return TimelineEntry(
        attempt.started_at, name, (phrases, *_error(attempt)), is_internal=True, reasons=_reasons(attempt)
    )


def _receipt(receipt: TimelineReceipt) -> TimelineEntry:
    phrases = [Phrase("{carrier} reports {state}", carrier=receipt.carrier, state=STATES[receipt.state])]
    if receipt.error_code and receipt.state != MessageState.DELIVERED:
        phrases.append(Phrase(": {error}", error=receipt.error_code))
    if not receipt.applied:
        phrases.append(Phrase("; late or duplicate, ignored"))
    if receipt.raw:
        phrases.append(Phrase("; raw: {raw}", raw=receipt.raw))
    return TimelineEntry(receipt.received_at, RECEIPT, tuple(phrases), is_internal=True)


def _sent(message: TimelineMessage) -> Iterator[TimelineEntry]:
    if message.sent_at is not None:
        cost_micro = message.carrier_cost_micro
        phrases = [Phrase("accepted by the carrier")]
        if cost_micro is not None:
            phrases.append(
                Phrase(
                    ", carrier cost {cost} {currency}", cost=trimmed(cost_micro), currency=CURRENCY, is_internal=True
                )
            )
        yield TimelineEntry(message.sent_at, STATES[MessageState.SENT], tuple(phrases))


def _parts(parts: Sequence[TimelinePart]) -> Iterator[TimelineEntry]:
    for part in parts:
        if part.reported_at is not None:
            phrases = Phrase(
                "attempt {attempt}, carrier message ID {ref}: {state}",
                attempt=part.attempt,
                ref=part.carrier_ref,
                state=STATES[part.state],
            )
            error = [Phrase(": {error}", error=part.error_code)] * bool(part.error_code)
            yield TimelineEntry(part.reported_at, Phrase("part {n}", n=part.part), (phrases, *error), is_internal=True)


def _ended(message: TimelineMessage, parts: Sequence[TimelinePart]) -> Iterator[TimelineEntry]:
    state = MessageState(message.state)
    if message.final_at is not None and TABLE[state].final:
        phrases = [Phrase("final"), *_error(message)]
        silent = ", ".join(str(part.part) for part in parts if part.reported_at is None)
        if silent and state is MessageState.DELIVERED:
            phrases.append(Phrase("; no receipt for part {parts}", parts=silent))
        if message.refund_micro:
            back = trimmed(message.refund_micro)
            phrases.append(Phrase("; {amount} {currency} refunded", amount=back, currency=CURRENCY))
        yield TimelineEntry(message.final_at, STATES[state], tuple(phrases), reasons=_reasons(message))


def _push(push: TimelinePush, dialects: Dialects) -> TimelineEntry:
    """A push when it was stored. Its outcome is with its last attempt, or here if it had none."""
    kind = PUSHES[push.kind](dialects.title_of(push.dialect))
    target = without_password(push.url) or Phrase("SMPP session")
    phrases = (
        Phrase("{kind} to {target}", kind=kind, target=target)
        if push.attempts
        else Phrase("{kind} to {target}: {outcome}", kind=kind, target=target, outcome=PUSH_OUTCOMES[push.outcome])
    )
    return TimelineEntry(push.created_at, Phrase("push {id}", id=push.push_id), (phrases,))


def _post(post: TimelinePushAttempt) -> TimelineEntry:
    if post.status is None:
        phrases = Phrase("attempt {n} failed after {ms} ms", n=post.attempt, ms=post.took_ms)
    elif post.is_for_bind:
        phrases = Phrase("attempt {n} answered after {ms} ms", n=post.attempt, ms=post.took_ms)
    else:
        phrases = Phrase(
            "attempt {n} answered with HTTP {status} after {ms} ms", n=post.attempt, status=post.status, ms=post.took_ms
        )
    answer = [Phrase(": {answer}", answer=post.answer)] * bool(post.answer)
    is_last = post.attempt == post.attempts and post.outcome != PushOutcome.PENDING
    outcome = [Phrase("; {outcome}", outcome=PUSH_OUTCOMES[post.outcome])] * is_last
    return TimelineEntry(post.at, Phrase("push {id}", id=post.push_id), (phrases, *answer, *outcome))


def _due_push(push: TimelinePush) -> Iterator[TimelineEntry]:
    if push.due_at is not None:
        phrases = Phrase("attempt {n} is due", n=push.attempts + 1)
        yield TimelineEntry(push.due_at, Phrase("push {id}", id=push.push_id), (phrases,))


def _converted(conversion: TimelineConversion | None, dialects: Dialects) -> Iterator[TimelineEntry]:
    """The conversion reported for this message with the message it is attributed to, and one that was reported for
    another message and is attributed to this one.
    """
    if conversion is None:
        return
    message_id = conversion.message_id
    if conversion.recorded_at is not None and conversion.dialect is not None:
        reported_by = dialects.title_of(conversion.dialect)
        phrases = [Phrase("conversion reported through {dialect}", dialect=reported_by)]
        if conversion.reported_at:
            phrases.append(Phrase(", converted at {at}", at=conversion.reported_at))
        to = conversion.credited_to
        phrases.append(
            Phrase("; attributed to this message")
            if to == message_id
            else Phrase("; attributed to message {message}, which reached this number later", message=to)
        )
        yield TimelineEntry(conversion.recorded_at, Phrase("converted"), tuple(phrases))
    if conversion.credited_at is not None and conversion.credited_by != message_id:
        told_of = Phrase(
            "conversion reported for message {message}; this was the last message to reach the number",
            message=conversion.credited_by,
        )
        yield TimelineEntry(conversion.credited_at, Phrase("attributed"), (told_of,))


def _waits(queued: TimelineQueue) -> TimelineEntry:
    """The queue row: the message waits for its carrier, for the answer to a submit, or in lane 0 for its receipt."""
    if queued.carrier is None:
        phrases = Phrase("expires unless a receipt arrives first")
        return TimelineEntry(queued.due_at, Phrase("due"), (phrases,))
    n = queued.attempts
    tried = Phrase(", 1 attempt so far") if n == 1 else Phrase(", {n} attempts so far", n=n)
    if not queued.claimed_by:
        phrases = Phrase("queued for {carrier} (lane {lane})", carrier=queued.carrier, lane=queued.lane)
        return TimelineEntry(queued.due_at, Phrase("due"), (phrases, tried), is_internal=True)
    phrases = Phrase("being sent through {carrier} (lane {lane})", carrier=queued.carrier, lane=queued.lane)
    claimed = Phrase("; leased by {process} until then", process=queued.claimed_by)
    return TimelineEntry(queued.due_at, Phrase("due"), (phrases, tried, claimed), is_internal=True)


def _error(row: TimelineMessage | TimelineAttempt) -> Iterator[Phrase]:
    words = " ".join(text for text in (row.error_code, row.error_text) if text)
    if words:
        yield Phrase(": {error}", error=words)
    for reason in _reasons(row):
        yield Phrase(": {why}", why=reason_phrase(reason))


def _reasons(row: TimelineMessage | TimelineAttempt) -> tuple[Reason, ...]:
    return () if row.reason is None else (decode_reason(row.reason),)
