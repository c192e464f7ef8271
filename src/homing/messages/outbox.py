"""What a state change owes the customer: a report in the form of the dialect that the message came by."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from homing import limits
from homing.dialects.laaffic import form as laaffic_form
from homing.dialects.laaffic.codes import FAILURE_REASONS
from homing.dialects.lia import form as lia_form
from homing.dialects.lia.words import STATE_WORDS
from homing.kit.ids import id_time_ms
from homing.messages import smpp_form
from homing.model import Door, PushKind
from homing.smpp.statuses import INVALID_DESTINATION
from homing.states import TABLE, State
from homing.store.database import Connection, Record
from homing.text.numbers import UNKNOWN

encode: Final = msgspec.json.encode


class Push(msgspec.Struct, frozen=True):
    """A row of the outbox."""

    account_id: int
    message_id: int
    kind: PushKind
    url: str
    body: str

    @property
    def lane(self) -> int:
        return smpp_form.LANE if self.kind in BIND_KINDS else self.account_id % limits.PUSH_LANES


LEASE: Final = timedelta(seconds=limits.PUSH_LEASE_S)
BIND_KINDS: Final = frozenset({PushKind.SMPP_RECEIPT, PushKind.SMPP_INBOUND, PushKind.SMPP_NOTICE})
"""What goes to a customer's bind: `url` is empty."""


class Claimed(msgspec.Struct, frozen=True):
    """A push that a process has claimed until the lease of its row ends. `attempts`: with the one that it now has."""

    account_id: int
    push_id: int
    message_id: int
    kind: int
    url: str
    body: str
    attempts: int
    attempts_replayed: int


class Handover(Protocol):
    """Who posts pushes in this process: takes fresh ones at once, so that nobody has to look for them."""

    def has_room(self, account_id: int, taken: Counter[int]) -> bool:
        """Whether it takes another one of an account's now, beside those that it was promised: how many of whose."""
        ...

    def leased_until(self) -> datetime:
        """Until when what it takes now is its own, by the clock that it claims by."""
        ...

    def serve(self, claimed: Sequence[Claimed]) -> None: ...


class Outbox:
    """Where one transaction puts the pushes that it owes. With somebody in the process who posts them, and has room,
    those that are their message's only one are written as claimed, and handed over once the transaction is committed.
    A message's further pushes wait for their turn: nothing may overtake what was owed before it.
    """

    def __init__(self, handover: Handover | None = None) -> None:
        self._handover = handover
        self._claimed: list[Claimed] = []

    async def add(self, transaction: Connection, pushes: Sequence[Push]) -> None:
        alone = self._within_room([push for push in pushes if push.kind is PushKind.LAAFFIC_REPORT])
        if self._handover and alone:
            rows = await transaction.fetch("pushes_add_claimed", *_columns(alone), self._handover.leased_until())
            ids = {row["message_id"]: row["push_id"] for row in rows}
            self._claimed += [
                Claimed(push.account_id, ids[push.message_id], push.message_id, push.kind, push.url, push.body, 1, 0)
                for push in alone
            ]
        if len(alone) < len(pushes):
            taken = set(map(id, alone))
            await add_pushes(transaction, [push for push in pushes if id(push) not in taken])

    def _within_room(self, pushes: Sequence[Push]) -> Sequence[Push]:
        if self._handover is None:
            return ()
        taken, within = Counter(push.account_id for push in self._claimed), []
        for push in pushes:
            if self._handover.has_room(push.account_id, taken):
                taken[push.account_id] += 1
                within.append(push)
        return within

    def committed(self) -> None:
        """To be called when the transaction is durable, and not otherwise."""
        if self._handover and self._claimed:
            self._handover.serve(self._claimed)


async def add_pushes(transaction: Connection, pushes: Sequence[Push]) -> None:
    """Puts them into the outbox, due at once."""
    await transaction.execute("pushes_add", *_columns(pushes))


def _columns(pushes: Sequence[Push]) -> Sequence[Sequence[int | str]]:
    return (
        [push.account_id for push in pushes],
        [push.lane for push in pushes],
        [push.message_id for push in pushes],
        [int(push.kind) for push in pushes],
        [push.url for push in pushes],
        [push.body for push in pushes],
    )


def pushes_for(message: Record) -> Iterator[Push]:
    """The pushes that a message's new state calls for: lia reports each change, laaffic the end alone, SMPP what the
    submit asked for.
    """
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
    elif message["registered"]:
        yield from _smpp_receipts(message, state)


def is_registered(registered: int, state: State) -> bool:
    """Whether a submit with these bits of registered_delivery is to hear of a state."""
    if not TABLE[state].final:
        return bool(registered & smpp_form.INTERMEDIATE)
    return bool(registered & smpp_form.ALL or (registered & smpp_form.FAILURES and state is not State.DELIVERED))


def _smpp_receipts(message: Record, state: State) -> Iterator[Push]:
    """One for each id that the customer was given: a message that came in parts has one for each of them. Those of one
    submit_multi share the id of its response, which is the submission's.
    """
    parts = json.loads(message["parts"]) if message["parts"] else [(message["submission_id"], message["registered"])]
    reference = message["reference"]
    for given_id, registered in parts:
        if is_registered(registered, state):
            yield receipt_push(
                message["account_id"],
                message["message_id"],
                smpp_form.ReceiptBody(
                    str(given_id),
                    message["number"],
                    message["sender"],
                    state,
                    id_time_ms(given_id) // 1000,
                    int(message["at"].timestamp()),
                    message["error_code"],
                    message["beginning"] or "",
                    int(reference) if reference else None,
                    not TABLE[state].final,
                ),
            )


def receipt_push(account_id: int, message_id: int, receipt: smpp_form.ReceiptBody) -> Push:
    kind = PushKind.SMPP_NOTICE if receipt.is_intermediate else PushKind.SMPP_RECEIPT
    return Push(account_id, message_id, kind, "", encode(receipt).decode())


def lia_report(message: Record, state: State) -> lia_form.Report:
    return lia_form.Report(
        message_id=message["message_id"],
        uid=message["reference"] or "",
        PhoneNumber=message["number"],
        DLRStatus=STATE_WORDS[state],
        SMSID=message["carrier_ref"] or "",
        ClientCost=lia_form.currency_number(message["charge_micro"] - message["refund_micro"]),
        ErrorCode=message["error_code"] or "0",
        ErrorDescription=message["error_text"] or "",
        Remarks="",
    )


WRONG_NUMBER_MCC: Final = "999"


def laaffic_report(message: Record, state: State) -> laaffic_form.Report:
    delivered = state is State.DELIVERED
    is_wrong_number = state is State.REJECTED and message["error_code"] == INVALID_DESTINATION
    return laaffic_form.Report(
        appId=message["app_id"],
        orderId=message["reference"] or "",
        msgid=str(message["message_id"]),
        mobile=message["raw_number"] or message["number"],
        status=0 if delivered else 1,
        reason="0" if delivered else message["error_text"] or message["error_code"] or FAILURE_REASONS[state],
        timestamp=int(message["at"].timestamp() * 1000),
        mcc=WRONG_NUMBER_MCC if is_wrong_number else message["mcc"],
        mnc=UNKNOWN if is_wrong_number else message["mnc"],
        pricedetail=laaffic_form.price_detail(
            message["charge_micro"] - message["refund_micro"], message["segments"], message["price_micro"]
        ),
    )
