"""The nouns: what the tables' small integers mean, and the frozen structs that pass between the parts."""

import enum
from datetime import datetime
from typing import Final

import msgspec

from homing.reasons import Reason


class Traffic(enum.IntEnum):
    """Transactional messages (codes) leave before promotional ones."""

    TRANSACTIONAL = 0
    PROMOTIONAL = 1


class LedgerAccount(enum.IntEnum):
    """The accounts of the ledger. Every customer has one of each; a posting moves an amount from one to another."""

    GIFT = 1
    BALANCE = 2
    SALES = 3
    FUNDING = 4
    PROMOTION = 5
    ADJUSTMENT = 6


class PostingKind(enum.IntEnum):
    """What a posting is made for."""

    CHARGE = 1
    REFUND = 2
    TOPUP = 3
    GIFT = 4
    ADJUSTMENT = 5


class Outcome(enum.IntEnum):
    """How a submit to a carrier ended."""

    ACCEPTED = 1
    REFUSED = 2  # for good: this message will not pass here
    DEFERRED = 3  # it certainly did not go: throttled, queue full, link down; come again later
    UNKNOWN = 4  # it was handed over and the answer never came: it may have gone


class Strategy(enum.IntEnum):
    """How a route's candidates are put in order."""

    PRIORITY = 1  # the lowest priority first, equal ones share by weight
    WEIGHTED = 2  # all share by weight
    LEAST_COST = 3  # the cheapest first; those of unknown cost last
    ADAPTIVE = 4  # shares by what conversions have taught; where nothing is known, as LEAST_COST


class PushKind(enum.IntEnum):
    """What a push tells; its form is its dialect's."""

    REPORT = 1  # a message's state; one of a later state makes it stale
    INBOUND = 3
    RECEIPT = 4  # a final state over SMPP: one for each id that the customer was given, and none is ever stale
    NOTICE = 6  # a state on the way over SMPP; receipts wait for it
    ALERT = 7  # a range that is flagged as SMS pumping; no dialect's


class PushOutcome(enum.IntEnum):
    PENDING = 0
    ACKNOWLEDGED = 1
    GIVEN_UP = 2
    SUPERSEDED = 3  # a later state of the same message made it stale


class PushLane(enum.IntEnum):
    """Lanes of the outbox beside those that the processes post from, which count from 0."""

    BINDS = -1  # what goes to an SMPP customer's binds


class QueueLane(enum.IntEnum):
    """Lanes of the queue beside the carriers' (routing/lanes.py)."""

    AWAITING_RECEIPT = 0  # accepted by a carrier


class GuardAction(enum.IntEnum):
    """What the guard did with a message."""

    PASS = 0
    MONITOR = 1
    BLOCK = 2


class PeriodGrain(enum.IntEnum):
    """How long the periods are that figures are kept for, in minutes."""

    MINUTE = 1
    HOUR = 60
    DAY = 1440


class BindKind(enum.IntEnum):
    """What a customer's bind may do, as SMPP names it: from the customer's side."""

    TRANSMITTER = 1
    RECEIVER = 2
    TRANSCEIVER = 3


class UserRole(enum.IntEnum):
    """What a user of the console may do."""

    OPERATOR = 1  # everything
    SUPPORT = 2  # read everything, send pushes again
    CUSTOMER = 3  # their own account


class App(msgspec.Struct, frozen=True):
    """An SMS application of an account; `*_url` are where its reports and inbound messages are pushed."""

    app_id: str
    name: str
    report_url: str | None
    inbound_url: str | None


class Template(msgspec.Struct, frozen=True):
    """A stored text in which {V1}..{V5} stand for variables."""

    template_id: int
    name: str
    body: str


class Recipient(msgspec.Struct, frozen=True):
    """One number of a submission: as submitted, in E.164 digits, and the customer's reference for it."""

    raw: str
    number: str
    reference: str | None = None


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer asked of a message beside its text, and every carrier that can is to hand on.

    `flash`: message class 0, shown at once and not kept (3GPP TS 23.038, section 4). `pe_id` and `template_id`: the
    sender's and the text's registration in India (DLT), "" for none.
    """

    flash: bool = False
    pe_id: str = ""
    template_id: str = ""

    def noted(self) -> dict[str, object]:
        """Those that are set, as they stand in the message's notes."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}


NO_OPTIONS: Final = Options()
_read_options: Final = msgspec.json.Decoder(Options).decode


def options_of(notes: str | None) -> Options:
    """Of a message's notes as they are stored, a JSON object."""
    return NO_OPTIONS if notes is None else _read_options(notes)


class Outbound(msgspec.Struct, frozen=True):
    """A message as a carrier gets it."""

    account_id: int
    message_id: int
    attempt: int
    number: str
    sender: str
    text: str
    encoding: int
    segments: int
    expires_at: datetime
    traffic: int = Traffic.TRANSACTIONAL
    options: Options = NO_OPTIONS


class Answer(msgspec.Struct, frozen=True):
    """A carrier's answer to one submitted message.

    `carrier_ref` is the carrier's id, set when it accepted; of a message that left in several parts it is the first
    one's, and `part_refs` has the ids of all parts in their order. Why it did not: the carrier's words are the
    `error_text`, and where it said nothing there is a `reason`.
    """

    outcome: Outcome
    carrier_ref: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    part_refs: tuple[str, ...] = ()
    reason: Reason | None = None


class LateAnswer(msgspec.Struct, frozen=True):
    """A carrier accepted an attempt after that was said to have no answer. The ids are as in `Answer`."""

    account_id: int
    message_id: int
    attempt: int
    carrier_ref: str
    part_refs: tuple[str, ...] = ()


class CarrierReceipt(msgspec.Struct, frozen=True):
    """A delivery report as a carrier made it: what it means (`state`), and what it said (`raw`).

    `carrier_ref` as the carrier wrote it in the receipt, which need not be how it wrote it in its answer. `state` may
    be one that is not final (on its way). `number` is the recipient where the receipt names it: it confirms a match.
    """

    carrier_ref: str
    state: int
    received_at: datetime
    error_code: str | None
    raw: str
    number: str | None = None


class CarrierInbound(msgspec.Struct, frozen=True):
    """A message that a person sent: from `number` to one of our sender IDs. `carrier_ref`: the carrier's id of it, by
    which it is known when it is brought twice; "" where there is none.
    """

    number: str
    recipient: str
    content: str
    received_at: datetime
    carrier_ref: str = ""


class Outstanding(msgspec.Struct, frozen=True):
    """A submitted message whose receipt has not come."""

    carrier_ref: str
    number: str
    sender: str
    submitted_at: datetime


CURRENCY: Final = "USD"
GENERAL: Final = 0  # the account_id of settings that hold for every account
