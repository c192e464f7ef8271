"""The lia dialect's delivery report, pushed to a message's callback_url (contract, section 7)."""

import msgspec

from homing.kit.money import MICRO


def currency_number(micro: int) -> float:
    """Money as this dialect's JSON number: the double nearest to the exact amount, which prints as that amount.

    Only ever for the wire: below a billion the shortest form of the nearest double has the exact six decimals.
    """
    return micro / MICRO


class Report(msgspec.Struct):
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
