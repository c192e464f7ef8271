"""A call of Homing's own API, and how its body, its query and its numbers are read."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, UnsetType

from homing.accounts.profile import Profile
from homing.api.http.abnormal_numbers import number_refusal
from homing.api.http.wire import BYTE_ORDER_MARK, HttpRequest
from homing.audit import act_as
from homing.dialects.v1 import bounds
from homing.dialects.v1.bodies import EndUser, NoBody
from homing.dialects.v1.problems import CODES, MemberError, V1Refusal, wrong_member
from homing.guard.end_users import AddressHasher, EndUserAddress, read_address
from homing.model import App, Recipient
from homing.store.database import DatabaseConnection
from homing.text.numbers import normalise
from homing.text.segments import has_lone_surrogate

Body = TypeVar("Body")
PLACE: Final = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
UNKNOWN_MEMBER: Final = re.compile(r"unknown field `(.*)`$", re.DOTALL)
MISSING_MEMBER: Final = re.compile(r"missing required field `(.*)`$", re.DOTALL)
TOO_LONG_TEXT: Final = re.compile(rf"Expected `str` of length <= {bounds.TEXT_CHARS_MAX}")
IDEMPOTENCY_KEY: Final = re.compile(rf"[\x20-\x7e]{{1,{bounds.IDEMPOTENCY_KEY_CHARS_MAX}}}")
NATIONAL_ZERO: Final = "(0)"  # +44 (0)7700: dialled inside the country alone
PUNCTUATION: Final = str.maketrans("", "", "-().\N{NO-BREAK SPACE}\N{NON-BREAKING HYPHEN}\N{EN DASH}")
DIGITS_MAX: Final = 16


class V1Call(msgspec.Struct, kw_only=True):
    """An authenticated call. `target`: what stands for `{id}` in its path. `api_key`: who calls. `key`: its
    Idempotency-Key.
    """

    request: HttpRequest
    account: Profile
    api_key: str = ""
    target: str = ""
    key: str | None = None

    @property
    def body(self) -> bytes:
        return self.request.body

    @property
    def digest(self) -> bytes:
        """Of what makes the call this one: its path and its body."""
        return hashlib.sha256(self.request.path.encode() + b"\n" + self.body).digest()


def reader(kind: type[Body]) -> Callable[[bytes], Body]:
    """Reads bodies of a kind. Raises `V1Refusal`: no JSON, or a member that is missing, unknown or wrong."""
    decoder = msgspec.json.Decoder(kind)

    def read(body: bytes) -> Body:
        try:
            return decoder.decode(body.removeprefix(BYTE_ORDER_MARK))
        except msgspec.ValidationError as error:
            raise invalid(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise V1Refusal("malformed_json") from None

    return read


read_nothing: Final = reader(NoBody)


def invalid(description: str) -> V1Refusal:
    """The refusal of a body, from what msgspec says of it: the place stands at the end."""
    match = PLACE.fullmatch(description)
    assert match
    words, place = match[1], match[2] or ""
    pointer = "#" + re.sub(r"\[(\d+)\]", r"/\1", place).replace(".", "/")
    if unknown := UNKNOWN_MEMBER.search(words):
        name = unknown[1]
        return V1Refusal(
            "unknown_member",
            f"{name[:64]} is not known here",
            members=(MemberError(f"{pointer}/{_escaped(name[:64])}", "not known"),),
        )
    if missing := MISSING_MEMBER.search(words):
        name = missing[1]
        return V1Refusal(
            "invalid_request", f"{name} is missing", members=(MemberError(f"{pointer}/{name}", "missing"),)
        )
    if TOO_LONG_TEXT.fullmatch(words) and pointer.endswith("/text"):
        return wrong_member(pointer[2:], f"more than {bounds.TEXT_CHARS_MAX} characters", "text_too_long")
    words = words[:200]
    return V1Refusal("invalid_request", f"{place.lstrip('.')}: {words}", members=(MemberError(pointer, words),))


def _escaped(name: str) -> str:
    """RFC 6901, section 3."""
    return name.replace("~", "~0").replace("/", "~1")


def query_of(call: V1Call, known: frozenset[str]) -> Mapping[str, str]:
    """The query's parameters. Raises `V1Refusal` for one that is not known or comes twice."""
    try:
        pairs = parse_qsl(
            call.request.query, keep_blank_values=True, max_num_fields=bounds.QUERY_PARAMETERS_MAX, errors="strict"
        )
    except ValueError:
        raise V1Refusal("invalid_request", "the query cannot be read") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise V1Refusal(
                "unknown_member", f"{name[:64]!r} is not known here", members=(MemberError(name[:64], "not known"),)
            )
        if name in values:
            raise wrong_parameter(name, "given twice")
        values[name] = value
    return values


