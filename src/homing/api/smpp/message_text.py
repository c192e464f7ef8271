"""The text of a submit, decoded by its data_coding. Strict: a text that is decoded wrong would be sent and paid for."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from homing.api.smpp.statuses import RequestRejected, VendorStatus
from homing.smpp.data_coding import BYTE_ORDER_MARKS, DATA_CODINGS, GSM7, UCS2
from homing.smpp.statuses import CommandStatus
from homing.text import gsm7
from homing.text.segments import TextEncoding

CONTROL: Final = re.compile(r"[\0\ud800-\udfff]")


class SubmittedText(msgspec.Struct, frozen=True):
    """`encoding` None: chosen by the text. A customer that submits UCS-2 gets and pays UCS-2."""

    text: str
    encoding: TextEncoding | None


def check(octets: bytes, data_coding: int, charset: str = GSM7) -> None:
    """Checks one part by itself: raises `RequestRejected` for the coding, octets that are no septets, and half a
    character. The rest is checked by `decode_parts`. `charset`: what data_coding 0 stands for.
    """
    codec = _codec(data_coding, charset)
    if codec == UCS2:
        if len(octets) % 2:
            raise RequestRejected(CommandStatus.RINVMSGLEN, "half a character of UCS-2")
    elif codec in (GSM7, "ascii") and not octets.isascii():
        raise RequestRejected(VendorStatus.UNSUPPORTED_CONTENT, "an octet above 0x7F")


def decode(octets: bytes, data_coding: int, charset: str = GSM7) -> SubmittedText:
    """As `decode_parts`, for a message in one part."""
    return decode_parts((octets,), data_coding, charset)


def decode_parts(parts: Sequence[bytes], data_coding: int, charset: str = GSM7) -> SubmittedText:
    """The text of a message's parts. They are joined before they are decoded: some senders cut between an escape and
    its character. Zeros at the end of a part are dropped, except in GSM 03.38, where each is an @.

    Raises `RequestRejected` for binary data, octets that are no text in that coding, and characters that cannot be
    shown.
    """
    codec = _codec(data_coding, charset)
    if codec == GSM7:
        try:
            return SubmittedText(gsm7.decode(b"".join(parts)), None)
        except ValueError:
            raise RequestRejected(VendorStatus.UNSUPPORTED_CONTENT, "an octet above 0x7F is no septet") from None
    for part in parts:
        check(part, data_coding, charset)
    if codec == UCS2:
        octets = b"".join(map(_without_mark, parts))
        reads = BYTE_ORDER_MARKS.get(parts[0][:2], UCS2)
    else:
        octets = b"".join(part.rstrip(b"\0") for part in parts)
        reads = codec
    try:
        text = octets.decode(reads)
    except UnicodeDecodeError:
        raise RequestRejected(VendorStatus.UNSUPPORTED_CONTENT, f"no text in data_coding {data_coding}") from None
    if not text:
        raise RequestRejected(CommandStatus.RINVMSGLEN, "no text")
    if CONTROL.search(text):
        raise RequestRejected(VendorStatus.UNSUPPORTED_CONTENT, "a character that cannot be stored")
    return SubmittedText(text, TextEncoding.UCS2 if codec == UCS2 else None)


def _without_mark(part: bytes) -> bytes:
    """UCS-2 without its byte order mark and final zeros."""
    start, end = 2 if part[:2] in BYTE_ORDER_MARKS else 0, len(part)
    while end - 2 >= start and part[end - 2 : end] == b"\0\0":
        end -= 2
    return part[start:end]


def _codec(data_coding: int, charset: str) -> str:
    coding = DATA_CODINGS[data_coding]
    if not coding.is_plain:
        raise RequestRejected(VendorStatus.UNSUPPORTED_CONTENT, f"data_coding {data_coding} is not carried")
    return coding.charset or charset
