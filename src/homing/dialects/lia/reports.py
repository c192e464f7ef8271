"""The lia dialect's delivery report, pushed to a message's callback_url (contract, section 7)."""

from collections.abc import Iterator

import msgspec

from homing.dialects.base import ChangedMessage, NewPush
from homing.dialects.lia.money import currency_number
from homing.dialects.lia.number import NUMBER
from homing.dialects.lia.words import STATE_WORDS
from homing.model import PushKind


class LiaReport(msgspec.Struct):
    """Members in the contract's order; empty strings instead of null."""

    message_id: int
    uid: str
    PhoneNumber: str
    DLRStatus: str
    SMSID: str
    ClientCost: float
    ErrorCode: str
    ErrorDescription: str
    Remarks: str


def reports(message: ChangedMessage) -> Iterator[NewPush]:
    """Each change of state is reported."""
    if message.callback_url:
        yield NewPush(
            account_id=message.account_id,
            message_id=message.message_id,
            dialect=NUMBER,
            kind=PushKind.REPORT,
            url=message.callback_url,
            body=msgspec.json.encode(report_of(message)).decode(),
        )


def report_of(message: ChangedMessage) -> LiaReport:
    return LiaReport(
        message_id=message.message_id,
        uid=message.reference or "",
        PhoneNumber=message.number,
        DLRStatus=STATE_WORDS[message.state],
        SMSID=message.carrier_ref or "",
        ClientCost=currency_number(message.charge_micro - message.refund_micro),
        ErrorCode=message.error_code or "0",
        ErrorDescription=message.error_text,
        Remarks="",
    )
