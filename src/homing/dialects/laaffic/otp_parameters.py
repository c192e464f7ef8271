"""The laaffic dialect's parameters of verification codes (otp contract, sections 1 to 6)."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Final, Literal

import msgspec

from homing import errors
from homing.admin.code_settings import LIMIT_MAX, LIMIT_PERIOD_MAX, NAME_CHARS
from homing.common import ids
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.parameters import Scalar, text_of
from homing.model import SendLimit

Unit = Literal["day", "hour", "minute", "second"]
UNITS: Final[Mapping[int, Unit]] = {1: "day", 2: "hour", 3: "minute", 4: "second"}
UNIT_NUMBERS: Final[Mapping[str, int]] = {unit: number for number, unit in UNITS.items()}

VENDOR_ZONE: Final = timezone(timedelta(hours=8))
"""The contract's times have this offset; they are the same instants."""

ID_PREFIX: Final = "2200"
VERIFICATION_ID: Final = re.compile(rf"{ID_PREFIX}(\d{{16}})", re.ASCII)


class OtpLimit(msgspec.Struct):
    enabled: bool | None = None
    unit: Scalar = None
    period: Scalar = None
    limit: Scalar = None


class OtpApp(msgspec.Struct):
    """`appId`, like `templateId` and `flowId` below: for an update whose path has no ID."""

    appId: Scalar = None
    name: Scalar = None
    codeExpiry: Scalar = None
    periodTotalSendLimit: OtpLimit | None = None
    periodPhoneSendLimit: OtpLimit | None = None


class OtpTemplate(msgspec.Struct):
    templateId: Scalar = None
    appId: Scalar = None
    name: Scalar = None
    text: Scalar = None
    codeType: Scalar = None
    codeLength: Scalar = None
    senderId: Scalar = None
    speechRate: Scalar = None
    language: Scalar = None
    maxDuration: Scalar = None
    repeatCnt: Scalar = None


class OtpFlowStep(msgspec.Struct):
    waitingTime: Scalar = None
    status: Scalar = None
    channel: Scalar = None
    channelCut: Scalar = None


class OtpFlow(msgspec.Struct):
    flowId: Scalar = None
    name: Scalar = None
    flow: list[OtpFlowStep] | None = None


class OtpSend(msgspec.Struct):
    """The body of send, and of sendRule with `code`."""

    appId: Scalar = None
    templateId: Scalar = None
    code: Scalar = None
    to: Scalar = None
    channel: Scalar = None
    flowId: Scalar = None
    orderId: Scalar = None


class OtpResend(msgspec.Struct):
    verificationId: Scalar = None
    channel: Scalar = None


class OtpVerify(msgspec.Struct):
    verificationId: Scalar = None
    code: Scalar = None


class OtpOrder(msgspec.Struct):
    appId: Scalar = None
    orderId: Scalar = None


class OtpRate(msgspec.Struct):
    appId: Scalar = None
    mcc: Scalar = None
    backfillNumber: Scalar = None
    backfillCardinalNumber: Scalar = None
    backfillNow: Scalar = None
    callbackTime: Scalar = None


def is_given(value: Scalar) -> bool:
    return value is not None and value != ""


def bounded_text(value: Scalar, name: str, low: int, high: int) -> str:
    """Text of `low` to `high` characters. Raises `BadShape`, naming the member."""
    text = text_of(value, name)
    if not low <= len(text) <= high:
        raise errors.BadShape(
            f"{name} has {low} to {high} characters" if low else f"{name} has at most {high} characters"
        )
    return text


def name_of(value: Scalar, name: str) -> str:
    """The name of an app, a template or a flow. Raises `BadShape`."""
    text = bounded_text(value, name, *NAME_CHARS)
    if not text.isprintable() or not text.strip():
        raise errors.BadShape(f"{name} holds a character that is not printable")
    return text


def bounded_int(value: Scalar, name: str, low: int, high: int) -> int:
    """A whole number that may come as text. Raises `BadShape`, naming the member."""
    text = text_of(value, name).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        raise errors.BadShape(f"{name} is a whole number of {low} to {high}")
    return int(text)


def app_id_of(value: Scalar) -> str:
    """Raises `BadShape` for what can be no app's ID; whether there is one is another question."""
    return bounded_text(value, "appId", *bounds.APP_ID_CHARS)


def limit_of(given: OtpLimit | None, name: str) -> SendLimit | None:
    """None: disabled. Raises `BadShape`, naming the member."""
    if given is None or not given.enabled:
        return None
    unit = UNITS[bounded_int(given.unit, f"{name}.unit", 1, len(UNITS))]
    period = bounded_int(given.period, f"{name}.period", 1, LIMIT_PERIOD_MAX)
    return SendLimit(unit=unit, period=period, most=bounded_int(given.limit, f"{name}.limit", 1, LIMIT_MAX))


def channel_of(value: Scalar, name: str = "channel") -> str:
    """`sms`, also where nothing is given. Raises `BadShape` for a channel that no carrier serves, naming it."""
    channel = bounded_text(value, name, 0, bounds.OPAQUE_CHARS_MAX).strip().lower() or "sms"
    if channel != "sms":
        shown = channel if channel in ("call", "sna") else repr(channel)
        raise errors.BadShape(f"{name} {shown} is not served; there is sms")
    return channel


def order_of(value: Scalar) -> str:
    return bounded_text(value, "orderId", 0, bounds.ORDER_CHARS_MAX)


def verification_id_of(message_id: int) -> str:
    """The ID of the verification that a message carries: 20 digits, `2200` and the message's ID in sixteen.

    >>> verification_id_of(244268827709760)
    '22000244268827709760'
    """
    return f"{ID_PREFIX}{message_id:016d}"


def message_id_of(verification_id: str) -> int | None:
    """The other way round; None for what was never given out.

    >>> message_id_of("22000244268827709760")
    244268827709760
    """
    match = VERIFICATION_ID.fullmatch(verification_id.strip())
    message_id = 0 if match is None else int(match[1])
    return message_id if 0 < message_id <= ids.ID_MAX else None


def vendor_time(at: datetime | None) -> str | None:
    """ISO-8601 seconds with the vendor's offset."""
    return None if at is None else at.astimezone(VENDOR_ZONE).isoformat(timespec="seconds")
