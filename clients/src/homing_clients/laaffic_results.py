"""What the laaffic dialect's calls and pushes tell, as typed values. Money is exact, times know their zone."""

import enum
from datetime import datetime
from decimal import Decimal

import msgspec


class Status(enum.Enum):
    """What became of a message."""

    DELIVERED = "delivered"
    SENDING = "sending"
    FAILED = "failed"


class Message(msgspec.Struct, frozen=True):
    """One group of sendSms/batch: a text and whom it goes to. `order_ids`: your references, as many as numbers."""

    numbers: str | tuple[str, ...]
    text: str
    sender: str = ""
    order_ids: tuple[str, ...] = ()


class Balance(msgspec.Struct, frozen=True):
    """Spendable is gift plus balance plus credit."""

    balance: Decimal
    gift: Decimal
    credit: Decimal


class Sent(msgspec.Struct, frozen=True):
    """What became of one number of a send, the number as given. `message_id` None: the vendor did not accept it, and
    `reason` says why where the vendor does.
    """

    number: str
    order_id: str
    message_id: str | None
    reason: str = ""


class Sending(msgspec.Struct, frozen=True):
    """An accepted send, number by number in the order given. Some of them may be refused."""

    accepted: int
    refused: int
    results: tuple[Sent, ...]


class Price(msgspec.Struct, frozen=True):
    """`paid` for the message, `price` of each of its segments."""

    paid: Decimal
    segments: int
    price: Decimal
    currency: str


class Report(msgspec.Struct, frozen=True):
    """One message of getReport."""

    message_id: str
    number: str
    status: Status
    received_at: datetime | None
    price: Price | None


class Reports(msgspec.Struct, frozen=True):
    """`not_found`: how many of the ids the vendor tells nothing of, because it does not know them or has not begun."""

    delivered: int
    failed: int
    sending: int
    not_found: int
    messages: tuple[Report, ...]


class SentRecord(msgspec.Struct, frozen=True):
    """One finished message of getSentRcd."""

    message_id: str
    number: str
    status: Status
    received_at: datetime | None


class Inbound(msgspec.Struct, frozen=True):
    """A message that a person sent, from `number` to the sender ID. `message_id` is "" in recordMo."""

    message_id: str
    number: str
    sender: str
    text: str
    received_at: datetime | None
    mcc: str
    mnc: str
    operator: str
    price: Price | None


class InboundPage(msgspec.Struct, frozen=True):
    """One page of recordMo, newest first; pages are counted from 1."""

    total: int
    size: int
    page: int
    pages: int
    messages: tuple[Inbound, ...]


class ReportPush(msgspec.Struct, frozen=True):
    """A delivery report as it is pushed. `reason` is "" for a delivered message; `wrong_number`: the vendor says that
    the number is wrong or barred (mcc 999).
    """

    message_id: str
    order_id: str
    app_id: str
    number: str
    status: Status
    reason: str
    reported_at: datetime | None
    mcc: str
    mnc: str
    wrong_number: bool
    price: Price | None


class VerificationSent(msgspec.Struct, frozen=True):
    """A code that is on its way. `verification_id`: what it is checked, and sent again, by."""

    verification_id: str
    number: str
    channel: str


class VerificationCheck(msgspec.Struct, frozen=True):
    """What checking an entered code found. `reason`: why it is not verified, in the vendor's words."""

    verification_id: str
    verified: bool
    reason: str
