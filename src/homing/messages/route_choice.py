"""Why a message took its route: what the choice noted, and for an adaptive route what its shares rested on."""

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
    "receipts": Phrase("receipts"),
    "prior": Phrase("prior"),
}
Choice = tuple[Phrase, Phrase]  # what, and the rest


def route_reasons(notes: Mapping[str, Any]) -> Sequence[Reason]:
    """What a message's notes hold of its route (routing/selection.py)."""
    noted = notes.get("route", [])
    return [plain_reason(one) for one in (noted if isinstance(noted, list) else [noted])]


def route_phrases(reasons: Sequence[Reason]) -> Iterator[Phrase]:
    for reason in reasons:
        yield Phrase("; ")
        yield reason_phrase(reason)


async def read_choice(connection: DatabaseConnection, message: TimelineMessage) -> Sequence[Choice]:
    """What an adaptive route's choice rested on: its candidates, and the draw. Empty for other routes."""
    reasons = route_reasons(json.loads(message.notes or "{}"))
    values = next((reason.values for reason in reasons if reason.code is ReasonCode.ROUTE_SHARES), {})
    name, version, total = Phrase("choice"), values.get("version"), values.get("total")
    if not isinstance(version, int) or not isinstance(total, int):
        return []
    made = await statements.learning.learn_choice(connection, account_id=message.account_id, version=version)
    if made is None:
        return [(name, Phrase("the data behind shares version {version} is no longer stored", version=version))]
    names = {row.carrier_id: row.name for row in await statements.timeline.timeline_carriers(connection)}
    rests_on = json.loads(made.rests_on)
    candidates = sorted(rests_on["candidates"], key=lambda one: (-one["share"], one["carrier_id"]))
    why = reason_phrase(decode_reason(made.reason))
    moments = [(name, Phrase("shares {version} of {at}: {reason}", version=version, at=made.made_at, reason=why))]
    moments += [(Phrase("candidate"), _candidate(one, names)) for one in candidates]
    moments.append((Phrase("draw"), _draw(message, candidates, total, names)))
    return moments


def _candidate(one: Mapping[str, Any], names: Mapping[int, str]) -> Phrase:
    cost_micro = one["cost_micro"]
    cost = Phrase("cost unknown") if cost_micro is None else Phrase("{cost} per segment", cost=trimmed(cost_micro))
    delivered = Phrase(", {delivered} delivered", delivered=f"{one['delivered'] or 0:.1%}")
    return Phrase(
        "{carrier}: share {share} %, {converted} of {messages} messages converted, rate {mean} ({low} to {high}, by"
        " {source}){delivered}, {cost}{down}",
        carrier=names.get(one["carrier_id"], one["carrier_id"]),
        share=f"{one['share'] / 100:.1f}",
        converted=f"{one['conversions']:.0f}",
        messages=f"{one['messages']:.0f}",
        mean=f"{one['mean']:.1%}",
        low=f"{one['low']:.1%}",
        high=f"{one['high']:.1%}",
        source=SOURCES.get(one["source"], one["source"]),
        delivered="" if one["delivered"] is None else delivered,
        cost=cost,
        down=Phrase(", down") if one["is_down"] else "",
    )


def _draw(
    message: TimelineMessage, candidates: Sequence[Mapping[str, Any]], total: int, names: Mapping[int, str]
) -> Phrase:
    """The same draw as in routing/selection.py: through the candidates in the order of their routes."""
    ticket = mix64(message.message_id) % total
    if total != sum(max(1, one["share"]) for one in candidates):
        return Phrase("{ticket} of {total}, among the candidates available at that time", ticket=ticket, total=total)
    below = 0
    for one in sorted(candidates, key=lambda one: one["route_id"]):
        first, below = below, below + max(1, one["share"])
        if ticket < below:
            return Phrase(
                "{ticket} of {total}: {carrier} has {first} to {last}",
                ticket=ticket,
                total=total,
                carrier=names.get(one["carrier_id"], one["carrier_id"]),
                first=first,
                last=below - 1,
            )
    return Phrase("{ticket} of {total}", ticket=ticket, total=total)
