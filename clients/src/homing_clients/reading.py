"""Reading what vendors send, tolerantly: JSON or forms, numbers as text and text as numbers, missing as empty."""

import email.utils
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from homing_clients import limits
from homing_clients.call import ClientReply
from homing_clients.errors import BadAnswer, ClientError, HttpRefused, Redirected, TooFrequent, TooLarge

DIGITS_MAX: Final = 20
AMOUNT_CHARS_MAX: Final = 40
FIELDS_MAX: Final = 200
YEARS: Final = range(2000, 2200)
"""A time outside of them says nothing about a message, and some of them no database can keep."""
BOM: Final = b"\xef\xbb\xbf"
COMPRESSED: Final = ("gzip", "x-gzip", "deflate")
DONE_NOTHING: Final = (301, 307, 308)
"""Redirects that ask for the same request elsewhere; after others something may have been done (RFC 9110, 15.4)."""

decoder: Final = msgspec.json.Decoder(float_hook=Decimal)


class Unreadable(ValueError):
    """Not of the contract; the text has the reason."""


class Members:
    """An object's members, by name. Absent, null and empty are alike."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) not in (None, "")

    def text(self, name: str) -> str:
        """A scalar as text; "" when it is not there."""
        value = self._members.get(name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | Decimal):
            return str(value)
        raise Unreadable(f"{name} is no scalar")

    def whole(self, name: str) -> int:
        """0 when it is not there."""
        value = self.text(name).strip()
        if not value:
            return 0
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX):
            raise Unreadable(f"{name} is no whole number")
        return int(value)

    def amount(self, name: str) -> Decimal:
        """Money, exact; 0 when it is not there."""
        value = self.text(name).strip()
        if not value:
            return Decimal(0)
        try:
            amount = Decimal(value) if len(value) <= AMOUNT_CHARS_MAX else None
        except InvalidOperation:
            amount = None
        if amount is None or not amount.is_finite():
            raise Unreadable(f"{name} is no amount")
        return amount

    def time(self, name: str, zone: tzinfo = UTC) -> datetime | None:
        """ISO-8601, in `zone` where it has no offset. None when it is not there or says nothing: a report is worth more
        than its time.
        """
        try:
            at = datetime.fromisoformat(self.text(name).strip().replace(" ", "T", 1))
        except ValueError:
            return None
        if at.year not in YEARS:
            return None
        return at if at.tzinfo else at.replace(tzinfo=zone)

    def object(self, name: str) -> "Members | None":
        value = self._members.get(name)
        return Members(value) if isinstance(value, dict) else None

    def rows(self, name: str) -> Iterator["Members"]:
        """An array of objects. Raises `Unreadable` when it is not there."""
        value = self._members.get(name)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise Unreadable(f"{name} is no array of objects")
        return map(Members, value)


def parse(body: bytes) -> Any:
    """Raises `Unreadable`; its text never quotes the body, in which a vendor may echo a secret."""
    try:
        return decoder.decode(body.removeprefix(BOM))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, InvalidOperation):
        raise Unreadable("no JSON" if body.strip() else "an empty body") from None


def members_of(value: Any) -> Members:
    if not isinstance(value, dict):
        raise Unreadable("no JSON object")
    return Members(value)


def members_of_push(body: bytes) -> Members:
    """A pushed report: JSON, or a form (a query string as well). Raises `Unreadable`."""
    body = body.removeprefix(BOM).strip()
    if body[:1] == b"{" or not body:
        return members_of(parse(body))
    try:  # as octets, which what is percent-encoded is too
        text = body.decode("latin-1")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, encoding="latin-1")
    except ValueError:
        raise Unreadable("neither JSON nor a form") from None
    if not pairs:
        raise Unreadable("neither JSON nor a form")
    return Members({name: letters(value.encode("latin-1")) for name, value in reversed(pairs)})


def letters(octets: bytes) -> str:
    """Decodes UTF-8, or Latin-1 where the octets are not UTF-8, so that no letter is lost."""
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def body_of(reply: ClientReply) -> bytes:
    """The body, decompressed where it says so. Raises `Unreadable`; `TooLarge`: a small body inflates to any size."""
    encoding = reply.headers.get("content-encoding", "").strip().lower()
    if encoding not in COMPRESSED:
        return reply.body
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = inflater.decompress(reply.body, limits.REPLY_BYTES_MAX)
    except zlib.error:
        raise Unreadable(f"not the {encoding} that it says") from None
    if inflater.unconsumed_tail:
        raise TooLarge(f"above {limits.REPLY_BYTES_MAX} bytes", http_status=reply.status, in_doubt=True)
    if not inflater.eof:
        raise Unreadable(f"a {encoding} body that breaks off")
    return plain


def failure_of(reply: ClientReply) -> ClientError:
    """The error of an HTTP status other than 200 whose body has none of the dialect."""
    status = reply.status
    if status == 429:
        return TooFrequent("HTTP 429", http_status=status, retry_after_s=retry_after_s(reply))
    if 400 <= status < 500:
        return HttpRefused(f"HTTP {status}", http_status=status)
    if 300 <= status < 400:
        return Redirected(f"HTTP {status}", http_status=status, in_doubt=status not in DONE_NOTHING)
    return BadAnswer(f"HTTP {status}", http_status=status, retry_after_s=retry_after_s(reply), in_doubt=True)


def retry_after_s(reply: ClientReply) -> float | None:
    """Retry-After: seconds or a date (RFC 9110, 10.2.3)."""
    value = reply.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX:
        return float(value)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp())
