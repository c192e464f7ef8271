"""What Homing's own API answers, as typed values. Money is exact, times are UTC, ids are digits in a text.

Members that a newer server adds are ignored.
"""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from homing_clients.errors import Refused


class Status(enum.StrEnum):
    """A message's status. `OTHER`: a word that this client does not know."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    OTHER = ""

    @classmethod
    def _missing_(cls, _value: object) -> "Status":
        return cls.OTHER

    @property
    def is_final(self) -> bool:
        return self not in OPEN


OPEN: Final = (Status.QUEUED, Status.SENDING, Status.SENT, Status.UNKNOWN, Status.OTHER)


class VerificationStatus(enum.StrEnum):
    """`OTHER`: a word that this client does not know. Only `VERIFIED` is success."""

    PENDING = "pending"
    VERIFIED = "verified"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    OTHER = ""

    @classmethod
    def _missing_(cls, _value: object) -> "VerificationStatus":
        return cls.OTHER


class Money(msgspec.Struct, frozen=True):
    amount: Decimal
    currency: str


class MessageFailure(msgspec.Struct, frozen=True):
    """Why a message failed. `code`: the carrier's."""

    text: str = ""
    code: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`price`: what it costs after refunds. `text`: only where a message is read."""

    id: str
    status: Status
    to: str
    segments: int
    price: Money
    created_at: datetime
    sender: str = msgspec.field(name="from", default="")
    text: str = ""
    reference: str = ""
    country: str = ""
    send_at: datetime | None = None
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    error: MessageFailure | None = None


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a message would cost. `encoding`: `gsm7` or `ucs2`."""

    to: str
    segments: int
    encoding: str
    price: Money
    sender: str = msgspec.field(name="from", default="")
    country: str = ""


class BatchItem(msgspec.Struct, frozen=True):
    """One message of many. `sender` "": the account's default."""

    to: str
    text: str
    sender: str = ""
    reference: str = ""


class BatchResult(msgspec.Struct, frozen=True):
    """The result of one of many: `message` (in a dry run `quote`), or `refusal`. `to`: as it was given."""

    to: str
    message: Message | None = None
    quote: Quote | None = None
    refusal: Refused | None = None


class Batch(msgspec.Struct, frozen=True):
    """A result for each message, in their order."""

    accepted: int
    refused: int
    results: tuple[BatchResult, ...]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """`attempts_left`: codes that may still be entered. `messages`: which carried the code, where it is read."""

    id: str
    status: VerificationStatus
    to: str = ""
    reference: str = ""
    attempts_left: int = 0
    created_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    segments: int | None = None
    price: Money | None = None
    messages: tuple[Message, ...] = ()

    @property
    def is_verified(self) -> bool:
        return self.status is VerificationStatus.VERIFIED


class CodeLimit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `messages` within `period` units of time. `unit`: day, hour, minute, second."""

    messages: int
    period: int = 1
    unit: str


class App(msgspec.Struct, frozen=True, kw_only=True):
    """`total_limit`, `number_limit`: codes that it sends in all, and to one number; None: no limit of its own.
    `resend_messages`: how often a likely lost code goes out again by itself; 0: never. `resend_worth`: what a converted
    person is worth.
    """

    id: str
    name: str
    code_expiry_s: int
    resend_messages: int
    resend_worth: Money
    created_at: datetime
    total_limit: CodeLimit | None = None
    number_limit: CodeLimit | None = None


class Conversion(msgspec.Struct, frozen=True):
    """`first`: whether this report was the message's first."""

    message_id: str
    first: bool


class Balance(msgspec.Struct, frozen=True):
    """`available`: the other three together."""

    available: Money
    balance: Money
    gift: Money
    credit: Money


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """`amount`: negative for a deduction. `ledger_account`: `gift` or `balance`."""

    id: str
    at: datetime
    kind: str
    ledger_account: str
    amount: Money
    message_id: str = ""
    submission_id: str = ""
    reason: str = ""


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a person sent. `to`: your sender."""

    id: str
    sender: str = msgspec.field(name="from")
    to: str
    text: str
    received_at: datetime
    app: str = ""
    network: str = ""


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """`possible`: it has the form of a number, and a price. `price`: of one segment."""

    number: str
    possible: bool
    country: str = ""
    calling_code: str = ""
    mcc: str = ""
    mnc: str = ""
    network: str = ""
    price: Money | None = None
