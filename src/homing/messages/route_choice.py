"""Why a message took its route: the reasons stored with it and, for an adaptive route, the data behind its shares."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from homing.common.mixing import mix64
from homing.common.money import trimmed
from homing.i18n.phrases import Phrase
from homing.i18n.reasons import reason_phrase
from homing.reasons import Reason, ReasonCode, decode_reason, plain_reason
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.timeline import TimelineMessage

SOURCES: Final[Mapping[str, Phrase]] = {
    "conversions": Phrase("conversions"),
    "repeats": Phrase("people asking again"),
    "receipts": Phrase("receipts"),
    "prior": Phrase("prior"),
}
ChoiceEntry = tuple[Phrase, Phrase]
"""The name and the text of a timeline entry."""


def route_reasons(notes: Mapping[str, Any]) -> Sequence[Reason]:
    """The reasons of its route in a message's notes (routing/selection.py)."""
    stored = notes.get("route", [])
    return [plain_reason(reason) for reason in (stored if isinstance(stored, list) else [stored])]


def route_phrases(reasons: Sequence[Reason]) -> Iterator[Phrase]:
    for reason in reasons:
        yield Phrase("; ")
        yield reason_phrase(reason)


async def read_choice(connection: DatabaseConnection, message: TimelineMessage) -> Sequence[ChoiceEntry]:
    """The candidates of an adaptive route with the data behind their shares, and the draw. Empty for other routes."""
    reasons = route_reasons(json.loads(message.notes or "{}"))
    values = next((reason.values for reason in reasons if reason.code is ReasonCode.ROUTE_SHARES), {})
    name, version, total = Phrase("choice"), values.get("version"), values.get("total")
    if not isinstance(version, int) or not isinstance(total, int):
        return []
    choice = await statements.learning.learn_choice(connection, account_id=message.account_id, version=version)
    if choice is None:
        return [(name, Phrase("the data behind shares version {version} is no longer stored", version=version))]
    names = {row.carrier_id: row.name for row in await statements.timeline.timeline_carriers(connection)}
    basis = json.loads(choice.rests_on)
    candidates = sorted(basis["candidates"], key=lambda candidate: (-candidate["share"], candidate["carrier_id"]))
    reason = reason_phrase(decode_reason(choice.reason))
    entries = [(name, Phrase("shares {version} of {at}: {reason}", version=version, at=choice.made_at, reason=reason))]
    entries += [(Phrase("candidate"), _candidate(candidate, names)) for candidate in candidates]
    entries.append((Phrase("draw"), _draw(message, candidates, total, names)))
    return entries


def _candidate(candidate: Mapping[str, Any], names: Mapping[int, str]) -> Phrase:
    cost_micro = candidate["cost_micro"]
    cost = Phrase("cost unknown") if cost_micro is None else Phrase("{cost} per segment", cost=trimmed(cost_micro))
    delivered = Phrase(", {delivered} delivered", delivered=f"{candidate['delivered'] or 0:.1%}")
    return Phrase(
        "{carrier}: share {share} %, {converted} of {messages} messages converted, rate {mean} ({low} to {high}, by"
        " {source}){delivered}, {cost}{down}",
        carrier=names.get(candidate["carrier_id"], candidate["carrier_id"]),
        share=f"{candidate['share'] / 100:.1f}",
        converted=f"{candidate['conversions']:.0f}",
        messages=f"{candidate['messages']:.0f}",
        mean=f"{candidate['mean']:.1%}",
        low=f"{candidate['low']:.1%}",
        high=f"{candidate['high']:.1%}",
        source=SOURCES.get(candidate["source"], candidate["source"]),
        delivered="" if candidate["delivered"] is None else delivered,
        cost=cost,
        down=Phrase(", down") if candidate["is_down"] else "",
    )


def _draw(
    message: TimelineMessage, candidates: Sequence[Mapping[str, Any]], total: int, names: Mapping[int, str]
) -> Phrase:
    """Repeats the draw of routing/selection.py, which goes through the candidates in the order of their routes."""
    ticket = mix64(message.message_id) % total
    if total != sum(max(1, candidate["share"]) for candidate in candidates):
        return Phrase("{ticket} of {total}, among the candidates available at that time", ticket=ticket, total=total)
    next_ticket = 0
    for candidate in sorted(candidates, key=lambda candidate: candidate["route_id"]):
        first, next_ticket = next_ticket, next_ticket + max(1, candidate["share"])
        if ticket < next_ticket:
            return Phrase(
                "{ticket} of {total}: {carrier} has {first} to {last}",
                ticket=ticket,
                total=total,
                carrier=names.get(candidate["carrier_id"], candidate["carrier_id"]),
                first=first,
                last=next_ticket - 1,
            )
    return Phrase("{ticket} of {total}", ticket=ticket, total=total)
