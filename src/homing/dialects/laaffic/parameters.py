"""The laaffic dialect's parameters: shapes, tolerances and times (contract, sections 1, 4 and 7)."""

import re
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import unquote, unquote_plus

import msgspec

from homing import errors, limits
from homing.api.http.wire import BYTE_ORDER_MARK
from homing.text.segments import has_lone_surrogate

Scalar = str | int | float | None
T = TypeVar("T")

MEMBER: Final = re.compile(r"at `\$\.(.+)`$")
"""Where the decoder says that a value is wrong, such as `array[0].numbers`."""
TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?)(Z|[ +-]\d{2}:?\d{2})", re.ASCII)
EPOCH: Final = re.compile(r"\d{10}|\d{13}", re.ASCII)


class Group(msgspec.Struct):
    """A group of sendSms/batch, and the body of sendSms. Unknown members are ignored, null is absent."""

    appId: Scalar = None
    numbers: Scalar = None
    content: Scalar = None
    senderId: Scalar = None
    orderId: Scalar = None


class Batch(msgspec.Struct):
    appId: Scalar = None
    array: list[Group] | None = None


class Span(msgspec.Struct):
    strTime: Scalar = None
    endTime: Scalar = None


class RecordMo(msgspec.Struct):
    appId: Scalar = None
    current: Scalar = None
    size: Scalar = None
    params: Span | None = None


class Backfill(msgspec.Struct):
    appId: Scalar = None
    msgid: Scalar = None
    number: Scalar = None
    time: Scalar = None


def decode(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """A JSON body as its shape; an empty body is an empty object, a byte order mark in front is passed over (RFC 8259,
    section 8.1). Raises `BadShape` for anything else, which names the member.
    """
    plain = body.removeprefix(BYTE_ORDER_MARK)
    try:
        return decoder.decode(plain if plain.strip() else b"{}")
    except msgspec.ValidationError as error:
        member = MEMBER.search(str(error))
        raise errors.BadShape(f"{member[1]} has the wrong type" if member else "the body is no object") from None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise errors.BadShape("the body is not JSON") from None


def from_query(query: str) -> dict[str, str]:
    """The query's parameters; of repeated ones the first. Raises `BadShape` above `HTTP_PARAMETERS_MAX`."""
    if query.count("&") >= limits.HTTP_PARAMETERS_MAX:
        raise errors.BadShape("too many parameters")
    parameters: dict[str, str] = {}
    for pair in query.split("&"):
        name, _equals, value = pair.partition("=")
        parameters.setdefault(unquote_plus(name), unquote_plus(value, errors="surrogateescape"))
    return parameters


def text_of(value: Scalar, name: str) -> str:
    """A scalar as text, absent and null as "". Raises `BadShape` for text that can be neither kept nor sent, naming the
    member.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        if "\0" in value or has_lone_surrogate(value):
            raise errors.BadShape(f"{name} holds a character that cannot be sent")
        return value
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= 1e15:
            raise errors.BadShape(f"{name} is no whole number")
        return str(int(value))
    return str(value)


def time_of(value: str) -> datetime:
    """An ISO-8601 time with offset; encoded twice or not at all is tolerated. Raises `BadTime`."""
    if "%" in value:
        value = unquote(value)
    match = TIME.fullmatch(value.strip())
    if match is None:
        raise errors.BadTime
    day, clock, offset = match.groups()
    offset = "+00:00" if offset == "Z" else offset.replace(" ", "+")
    try:
        return datetime.fromisoformat(f"{day}T{clock}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise errors.BadTime from None


def epoch_of(value: str) -> datetime | None:
    """A time in epoch seconds (10 digits) or milliseconds (13 digits), None when it is neither."""
    if not EPOCH.fullmatch(value):
        return None
    return datetime.fromtimestamp(int(value) / (1 if len(value) == 10 else 1000), UTC)


def decoder(shape: type[T]) -> "msgspec.json.Decoder[T]":
    return msgspec.json.Decoder(shape)


def whole(value: Scalar, default: int, name: str) -> int:
    """A whole number that may come as text. Raises `BadShape`, naming the member."""
    text = text_of(value, name).strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise errors.BadShape(f"{name} is no whole number")
    return int(text)


def split_list(text: str) -> list[str]:
    """A comma list's pieces, empty ones left out, white space around them kept: numbers are echoed byte for byte."""
    return [piece for piece in text.split(",") if piece.strip()]
