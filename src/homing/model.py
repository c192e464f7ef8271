"""The domain model: the enumerations behind the tables' small integers, and the structs that rooms exchange."""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

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
    REFUSED = 2  # permanently: this carrier will not take the message
    DEFERRED = 3  # certainly not sent: throttled, queue full, link down; retry later
    UNKNOWN = 4  # submitted, but there was no answer: it may have been sent


class Strategy(enum.IntEnum):
    """How the carriers of a rule are ranked."""

    PRIORITY = 1  # the lowest priority first, equal ones share by weight
    WEIGHTED = 2  # all share by weight
    LEAST_COST = 3  # the cheapest first; those of unknown cost last
    ADAPTIVE = 4  # shares learned from conversions; without data as LEAST_COST


class PushKind(enum.IntEnum):
    """The subject of a push; its format is the dialect's."""

    REPORT = 1  # a message's state; one of a later state makes it stale
    INBOUND = 3
    RECEIPT = 4  # a final state over SMPP: one for each message ID that the customer has, and never stale
    NOTICE = 6  # an intermediate state over SMPP; receipts wait for it
    ALERT = 7  # a range that is flagged as SMS pumping; no dialect's
    EVENT = 8  # an event that no later one makes stale, to a webhook endpoint


EVENT_PREFIX: Final = "evt_"
"""Before an event's id: that is its `webhook-id` as well."""


class EventType(enum.StrEnum):
    """What an event is about, as it is stored and as customers read it."""

    MESSAGE_SENT = "message.sent"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_FAILED = "message.failed"  # every final state but delivered
    MESSAGE_UNKNOWN = "message.unknown"  # no receipt came; one may still
    MESSAGE_INBOUND = "message.inbound"
    VERIFICATION_VERIFIED = "verification.verified"
    VERIFICATION_FAILED = "verification.failed"
    VERIFICATION_EXPIRED = "verification.expired"
    BALANCE_LOW = "balance.low"  # less is left than was spent in the last 24 hours
    QUOTA_WARNING = "quota.warning"  # four fifths of a day's quota are used
    WEBHOOK_DISABLED = "webhook.disabled"


class PushOutcome(enum.IntEnum):
    PENDING = 0
    ACKNOWLEDGED = 1
    GIVEN_UP = 2
    SUPERSEDED = 3  # a later state of the same message made it stale


class PushLane(enum.IntEnum):
    """Lanes of the outbox other than those of pushes over HTTP, which count from 0."""

    BINDS = -1  # deliveries to customers' binds


class QueueLane(enum.IntEnum):
    """Lanes of the queue other than the carriers' (routing/lanes.py)."""

    AWAITING_RECEIPT = 0  # accepted by a carrier


class GuardAction(enum.IntEnum):
    """What the guard did with a message."""

    PASS = 0
    MONITOR = 1
    BLOCK = 2


class PeriodGrain(enum.IntEnum):
    """Length of a period of statistics, in minutes."""

    MINUTE = 1
    HOUR = 60
    DAY = 1440


class BindKind(enum.IntEnum):
    """The kind of a customer's bind, as SMPP names it from the customer's side."""

    TRANSMITTER = 1
    RECEIVER = 2
    TRANSCEIVER = 3


class UserRole(enum.IntEnum):
    """What a user of the console may do."""

    OPERATOR = 1  # everything
    SUPPORT = 2  # read everything, send pushes again
    CUSTOMER = 3  # their own account


CODE_MARK: Final = "##code##"  # in the place of a code
DAY_S: Final = 86_400
UNIT_S: Final = {"day": DAY_S, "hour": 3_600, "minute": 60, "second": 1}


class VerificationStatus(enum.IntEnum):
    """What became of a code. One whose time ran out stays `PENDING`; it is expired by its `expires_at`."""

    PENDING = 0
    VERIFIED = 1
    FAILED = 2  # as many wrong codes as it allows
    CANCELLED = 3


class CheckOutcome(enum.IntEnum):
    """What checking an entered code found."""

    VERIFIED = 0
    WRONG = 1
    EXPIRED = 2
    TOO_MANY_ATTEMPTS = 3
    ALREADY_VERIFIED = 4
    CANCELLED = 5
    UNKNOWN = 6  # the account has no such verification


class ReceiptState(enum.IntEnum):
    """What is known of a message that has left. `LOST`: it failed, or its receipt is negative."""

    NONE = 0
    DELIVERED = 1
    LOST = 2


class CodeAlphabet(enum.IntEnum):
    """What codes are made of."""

    NUMERIC = 1
    ALPHA = 2
    ALPHANUMERIC = 3
    HEX = 4


class LimitScope(enum.IntEnum):
    """What a limit counts, within an account."""

    APP_CODES = 1  # codes that an app sends; 2 was of those to one number
    MESSAGES = 3  # of an app, or of the account ("")
    MONEY = 4  # the same in micro-units


