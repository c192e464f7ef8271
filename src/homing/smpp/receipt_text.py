"""Delivery receipts in SMPP: Appendix B's text and three TLVs, read in every spelling and written in one.

SMPP 3.4, Appendix B calls its layout a typical example, and carriers vary it: fields are missing, repeated, in any
order and have other names. Where text and TLVs (sections 5.3.2.12, 5.3.2.31, 5.3.2.35) differ, the TLVs count.
"""

import enum
import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.smpp.data_coding import BYTE_ORDER_MARKS
from homing.states import MessageState

RECEIPT_READ_CHARS_MAX: Final = 4_096  # of a receipt's text, looked at for fields
RECEIPT_CLOCK_BEHIND_S_MAX: Final = 172_800.0  # a carrier's date further back than this is nonsense
TYPE_MASK: Final = 0x3C  # esm_class, section 5.2.12: the bits of the message's type
TYPE_RECEIPT: Final = 0x04
TYPE_INTERMEDIATE: Final = 0x20
NETWORK_GSM: Final = 3  # section 5.3.2.31
NETWORK_DIGITS_MAX: Final = 5
TEXT_CHARS: Final = 20
ERROR_CHARS: Final = 3
DATE_CHARS_MAX: Final = 40
UTF_16: Final = ([True, False, True, False], [False, True, False, True])
"""Which of the first four octets of ASCII in UTF-16 are zero, in either order. One zero alone is only in front."""
CLOCK_BEHIND_MAX: Final = timedelta(seconds=RECEIPT_CLOCK_BEHIND_S_MAX)
CLOCK_AHEAD_MAX: Final = timedelta(seconds=limits.RECEIPT_CLOCK_AHEAD_S_MAX)
NO_TIME: Final = timedelta(0)

