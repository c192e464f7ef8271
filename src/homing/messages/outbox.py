"""What a state change owes the customer: a report in the form of the dialect that the message came by."""

from collections.abc import Iterator
from typing import Final

import msgspec

from homing.messages import laaffic_form, lia_form
from homing.model import Door, PushKind
from homing.states import TABLE, State
from homing.store.database import Record
from homing.text.numbers import UNKNOWN

encode: Final = msgspec.json.encode


class Push(msgspec.Struct, frozen=True):
    """A row of the outbox."""

    account_id: int
    message_id: int
    kind: PushKind
    url: str
    body: str


def pushes_for(message: Record) -> Iterator[Push]:
    """The pushes that a message's new state calls for: lia reports each change, laaffic the end alone."""
    state = State(message["state"])
    if message["door"] == Door.LIA and message["callback_url"]:
        yield Push(
            message["account_id"],
            message["message_id"],
            PushKind.LIA_REPORT,
            message["callback_url"],
            encode(lia_report(message, state)).decode(),
        )
    elif message["door"] == Door.LAAFFIC and message["report_url"] and TABLE[state].final:
        yield Push(
            message["account_id"],
            message["message_id"],
            PushKind.LAAFFIC_REPORT,
            message["report_url"],
            encode(laaffic_report(message, state)).decode(),
        )


def lia_report(message: Record, state: State) -> lia_form.Report:
    return lia_form.Report(
        message_id=message["message_id"],
        uid=message["reference"] or "",
        PhoneNumber=message["number"],
        DLRStatus=lia_form.status_word(state),
        SMSID=message["carrier_ref"] or "",
        ClientCost=lia_form.currency_number(message["charge_micro"] - message["refund_micro"]),
        ErrorCode=message["error_code"] or "0",
        ErrorDescription=message["error_text"] or "",
        Remarks="",
    )


INVALID_DESTINATION: Final = "11"
"""SMPP 3.4, section 5.1.3: ESME_RINVDSTADR. Carriers of other kinds word a wrong or barred number so too."""
WRONG_NUMBER_MCC: Final = "999"


def laaffic_report(message: Record, state: State) -> laaffic_form.Report:
    delivered = state is State.DELIVERED
    is_wrong_number = state is State.REJECTED and message["error_code"] == INVALID_DESTINATION
    return laaffic_form.Report(
        appId=message["app_id"],
        orderId=message["reference"],
        msgid=str(message["message_id"]),
        mobile=message["raw_number"] or message["number"],
        status=0 if delivered else 1,
        reason="0" if delivered else message["error_text"] or message["error_code"] or TABLE[state].lia,
        timestamp=int(message["at"].timestamp() * 1000),
        mcc=WRONG_NUMBER_MCC if is_wrong_number else message["mcc"],
        mnc=UNKNOWN if is_wrong_number else message["mnc"],
        pricedetail=laaffic_form.price_detail(
            message["charge_micro"] - message["refund_micro"], message["segments"], message["price_micro"]
        ),
    )