class SendLimit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `most` within `period` units of time. `unit`: day, hour, minute, second."""

    unit: Literal["day", "hour", "minute", "second"]
    period: int
    most: int

    @property
    def period_s(self) -> int:
        return self.period * UNIT_S[self.unit]


class LimitWindow(msgspec.Struct, frozen=True, array_like=True):
    """What was used of a limit in the period that began at `started_ms` (Unix time)."""

    period_s: int
    started_ms: int
    used: int

    @property
    def ends_ms(self) -> int:
        return self.started_ms + self.period_s * 1000


_read_windows: Final = msgspec.json.Decoder(tuple[LimitWindow, ...]).decode


def windows_under_way(stored: str, now_ms: int) -> Mapping[int, LimitWindow]:
    """Of a JSON list of windows those that are not over, by their periods in seconds."""
    return {window.period_s: window for window in _read_windows(stored) if window.ends_ms > now_ms}


class SendQuota(msgspec.Struct, frozen=True, kw_only=True):
    """How much an app or an account may send; None: any amount. A day is 24 hours from the first message."""

    messages_per_s: int | None = None
    messages_per_day: int | None = None
    money_per_day_micro: int | None = None


class CodeTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A text with `CODE_MARK` in place of the code that is made for it.

    `locale`: a language tag (BCP 47); "" for all languages that have no template of this name. `sender`: "" for the
    account's default. `voice`: JSON that a dialect keeps for calls.
    """

    template_id: int
    app_id: str
    name: str
    locale: str
    text: str
    alphabet: CodeAlphabet
    length: int
    sender: str
    voice: str | None = None


class FlowStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a flow: `wait_s` after the step before it, a code that nobody has entered goes out again by `channel`.

    `status` and `channel_cut` are kept as a dialect's customer gave them.
    """

    wait_s: int
    channel: str = "sms"
    status: str | int | None = None
    channel_cut: str | int | bool | None = None


class CodeFlow(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to codes that nobody enters."""

    flow_id: int
    name: str
    steps: tuple[FlowStep, ...]


class App(msgspec.Struct, frozen=True):
    """An SMS application of an account; `*_url` are where its reports and inbound messages are pushed.

    `code_expiry_s`: how long its codes can be entered. `total_limit`, `number_limit`: of the codes that it sends, to
    all numbers and to one. `resend_messages`: how often the platform may send a likely lost code again;
    `resend_worth_micro`: what a converted person is worth then.
    """

    app_id: str
    name: str
    report_url: str | None
    inbound_url: str | None
    code_expiry_s: int = 300
    total_limit: SendLimit | None = None
    number_limit: SendLimit | None = None
    resend_messages: int = 0
    resend_worth_micro: int = 0


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
    """Options of a message that a customer chose; a carrier that supports one must pass it on.

    `flash`: message class 0, shown at once and not stored (3GPP TS 23.038, section 4). `pe_id` and `template_id`: the
    sender's and the text's registration in India (DLT), "" for none.
    """

    flash: bool = False
    pe_id: str = ""
    template_id: str = ""

    def as_notes(self) -> dict[str, object]:
        """Those that are set, as they are stored in the message's notes."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}


NO_OPTIONS: Final = Options()
_read_options: Final = msgspec.json.Decoder(Options).decode


def options_of(notes: str | None) -> Options:
    """The options in a message's notes, a JSON object."""
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

    `carrier_ref` is the carrier's message ID, set when it accepted; of a multipart message it is the first part's, and
    `part_refs` has those of all parts in order. Otherwise `error_text` is the carrier's text, or, where it sent none,
    `reason` is ours.
    """

    outcome: Outcome
    carrier_ref: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    part_refs: tuple[str, ...] = ()
    reason: Reason | None = None


class LateAnswer(msgspec.Struct, frozen=True):
    """A carrier accepted an attempt after that had been recorded as unanswered. IDs as in `Answer`."""

    account_id: int
    message_id: int
    attempt: int
    carrier_ref: str
    part_refs: tuple[str, ...] = ()


class CarrierReceipt(msgspec.Struct, frozen=True):
    """A delivery receipt of a carrier: its meaning (`state`) and its original text (`raw`).

    `carrier_ref`: as written in the receipt, which may differ from the ID in the answer. `state` may be an intermediate
    one. `number` is the recipient if the receipt has it: it confirms a match.
    """

    carrier_ref: str
    state: int
    received_at: datetime
    error_code: str | None
    raw: str
    number: str | None = None


class CarrierInbound(msgspec.Struct, frozen=True):
    """A message that a person sent: from `number` to one of our sender IDs. `carrier_ref`: the carrier's ID of it, by
    which a duplicate is recognised; "" if there is none.
    """

    number: str
    recipient: str
    content: str
    received_at: datetime
    carrier_ref: str = ""


class Outstanding(msgspec.Struct, frozen=True):
    """A submitted message without a receipt."""

    carrier_ref: str
    number: str
    sender: str
    submitted_at: datetime


CURRENCY: Final = "USD"
GENERAL: Final = 0  # the account_id of settings that hold for every account
