"""What the lia dialect's calls and pushes tell, as typed values. Money is exact, times are UTC."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from homing_clients.errors import Refused


class Encoding(enum.StrEnum):
    """How a text goes out; `AUTO` leaves it to the text."""

    AUTO = ""
    LATIN = "T"
    UNICODE = "U"
    LATIN_FLASH = "FS"
    UNICODE_FLASH = "UFS"


class Message(msgspec.Struct, frozen=True):
    """What SendSMS sends: a text, or a stored template and up to five variables for it.

    `sender` is one that is registered to the account; `uid` your reference, echoed in reports, no guard against sending
    twice; `callback_url` where reports go; `validity_s` 60 to 172800, None for the longest; `pe_id` and `template_id`
    registration ids of some countries.
    """

    sender: str
    text: str = ""
    transactional: bool = True
    encoding: Encoding = Encoding.AUTO
    uid: str = ""
    callback_url: str = ""
    template: str = ""
    variables: tuple[str, ...] = ()
    validity_s: int | None = None
    pe_id: str = ""
    template_id: str = ""


class Sent(msgspec.Struct, frozen=True):
    """What became of one number of a send. `message_id` None: refused, and `refusal` says why."""

    number: str
    message_id: int | None
    uid: str
    remarks: str
    refusal: Refused | None = None


class Balance(msgspec.Struct, frozen=True):
    amount: Decimal
    currency: str


class Status(enum.StrEnum):
    """The dialect's DLRStatus (contract, section 6)."""

    PENDING = "Pending"
    ACCEPTED = "Accepted"
    ACKNOWLEDGED = "Acknowledged"
    DELIVERED = "Delivered"
    UNDELIVERABLE = "Undeliverable"
    EXPIRED = "Expired"
    REJECTED = "Rejected"
    FAILED = "Failed"
    DND = "DND"
    UNKNOWN = "Unknown"

    @property
    def is_final(self) -> bool:
        return self not in OPEN


OPEN: Final = (Status.PENDING, Status.ACCEPTED, Status.ACKNOWLEDGED, Status.UNKNOWN)


class Delivery(msgspec.Struct, frozen=True):
    """GetDeliveryStatus. `word` is the status as the vendor wrote it; `length` in characters of the text's encoding."""

    message_id: int
    number: str
    text: str
    is_unicode: bool
    length: int
    parts: int
    cost: Decimal
    status: Status
    word: str
    carrier_id: str
    error_code: str
    error_text: str
    sent_at: datetime | None
    remarks: str


class ReportPush(msgspec.Struct, frozen=True):
    """A delivery report as it is posted to a callback_url."""

    message_id: int
    uid: str
    number: str
    status: Status
    word: str
    carrier_id: str
    cost: Decimal
    error_code: str
    error_text: str
    remarks: str
