"""A message's timeline in the viewer's language and time zone; for customers without internal details."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.console.languages import N_
from homing.console.request_context import RequestContext
from homing.messages.timeline import TimelineEntry
from homing.model import PushOutcome
from homing.states import TABLE, MessageState

STATE_LABELS: Final[dict[int, str]] = {
    MessageState.QUEUED: N_("Queued"),
    MessageState.SENDING: N_("Sending"),
    MessageState.SENT: N_("Sent"),
    MessageState.DELIVERED: N_("Delivered"),
    MessageState.UNDELIVERABLE: N_("Undeliverable"),
    MessageState.EXPIRED: N_("Expired"),
    MessageState.REJECTED: N_("Rejected"),
    MessageState.FAILED: N_("Failed"),
    MessageState.UNKNOWN: N_("Unknown"),
}
OUTCOME_LABELS: Final[dict[int, str]] = {
    PushOutcome.PENDING: N_("Waiting"),
    PushOutcome.ACKNOWLEDGED: N_("Acknowledged"),
    PushOutcome.GIVEN_UP: N_("Push failed"),
    PushOutcome.SUPERSEDED: N_("Replaced by a newer push"),
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
    "attributed": "person",
    "due": "wait",
}
"""By the English title of an entry; the others have a dot."""


class TimelineStep(msgspec.Struct, frozen=True):
    """A timeline entry as text. `after_s`: since the submission."""

    at: datetime
    after_s: float
    title: str
    text: str
    icon: str
    tone: str


def state_tone(state: int) -> str:
    """The tone of a state's tag."""
    if state == MessageState.DELIVERED:
        return "good"
    return "bad" if TABLE[MessageState(state)].final else "blue" if state == MessageState.SENT else ""


def outcome_tone(outcome: int) -> str:
    """Likewise, of a push's outcome."""
    return {PushOutcome.ACKNOWLEDGED: "good", PushOutcome.GIVEN_UP: "bad"}.get(PushOutcome(outcome), "")


def steps(context: RequestContext, entries: Sequence[TimelineEntry], submitted_at: datetime) -> Sequence[TimelineStep]:
    """The entries that this viewer may see, in order."""
    visible: Iterable[TimelineEntry | None] = (
        entries if context.scope is None else (entry.for_customer() for entry in entries)
    )
    return [_step(context, entry, submitted_at) for entry in visible if entry is not None]


def _step(context: RequestContext, entry: TimelineEntry, submitted_at: datetime) -> TimelineStep:
    name = entry.name.text
    state = next((state for state in MessageState if TABLE[state].final and state.name.lower() == name), None)
    return TimelineStep(
        entry.at,
        (entry.at - submitted_at).total_seconds(),
        context.translate_phrases([entry.name]),
        context.translate_phrases(entry.phrases),
        "check" if state is MessageState.DELIVERED else "warn" if state else ICONS.get(name, ""),
        "" if state is None else state_tone(state),
    )
