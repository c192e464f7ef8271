"""Labels of the enumerations that are stored as small integers: phrases, by these integers."""

from collections.abc import Callable, Mapping
from typing import Final

from homing.i18n.phrases import Phrase
from homing.model import LedgerAccount, Outcome, PostingKind, PushKind, PushOutcome, Traffic
from homing.states import MessageState

STATES: Final[Mapping[int, Phrase]] = {
    MessageState.QUEUED: Phrase("queued"),
    MessageState.SENDING: Phrase("sending"),
    MessageState.SENT: Phrase("sent"),
    MessageState.DELIVERED: Phrase("delivered"),
    MessageState.UNDELIVERABLE: Phrase("undeliverable"),
    MessageState.EXPIRED: Phrase("expired"),
    MessageState.REJECTED: Phrase("rejected"),
    MessageState.FAILED: Phrase("failed"),
    MessageState.UNKNOWN: Phrase("unknown"),
}
TRAFFIC: Final[Mapping[int, Phrase]] = {
    Traffic.TRANSACTIONAL: Phrase("transactional"),
    Traffic.PROMOTIONAL: Phrase("promotional"),
}
LEDGER_ACCOUNTS: Final[Mapping[int, Phrase]] = {
    LedgerAccount.GIFT: Phrase("bonus balance"),
    LedgerAccount.BALANCE: Phrase("balance"),
    LedgerAccount.SALES: Phrase("sales"),
    LedgerAccount.FUNDING: Phrase("funding"),
    LedgerAccount.PROMOTION: Phrase("promotion"),
    LedgerAccount.ADJUSTMENT: Phrase("adjustment"),
}
POSTINGS: Final[Mapping[int, Phrase]] = {
    PostingKind.CHARGE: Phrase("charge"),
    PostingKind.REFUND: Phrase("refund"),
    PostingKind.TOPUP: Phrase("top-up"),
    PostingKind.GIFT: Phrase("bonus balance"),
    PostingKind.ADJUSTMENT: Phrase("adjustment"),
}
OUTCOMES: Final[Mapping[int, Phrase]] = {
    Outcome.ACCEPTED: Phrase("accepted"),
    Outcome.REFUSED: Phrase("refused"),
    Outcome.DEFERRED: Phrase("deferred"),
    Outcome.UNKNOWN: Phrase("unknown"),
}
PUSHES: Final[Mapping[int, Callable[[str], Phrase]]] = {
    PushKind.REPORT: lambda dialect: Phrase("{dialect} receipt", dialect=dialect),
    PushKind.INBOUND: lambda dialect: Phrase("{dialect} inbound", dialect=dialect),
    PushKind.RECEIPT: lambda dialect: Phrase("{dialect} receipt", dialect=dialect),
    PushKind.NOTICE: lambda dialect: Phrase("{dialect} notification", dialect=dialect),
    PushKind.ALERT: lambda _dialect: Phrase("guard alert"),
    PushKind.EVENT: lambda _dialect: Phrase("event"),
}
"""By the title of the push's dialect."""
PUSH_OUTCOMES: Final[Mapping[int, Phrase]] = {
    PushOutcome.PENDING: Phrase("pending"),
    PushOutcome.ACKNOWLEDGED: Phrase("acknowledged"),
    PushOutcome.GIVEN_UP: Phrase("push failed"),
    PushOutcome.SUPERSEDED: Phrase("superseded"),
}