SPECIFIED: Final = re.compile(
    r"id:([^\s\"'<>(){}\[\]]{1,65}) sub:(\d{1,3}) dlvrd:(\d{1,3}) submit date:(\d{10,14}) done date:(\d{10,14})"
    r" stat:([A-Z]{1,13}) err:(\w{1,10})(?: text:(.*))?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
"""The specified layout, which most receipts have: parsing it costs a third of searching for fields."""
SPECIFIED_FIELDS: Final = ("id", "sub", "dlvrd", "submitted", "done", "stat", "err", "text")

LABEL: Final = re.compile(
    r"""(?<![A-Za-z0-9_:=./@+-])["']?
        (submit[\s_-]{0,3}(?:date|time)|done[\s_-]{0,3}(?:date|time)|(?:message|msg)?[ _-]?id|sub|dlvrd|stat(?:us|e)?
        |err(?:or)?(?:[ _-]?code)?|text)["']?[ ]{0,2}[:=]
      | (?<=[0-9])(submit[ _-]?date|done[ _-]?date|stat|err|text):
      | (?:^|(?<=[\s,;|&{]))["']?[a-z][a-z0-9_-]{0,23}["']?[ ]{0,2}[:=]""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
"""The beginning of a field: a known one, one without the space before it, one of the carrier's own."""

FIELDS: Final[Mapping[str, str]] = {
    "id": "id",
    "msgid": "id",
    "messageid": "id",
    "sub": "sub",
    "dlvrd": "dlvrd",
    "submitdate": "submitted",
    "submittime": "submitted",
    "donedate": "done",
    "donetime": "done",
    "stat": "stat",
    "status": "stat",
    "state": "stat",
    "err": "err",
    "error": "err",
    "errcode": "err",
    "errorcode": "err",
    "text": "text",
}
"""Our field of each label; labels without spaces, dashes and underscores."""
BETWEEN: Final = str.maketrans("", "", " \t\r\n_-")

WRAPPING: Final = " \t\r\n\0\"'{}[]()<>,;|&"
NO_ASCII: Final = re.compile(r"[^ -~]")
ZERO: Final = re.compile(r"(?:0x)?0*", re.IGNORECASE)
ABSOLUTE: Final = re.compile(r"(\d{12})\d(\d\d)([+-])")  # section 7.1.1: tenths, quarters of an hour from UTC

MESSAGE_STATES: Final[Mapping[int, MessageState | None]] = {
    0: None,  # SCHEDULED
    1: None,  # ENROUTE
    2: MessageState.DELIVERED,
    3: MessageState.EXPIRED,
    4: MessageState.UNDELIVERABLE,  # DELETED
    5: MessageState.UNDELIVERABLE,
    6: None,  # ACCEPTED
    7: MessageState.UNKNOWN,
    8: MessageState.REJECTED,
    9: MessageState.FAILED,  # SKIPPED
}
"""message_state: SMPP 3.4, section 5.2.28; 0 and 9 are of SMPP 5.0. A state in the text counts more than 0, which
carriers write for none. ACCEPTED is final in the specification (customer service has read the message to the
subscriber); in practice carriers use it when they accept one."""

WORDS: Final[Mapping[str, MessageState]] = {
    word: state
    for state, words in (
        (
            MessageState.DELIVERED,
            "DELIVRD DELIVERED DELIVERD DELIVRED DELIV DLVRD DELVRD DELIVEREDTOTERMINAL DELIVEREDTOHANDSET"
            " DELIVEREDTODEVICE DELIVERYSUCCESS DELIVERYSUCCESSFUL DELIVEREDSUCCESSFULLY SUCCESSFULLYDELIVERED"
            " SUCCESS SUCCESSFUL",
        ),
        (
            MessageState.UNDELIVERABLE,
            "UNDELIV UNDELIVERABLE UNDELIVERED UNDELIVRD UNDELIVERD UNDELIVERY UNDLVRD UNDLV UNDELVRD NOTDELIV"
            " NOTDELIVRD NOTDELIVERED NOTDELIVERABLE NONDELIV NONDELIVERED NONDELIVERABLE NONDELIVERY DELETED DELETE"
            " DELIVERYIMPOSSIBLE DELIVERYFAILED DELIVERYFAILURE DELIVERYFAIL DELIVERFAILED DELIVFAILED DELIVFAIL"
            " DELIVERYERROR FAILEDTODELIVER",
        ),
        (MessageState.EXPIRED, "EXPIRED EXPIRD EXPIRE EXPIRY DELIVERYEXPIRED"),
        (MessageState.REJECTED, "REJECTD REJECTED REJECTE REJECT REJCTED REJD REJ DELIVERYREJECTED"),
        (MessageState.FAILED, "FAILED FAIL FAILURE SKIPPED SKIPED SKIP"),
        (MessageState.UNKNOWN, "UNKNOWN UNKNWN UNKNOW UNKN DELIVERYUNCERTAIN DELIVERYUNKNOWN"),
    )
    for word in words.split()
}
"""The words for final states, letters only: Appendix B's in their known spellings, those of HTTP vendors, and ParlayX's
DeliveryStatus. Every other word (ENROUTE, ACCEPTD, DeliveredToNetwork, an unknown one) is not final."""

APPENDIX_B_WORDS: Final = frozenset({"DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "DELETED"})
"""Recognised also with further words behind them."""
BARE_WORD: Final = re.compile(
    r"(?<![A-Za-z0-9_:=.-])"
    r"((?:NOT[ _-])?(?:(?:UN)?DELIV(?:RD|ERED)?|DLVRD|UNDELIVERABLE|EXPIRED|REJECT(?:ED|D)|DELETED))"
    r"(?![A-Za-z0-9_:=-]|[ _-]TO[ _-])",
    re.ASCII,
)
"""A state in a receipt without a label."""
QUOTED: Final = re.compile(r"\btext *[:=]", re.ASCII | re.IGNORECASE)

UNDER_WAY: Final = frozenset({"ENROUTE", "ACCEPTD"})

STATE_WORDS: Final[Mapping[MessageState, tuple[str, int]]] = {
    MessageState.QUEUED: ("ACCEPTD", 6),
    MessageState.SENDING: ("ENROUTE", 1),
    MessageState.SENT: ("ENROUTE", 1),
    MessageState.DELIVERED: ("DELIVRD", 2),
    MessageState.UNDELIVERABLE: ("UNDELIV", 5),
    MessageState.EXPIRED: ("EXPIRED", 3),
    MessageState.REJECTED: ("REJECTD", 8),
    MessageState.FAILED: ("UNDELIV", 5),  # SMPP has no word for what never left
    MessageState.UNKNOWN: ("UNKNOWN", 7),
}
"""Our states in the receipts that we write: Appendix B's word and message_state."""


class DeliveryKind(enum.Enum):
    """The kind of a deliver_sm or data_sm from a carrier."""

    INBOUND = "inbound"
    RECEIPT = "receipt"
    INTERMEDIATE = "intermediate"


class ReceiptTlvs(msgspec.Struct, frozen=True):
    """The TLVs of a receipt as plain values: 0x001E, 0x0427, and 0x0423's octets."""

    receipted_message_id: str | None = None
    message_state: int | None = None
    network_error_code: bytes | None = None


NO_TLVS: Final = ReceiptTlvs()


class ReceiptText(msgspec.Struct, frozen=True):
    """A receipt that was read. `carrier_ref` is '' where it names no message; `state` is None while the message is on
    its way; `words` is the state as the carrier wrote it; `text` is the quoted beginning of the message.
    """

    carrier_ref: str
    state: MessageState | None
    done_at: datetime
    submitted_at: datetime | None = None
    error_code: str | None = None
    words: str = ""
    text: str = ""


class ComposedReceipt(msgspec.Struct, frozen=True):
    """A receipt that we write: its short_message in ASCII (data_coding 0) and its TLVs."""

    text: bytes
    tlvs: ReceiptTlvs


def kind_of(esm_class: int, text: bytes | str, tlvs: ReceiptTlvs = NO_TLVS, *, registered: bool = True) -> DeliveryKind:
    """The kind of a message from a carrier, by its esm_class (section 5.2.12).

    Some carriers forget the flag. Without it a message counts as a receipt only if receipts were requested and it can
    be nothing else: it has a receipt's TLVs, or Appendix B's text from the first letter, with all fields in order and a
    known state. A text that merely contains `id:` is an inbound message.
    """
    kind = esm_class & TYPE_MASK
    if kind == TYPE_RECEIPT:
        return DeliveryKind.RECEIPT
    if kind == TYPE_INTERMEDIATE:
        return DeliveryKind.INTERMEDIATE
    if kind or not registered:
        return DeliveryKind.INBOUND
    if tlvs.receipted_message_id and tlvs.message_state is not None:
        return DeliveryKind.RECEIPT
    match = SPECIFIED.match(readable(text))
    known = match and (_state(match[6]) or match[6].upper() in UNDER_WAY)
    return DeliveryKind.RECEIPT if known else DeliveryKind.INBOUND


def parse(
    text: bytes | str,
    tlvs: ReceiptTlvs = NO_TLVS,
    *,
    arrived_at: datetime,
    intermediate: bool = False,
    utc_offset: timedelta = NO_TIME,
) -> ReceiptText:
    """Reads a receipt of any shape; never raises.

    `done_at` is `arrived_at` where there is no date or an impossible one (over two days old, or in the future);
    `utc_offset`: of the carrier's clock. In an `intermediate` notification only delivery is final: a message that it
    calls undeliverable is tried again.
    """
    characters = readable(text)
    fields = _fields(characters)
    words = (fields.get("stat", "") or _bare_word(characters))[: limits.RECEIPT_STATUS_CHARS_MAX]
    error = _error(tlvs.network_error_code, fields.get("err", ""))
    state = _outcome(tlvs.message_state, words, fields, error)
    if intermediate and state is not MessageState.DELIVERED:
        state = None
    return ReceiptText(
        _reference(tlvs.receipted_message_id, fields.get("id", "")),
        state,
        _past(_date(fields.get("done", ""), arrived_at, utc_offset), arrived_at) or arrived_at,
        _date(fields.get("submitted", ""), arrived_at, utc_offset),
        error,
        words,
        fields.get("text", ""),
    )


def compose(
    carrier_ref: str,
    state: MessageState,
    *,
    submitted_at: datetime,
    done_at: datetime,
    error_code: str | None = None,
    text: str = "",
    parts: int = 1,
) -> ComposedReceipt:
    """Appendix B's exact layout: ten-digit dates in UTC, three characters of error, twenty of text.

    Characters beyond ASCII become question marks, so that every peer can read the text whatever its default alphabet
    is. An error code that does not fit its field is 999 there and, if it is a number, whole in network_error_code.
    """
    word, number = STATE_WORDS[state]
    delivered = parts if state is MessageState.DELIVERED else 0
    error = (error_code or "").strip() or "0"
    fits = len(error) <= ERROR_CHARS and error.isascii() and error.isalnum()
    short = error.rjust(ERROR_CHARS, "0") if fits else "999"
    quoted = NO_ASCII.sub("?", text[:TEXT_CHARS])
    line = (
        f"id:{carrier_ref} sub:{parts:03d} dlvrd:{delivered:03d} submit date:{_ten_digits(submitted_at)}"
        f" done date:{_ten_digits(done_at)} stat:{word} err:{short} text:{quoted}"
    )
    code = int(error) if len(error) <= NETWORK_DIGITS_MAX and error.isascii() and error.isdigit() else 0
    network = bytes([NETWORK_GSM]) + code.to_bytes(2, "big") if 0 < code < 1 << 16 else None
    return ComposedReceipt(line.encode("ascii", "replace"), ReceiptTlvs(carrier_ref, number, network))


def _ten_digits(at: datetime) -> str:
    return _minute(int(at.timestamp()) // 60)


@functools.lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    """YYMMDDhhmm of minutes since 1970."""
    return f"{datetime.fromtimestamp(minutes * 60, UTC):%y%m%d%H%M}"


def readable(text: bytes | str) -> str:
    """A receipt as characters, whatever its data_coding: receipts come in ASCII, Latin-1, GSM 03.38 or UCS-2."""
    if isinstance(text, str):
        return text[:RECEIPT_READ_CHARS_MAX].lstrip("\0")
    if text[:2] == b"\0\0":
        text = b"\0" * (text.lstrip(b"\0")[1:2] == b"\0") + text.lstrip(b"\0")
    if text[:2] in BYTE_ORDER_MARKS or [octet == 0 for octet in text[:4]] in UTF_16:
        order = "utf-16-be" if text[0] in (0, 0xFE) else "utf-16-le"
        return text.decode(order, "replace")[:RECEIPT_READ_CHARS_MAX].lstrip("\ufeff")
    text = text.lstrip(b"\0")
    # 0x11 is GSM 03.38's underscore, which some ids have
    return text[:RECEIPT_READ_CHARS_MAX].decode("latin-1").replace("\x11", "_")


def _fields(text: str) -> dict[str, str]:
    """The first of each known field. `text` runs to the end, whatever it contains; fields behind it count only where
    the receipt begins with it.
    """
    if specified := SPECIFIED.fullmatch(text):
        return dict(zip(SPECIFIED_FIELDS, specified.groups(""), strict=True))
    values: dict[str, str] = {}
    label, begin = "", 0
    for match in LABEL.finditer(text):
        if label and label not in values:
            values[label] = text[begin : match.start()].strip(WRAPPING)
        label = FIELDS.get((match[1] or match[2] or "").lower().translate(BETWEEN), "")
        begin = match.end()
        if label == "text" and label not in values:
            values["text"] = text[begin:]
            if "id" in values or "stat" in values:
                return values
            label = ""
    if label and label not in values:
        value = text[begin:].strip(WRAPPING)
        values[label] = value.partition(" ")[0] if label == "id" else value
    return values


def _reference(tlv: str | None, text: str) -> str:
    """The TLV's octets unchanged: the submit_sm_resp may have the id wrapped the same way."""
    ref = tlv if tlv and tlv.strip(WRAPPING) else text
    return ref[: limits.RECEIPT_REF_CHARS_MAX]


def _outcome(number: int | None, words: str, fields: Mapping[str, str], error: str | None) -> MessageState | None:
    if number is not None and number in MESSAGE_STATES and not (number == 0 and words):
        return MESSAGE_STATES[number]
    if words:
        return _state(words)
    submitted, delivered = _count(fields.get("sub", "")), _count(fields.get("dlvrd", ""))
    if delivered:
        return MessageState.DELIVERED if delivered >= submitted else None
    return MessageState.UNDELIVERABLE if error and "dlvrd" in fields else None


@functools.lru_cache(maxsize=256)
def _state(words: str) -> MessageState | None:
    if words.isascii() and words.isdigit():
        return MESSAGE_STATES.get(int(words[:4]))
    letters = re.sub(r"[^A-Z]", "", words.upper())
    first, _space, behind = words.strip().upper().partition(" ")
    if first in APPENDIX_B_WORDS and not behind.startswith("TO "):
        return WORDS[first]
    return WORDS.get(letters)


def _bare_word(text: str) -> str:
    """The state without a label before the quoted text; '' where there is none, or several."""
    text = QUOTED.split(text, 1)[0]
    words = {match[1] for match in BARE_WORD.finditer(text)}
    return words.pop() if len(words) == 1 else ""


def _error(tlv: bytes | None, text: str) -> str | None:
    """None where the code means no error."""
    code = int.from_bytes(tlv[-2:], "big") if tlv else 0
    if code:
        return f"{code:03d}"
    return None if ZERO.fullmatch(text) else text[: limits.RECEIPT_STATUS_CHARS_MAX]


def _count(digits: str) -> int:
    return int(digits[:6]) if digits.isascii() and digits.isdigit() else 0


def _past(at: datetime | None, arrived_at: datetime) -> datetime | None:
    """The date, if it is plausible for a receipt that arrived then."""
    if at is None:
        return None
    return at if -CLOCK_AHEAD_MAX <= arrived_at - at <= CLOCK_BEHIND_MAX else None


def _date(written: str, arrived_at: datetime, utc_offset: timedelta) -> datetime | None:
    """The reading of the digits that is nearest to when the receipt came; None when there is none."""
    if not written or len(written) > DATE_CHARS_MAX:
        return None
    readings = _readings(written, utc_offset)
    return min(readings, key=lambda at: abs(arrived_at - at)) if len(readings) > 1 else next(iter(readings), None)


@functools.lru_cache(maxsize=4096)
def _readings(written: str, utc_offset: timedelta) -> tuple[datetime, ...]:
    """Cached: receipts of the same minute have the same dates."""
    if absolute := ABSOLUTE.fullmatch(written):
        quarters = timedelta(minutes=15 * int(absolute[2]))
        readings = [_moment(f"20{absolute[1]}", quarters if absolute[3] == "+" else -quarters)]
    else:
        digits = re.sub(r"[^0-9]", "", written)
        readings = {
            10: lambda: [_moment(f"20{digits}", utc_offset), _epoch(digits, 1)],
            12: lambda: [_moment(f"20{digits}", utc_offset), _moment(digits, utc_offset)],
            13: lambda: [_epoch(digits, 1_000)],
            14: lambda: [_moment(digits, utc_offset)],
            17: lambda: [_moment(digits, utc_offset)],  # with milliseconds
        }.get(len(digits), list)()
    return tuple(at for at in readings if at is not None)


def _moment(digits: str, utc_offset: timedelta) -> datetime | None:
    """YYYYMMDDhhmm and, if they are there, seconds."""
    year, month, day, hour, minute, second = (
        int(digits[:4]),
        int(digits[4:6]),
        int(digits[6:8]),
        int(digits[8:10]),
        int(digits[10:12]),
        int(digits[12:14] or "0"),
    )
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC) - utc_offset
    except (ValueError, OverflowError):
        return None


def _epoch(digits: str, units_per_s: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(digits) / units_per_s, UTC)
    except (ValueError, OverflowError, OSError):
        return None
