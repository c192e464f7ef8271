"""SMPP as the rest of Homing knows it: customers' binds, whose reports are deliver_sm (docs/reference/smpp.md)."""

import json
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

import msgspec

from homing.api.smpp.statuses import STATUSES
from homing.common.crypto import make_secret
from homing.common.ids import id_time_ms
from homing.dialects.base import ChangedMessage, CredentialFormat, Dialect, InboundMessage, NewPush
from homing.messages import smpp_bodies
from homing.model import PushKind
from homing.smpp.receipt_text import STATE_WORDS
from homing.states import TABLE, MessageState

SECRET_SMPP_CHARS_MIN: Final = 8  # what SMPP 3.4 has room for
NUMBER: Final = 4
SYSTEM_ID_CHARS_MAX: Final = 15  # SMPP 3.4, section 4.1.1
PASSWORD_CHARS_MAX: Final = 8
KEY_CHARS: Final = 8

encode: Final = msgspec.json.encode


def make_key() -> str:
    return make_secret(KEY_CHARS)


class SmppDialect(Dialect):
    number = NUMBER
    name = "smpp"
    title = "SMPP"
    credentials = CredentialFormat(
        key_name="system_id",
        secret_name="password",  # noqa: S106 - what SMPP calls it
        make_key=make_key,
        secret_chars_min=SECRET_SMPP_CHARS_MIN,
        key_chars_max=SYSTEM_ID_CHARS_MAX,
        secret_chars_max=PASSWORD_CHARS_MAX,
    )
    states = MappingProxyType({state: word for state, (word, _number) in STATE_WORDS.items()})
    error_codes = STATUSES

    def reports(self, message: ChangedMessage) -> Iterator[NewPush]:
        """One for each id that the customer was given: a message that came in parts has one for each of them. Those of
        one submit_multi share the id of its response, which is the submission's.
        """
        if not message.registered:
            return
        parts = json.loads(message.parts) if message.parts else [(message.submission_id, message.registered)]
        for given_id, registered in parts:
            if is_registered(registered, message.state):
                yield receipt_push(
                    message.account_id,
                    message.message_id,
                    smpp_bodies.ReceiptBody(
                        str(given_id),
                        message.number,
                        message.sender,
                        message.state,
                        id_time_ms(given_id) // 1000,
                        int(message.at.timestamp()),
                        message.error_code,
                        message.beginning or "",
                        int(message.reference) if message.reference else None,
                        not TABLE[message.state].final,
                    ),
                )

    def inbound(self, message: InboundMessage) -> Iterator[NewPush]:
        if message.is_bound:
            form = smpp_bodies.InboundBody(message.number, message.recipient, message.content)
            yield _push(message.account_id, message.inbound_id, PushKind.INBOUND, form)


def is_registered(registered: int, state: MessageState) -> bool:
    """Whether a submit with these bits of registered_delivery is to hear of a state."""
    if not TABLE[state].final:
        return bool(registered & smpp_bodies.INTERMEDIATE)
    return bool(
        registered & smpp_bodies.ALL or (registered & smpp_bodies.FAILURES and state is not MessageState.DELIVERED)
    )


def receipt_push(account_id: int, message_id: int, receipt: smpp_bodies.ReceiptBody) -> NewPush:
    kind = PushKind.NOTICE if receipt.is_intermediate else PushKind.RECEIPT
    return _push(account_id, message_id, kind, receipt)


def _push(account_id: int, message_id: int, kind: PushKind, form: msgspec.Struct) -> NewPush:
    return NewPush(
        account_id=account_id,
        message_id=message_id,
        dialect=NUMBER,
        kind=kind,
        url="",
        body=encode(form).decode(),
    )
