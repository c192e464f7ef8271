"""Encodes the outbox's rows for binds as deliver_sm: receipts (Appendix B's text, TLVs) and inbound messages."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from homing.messages.smpp_bodies import InboundBody, ReceiptBody
from homing.model import PushKind
from homing.smpp import concatenation, data_coding, receipt_text
from homing.smpp.address_types import Npi, Ton
from homing.smpp.data_coding import GSM7, UCS2
from homing.smpp.pdus import DeliverSm
from homing.smpp.tlvs import (
    MESSAGE_STATE,
    NETWORK_ERROR_CODE,
    RECEIPTED_MESSAGE_ID,
    USER_MESSAGE_REFERENCE,
    Tlvs,
)
from homing.smpp.udh import UDHI
from homing.states import MessageState
from homing.text.numbers import normalise
from homing.text.segments import TextEncoding, choose_encoding, split

ADDRESS_CHARS_MAX: Final = 20  # SMPP 3.4, section 4.6.1

read_receipt: Final = msgspec.json.Decoder(ReceiptBody).decode
read_inbound: Final = msgspec.json.Decoder(InboundBody).decode


def pdus_of(kind: PushKind, body: str, push_id: int, *, with_tlvs: bool, charset: str = GSM7) -> list[DeliverSm]:
    """A row's deliver_sm, in order. `with_tlvs`: the bind's interface version has optional parameters. `charset`: what
    data_coding 0 stands for. Raises ValueError (msgspec's and UnencodablePdu are such) for a body that cannot be
    encoded, such as one that retention has blanked.
    """
    if kind is PushKind.INBOUND:
        return _inbound_pdus(read_inbound(body), push_id, charset)
    return [_receipt_pdu(read_receipt(body), with_tlvs)]


def _receipt_pdu(receipt: ReceiptBody, with_tlvs: bool) -> DeliverSm:
    composed = receipt_text.compose(
        receipt.message_id,
        MessageState(receipt.state),
        submitted_at=datetime.fromtimestamp(receipt.submitted_s, UTC),
        done_at=datetime.fromtimestamp(receipt.done_s, UTC),
        error_code=receipt.error_code,
        text=receipt.beginning,
    )
    kind = receipt_text.TYPE_INTERMEDIATE if receipt.is_intermediate else receipt_text.TYPE_RECEIPT
    tlvs = _tlvs(receipt, composed.tlvs) if with_tlvs else ()
    return _deliver(receipt.number, receipt.sender, kind, 0, composed.text, tlvs)


def _tlvs(receipt: ReceiptBody, composed: receipt_text.ReceiptTlvs) -> Tlvs:
    tlvs = [RECEIPTED_MESSAGE_ID.make(receipt.message_id)]
    if composed.message_state is not None:
        tlvs.append(MESSAGE_STATE.make(composed.message_state))
    if composed.network_error_code is not None:
        tlvs.append(NETWORK_ERROR_CODE.make(composed.network_error_code))
    if receipt.reference is not None:
        tlvs.append(USER_MESSAGE_REFERENCE.make(receipt.reference))
    return tuple(tlvs)


def _inbound_pdus(inbound: InboundBody, push_id: int, charset: str) -> list[DeliverSm]:
    """A long message goes in parts with user data headers, which every client supports."""
    encoding = choose_encoding(inbound.content)
    if encoding is TextEncoding.UCS2 or not _can_encode(inbound.content, charset):
        encoding, charset = TextEncoding.UCS2, UCS2
    texts = split(inbound.content, encoding)
    pdus = []
    for number, text in enumerate(texts, 1):
        header = concatenation.build_header(push_id, len(texts), number) if len(texts) > 1 else b""
        octets = header + data_coding.encode(text, charset)
        esm_class = UDHI if header else 0
        pdus.append(_deliver(inbound.number, inbound.recipient, esm_class, encoding, octets, ()))
    return pdus


def _can_encode(text: str, charset: str) -> bool:
    try:
        data_coding.encode(text, charset)
    except ValueError:
        return False
    return True


def _deliver(source: str, target: str, esm_class: int, data_coding: int, octets: bytes, tlvs: Tlvs) -> DeliverSm:
    source_ton, source_npi, source = _address(source)
    dest_ton, dest_npi, target = _address(target)
    return DeliverSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=target,
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=octets,
        tlvs=tlvs,
    )


def _address(text: str) -> tuple[int, int, str]:
    """Type of number, numbering plan, and the address cut to its field."""
    digits = text.removeprefix("+")
    if normalise(digits) == digits:
        return Ton.INTERNATIONAL, Npi.ISDN, text
    if text.isdigit() and text.isascii():
        return Ton.UNKNOWN, Npi.ISDN, text[:ADDRESS_CHARS_MAX]
    plain = "".join(character if " " <= character <= "~" else "?" for character in text[:ADDRESS_CHARS_MAX])
    return (Ton.ALPHANUMERIC, Npi.UNKNOWN, plain) if plain else (Ton.UNKNOWN, Npi.UNKNOWN, "")
