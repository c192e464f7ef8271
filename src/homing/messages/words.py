"""The words of a timeline for what the tables' small integers mean: phrases, by the integers as rows have them."""

from collections.abc import Callable, Mapping
from typing import Final

from homing.messages.phrases import Phrase
from homing.model import Book, EntryKind, Outcome, PushKind, PushOutcome, Traffic
from homing.states import State

STATES: Final[Mapping[int, Phrase]] = {
    State.QUEUED: Phrase("queued"),
    State.SENDING: Phrase("sending"),
    State.SENT: Phrase("sent"),
    State.DELIVERED: Phrase("delivered"),
    State.UNDELIVERABLE: Phrase("undeliverable"),
    State.EXPIRED: Phrase("expired"),
    State.REJECTED: Phrase("rejected"),
    State.FAILED: Phrase("failed"),
    State.UNKNOWN: Phrase("unknown"),
}
TRAFFIC: Final[Mapping[int, Phrase]] = {
    Traffic.TRANSACTIONAL: Phrase("transactional"),
    Traffic.PROMOTIONAL: Phrase("promotional"),
}
BOOKS: Final[Mapping[int, Phrase]] = {
    Book.GIFT: Phrase("gift"),
    Book.BALANCE: Phrase("balance"),
    Book.SALES: Phrase("sales"),
    Book.FUNDING: Phrase("funding"),
    Book.PROMOTION: Phrase("promotion"),
    Book.ADJUSTMENT: Phrase("adjustment"),
}
ENTRIES: Final[Mapping[int, Phrase]] = {
    EntryKind.CHARGE: Phrase("charge"),
    EntryKind.REFUND: Phrase("refund"),
    EntryKind.TOPUP: Phrase("topup"),
    EntryKind.GIFT: Phrase("gift"),
    EntryKind.ADJUSTMENT: Phrase("adjustment"),
}
OUTCOMES: Final[Mapping[int, Phrase]] = {
    Outcome.ACCEPTED: Phrase("accepted"),
    Outcome.REFUSED: Phrase("refused"),
    Outcome.DEFERRED: Phrase("deferred"),
    Outcome.UNKNOWN: Phrase("unknown"),
}
PUSHES: Final[Mapping[int, Callable[[str], Phrase]]] = {
    PushKind.REPORT: lambda dialect: Phrase("{dialect} report", dialect=dialect),
    PushKind.INBOUND: lambda dialect: Phrase("{dialect} inbound", dialect=dialect),
    PushKind.RECEIPT: lambda dialect: Phrase("{dialect} receipt", dialect=dialect),
    PushKind.NOTICE: lambda dialect: Phrase("{dialect} notice", dialect=dialect),
    PushKind.ALERT: lambda _dialect: Phrase("guard alert"),
}
"""By the title of the push's dialect."""
PUSH_OUTCOMES: Final[Mapping[int, Phrase]] = {
    PushOutcome.PENDING: Phrase("pending"),
    PushOutcome.ACKNOWLEDGED: Phrase("acknowledged"),
    PushOutcome.GIVEN_UP: Phrase("given up"),
    PushOutcome.SUPERSEDED: Phrase("superseded"),
}
