"""A message's timeline as a viewer reads it: in their language and zone, and for customers without what is inside."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from homing.console.visit import Visit
from homing.console.words import N_
from homing.messages.timeline import Moment
from homing.model import PushOutcome
from homing.states import TABLE, State

STATE_LABELS: Final[dict[int, str]] = {
    State.QUEUED: N_("Queued"),
    State.SENDING: N_("Being sent"),
    State.SENT: N_("Sent"),
    State.DELIVERED: N_("Delivered"),
    State.UNDELIVERABLE: N_("Undeliverable"),
    State.EXPIRED: N_("Expired"),
    State.REJECTED: N_("Rejected"),
    State.FAILED: N_("Failed"),
    State.UNKNOWN: N_("Unknown"),
}
OUTCOME_LABELS: Final[dict[int, str]] = {
    PushOutcome.PENDING: N_("Waiting"),
    PushOutcome.ACKNOWLEDGED: N_("Acknowledged"),
    PushOutcome.GIVEN_UP: N_("Given up"),
    PushOutcome.SUPERSEDED: N_("Superseded"),
}
ICONS: Final = {
    "submitted": "message",
    "guard": "guard",
    "price": "money",
    "charge": "money",
    "refund": "money",
    "route": "route",
    "choice": "route",
    "candidate": "route",
    "draw": "route",
    "attempt {n}": "carrier",
    "sent": "carrier",
    "receipt": "receipt",
    "part {n}": "receipt",
    "push {id}": "push",
    "converted": "person",
    "credited": "person",
    "due": "wait",
}
"""By the English text of what a moment is; the others have a dot."""


class Step(msgspec.Struct, frozen=True):
    """A moment in words. `after`: since the message was submitted, in seconds."""

    at: datetime
    after_s: float
    what: str
    told: str
    icon: str
    tone: str


def state_tone(state: int) -> str:
    """The colour of a state's tag."""
    if state == State.DELIVERED:
        return "good"
    return "bad" if TABLE[State(state)].final else "blue" if state == State.SENT else ""


def outcome_tone(push: Mapping[str, Any]) -> str:
    """Likewise, of a push's outcome."""
    return {PushOutcome.ACKNOWLEDGED: "good", PushOutcome.GIVEN_UP: "bad"}.get(push["outcome"], "")


def steps(visit: Visit, moments: Sequence[Moment], submitted_at: datetime) -> Sequence[Step]:
    """What this viewer may know, in order."""
    seen: Iterable[Moment | None] = moments if visit.scope is None else (moment.outside() for moment in moments)
    return [_step(visit, moment, submitted_at) for moment in seen if moment is not None]


def _step(visit: Visit, moment: Moment, submitted_at: datetime) -> Step:
    name = moment.name.text
    state = next((state for state in State if TABLE[state].final and state.name.lower() == name), None)
    return Step(
        moment.at,
        (moment.at - submitted_at).total_seconds(),
        visit.tell([moment.name]),
        visit.tell(moment.told),
        "check" if state is State.DELIVERED else "warn" if state else ICONS.get(name, ""),
        "" if state is None else state_tone(state),
    )