def wrong_parameter(name: str, detail: str) -> V1Refusal:
    return V1Refusal("invalid_request", f"{name}: {detail}", members=(MemberError(name, detail),))


def idempotency_key(request: HttpRequest) -> str | None:
    """Raises `V1Refusal` for one that cannot be a key."""
    if "idempotency-key" not in request.headers:
        return None
    key = request.headers.get("idempotency-key")
    if key is None or not IDEMPOTENCY_KEY.fullmatch(key):
        raise V1Refusal(
            "invalid_request",
            f"Idempotency-Key has 1 to {bounds.IDEMPOTENCY_KEY_CHARS_MAX} ASCII characters",
            members=(MemberError("Idempotency-Key", "not valid"),),
        )
    return key


def number_of(raw: str, name: str) -> str:
    """The digits of a number in any usual form. Raises `V1Refusal` with the member's name."""
    plain = raw.replace(NATIONAL_ZERO, "").translate(PUNCTUATION)
    number = normalise(plain)
    if number is None:
        code = CODES.of(number_refusal(plain))
        detail = "it lacks its country code" if code == "number_national" else "it is not a phone number"
        raise wrong_member(name, detail, code)
    return number


def storable(value: str, name: str) -> str:
    """Raises `V1Refusal` for a text with NUL or with half a surrogate pair, which nothing can keep or send."""
    if "\0" in value or has_lone_surrogate(value):
        raise wrong_member(name, "it has a character that is none")
    return value


def recipient_of(to: str, reference: str | None, place: str = "") -> Recipient:
    """`place`: what stands before the members' names, such as `messages/3/`."""
    number = number_of(to, f"{place}to")
    return Recipient(storable(to, f"{place}to"), number, reference and storable(reference, f"{place}reference"))


def sender_of(account: Profile, given: str | None, place: str = "") -> str:
    """The account's registered sender, or its default where none was given."""
    if given is None:
        return account.default_sender or ""
    sender = account.registered(given)
    if sender is None:
        raise wrong_member(f"{place}from", "it is not registered to the account", "sender_not_registered")
    return sender


def app_of(account: Profile, given: str | None) -> App | None:
    """The app that was given, or the account's first; None where it has none."""
    if given is None:
        return account.default_app
    app = account.apps.get(given)
    if app is None:
        raise wrong_member("app", "the account has no such app", "app_unknown")
    return app


def id_of(text: str) -> int | None:
    """Digits, else None: what it stands for is not there."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX else None


def time_parameter(values: Mapping[str, str], name: str) -> datetime | None:
    """RFC 3339 with an offset."""
    if name not in values:
        return None
    try:
        at = msgspec.convert(values[name].replace(" ", "+"), datetime, strict=False)
    except msgspec.ValidationError:
        raise wrong_parameter(name, "not a time as RFC 3339 writes it") from None
    if at.tzinfo is None:
        raise wrong_parameter(name, "its offset is missing (Z, +08:00)")
    return at.astimezone(UTC)


def cursor_parameter(values: Mapping[str, str]) -> int | None:
    if "cursor" not in values:
        return None
    cursor = id_of(values["cursor"])
    if cursor is None:
        raise wrong_parameter("cursor", "not a next_cursor of this list")
    return cursor


def rows_parameter(values: Mapping[str, str]) -> int:
    if "limit" not in values:
        return bounds.PAGE_ROWS_DEFAULT
    rows = id_of(values["limit"])
    if rows is None or not 1 <= rows <= bounds.PAGE_ROWS_MAX:
        raise wrong_parameter("limit", f"1 to {bounds.PAGE_ROWS_MAX}")
    return rows


async def act(transaction: DatabaseConnection, call: V1Call) -> None:
    """The audit log has what a transaction changes under the caller's key."""
    await act_as(transaction, f"api:{call.api_key}", call.request.call.find_address())


def end_user_of(addresses: AddressHasher, account: Profile, given: EndUser | UnsetType) -> EndUserAddress | None:
    """None where none is given, or one that says nothing of a person: private or reserved. Raises `V1Refusal` for what
    is no address.
    """
    if given is UNSET:
        return None
    if read_address(given.ip) is None:
        raise wrong_member("end_user/ip", "it is no IPv4 or IPv6 address")
    return addresses.of(account.account_id, given.ip)
