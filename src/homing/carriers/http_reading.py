"""Reading other vendors' answers and pushes by rules in settings: where a value stands, and what words mean. Pure."""

import codecs
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec

from homing.states import MessageState
from homing_clients.reading import YEARS, Unreadable, letters, parse

API_REPLY_CHARS_MAX: Final = 65_536  # of a template's reply, looked at by its patterns
STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d{1,6})\]")
PATH: Final = re.compile(r"(?:[^.\[\]]+|\[\d{1,6}\])(?:\.[^.\[\]]+|\[\d{1,6}\])*")
FIELDS_MAX: Final = 200
FIELD_NAME: Final = re.compile(rb'[; ]name="?([^";\r\n]*)', re.IGNORECASE)
EPOCHS: Final = {"epoch": 1.0, "epoch_ms": 1000.0}
ISO: Final = "iso"

StateWord = Literal["sent", "delivered", "undeliverable", "expired", "rejected", "failed", "unknown"]
OutcomeWord = Literal["accepted", "refused", "deferred", "unknown"]


WHOLE: Final = "[]"
"""The path of a list that is the whole of a push."""

CHARSETS: Final = frozenset(
    {
        *("utf-8", "utf-16", "utf-16-be", "utf-16-le", "ascii", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254"),
        *("cp1255", "cp1256", "cp1257", "cp1258", "gb18030", "gbk", "gb2312", "big5", "shift_jis", "euc_jp", "euc_kr"),
        *("koi8-r", "koi8-u", *(f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17)))),
    }
)
"""What a push may be written in, by Python's names: others are no alphabets, or can be made to cost much."""


class ReceivedDocument:
    """What was received: its text, and its members where it is JSON or a form.

    `charset`: one of `CHARSETS`, or '' where nobody tells it: UTF-8 then, and Latin-1 for what is none, so that no
    letter is lost.
    """

    def __init__(self, body: bytes, charset: str = "", boundary: bytes = b"") -> None:
        """`boundary`: of multipart/form-data."""
        self.text = decoded(body, charset)[:API_REPLY_CHARS_MAX]
        self.members = _parts(body, boundary, charset) if boundary else _members(body, charset)


class ValuePath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value stands: `at`, a path like `data.items[0].id` into JSON or a form's field; or `pattern`, a regular
    expression whose first group (or all of it) is the value.
    """

    at: str = ""
    pattern: str = ""

    def __post_init__(self) -> None:
        if bool(self.at) == bool(self.pattern):
            raise ValueError("a value stands either at a path or by a pattern")
        check_place(self.at, self.pattern)

    def find(self, document: ReceivedDocument) -> str | None:
        """The value as text; None when it is not there."""
        if self.pattern:
            match = re.search(self.pattern, document.text)
            return None if match is None else match[1 if match.re.groups else 0]
        return text_of(walk(document.members, self.at))


class AnswerRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an answer means an outcome: all that is given must hold. `status`: one of these HTTP statuses. `at` or
    `pattern`: the value is there and, where `values` are given, is one of them (letter case is free).
    """

    outcome: OutcomeWord
    status: tuple[int, ...] = ()
    at: str = ""
    pattern: str = ""
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.at and self.pattern:
            raise ValueError("a rule has at or pattern")
        if not (self.status or self.at or self.pattern):
            raise ValueError("a rule has a status, at or pattern")
        check_place(self.at, self.pattern)

    def holds(self, status: int, document: ReceivedDocument) -> bool:
        if self.status and status not in self.status:
            return False
        if not self.at and not self.pattern:
            return True
        value = ValuePath(self.at, self.pattern).find(document)
        if value is None or not self.values:
            return value is not None
        return value.strip().lower() in (allowed.lower() for allowed in self.values)


class SendAnswerRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the vendor's answer to a send means: the first rule that holds; and what else it tells."""

    rules: Annotated[tuple[AnswerRule, ...], msgspec.Meta(min_length=1)]
    ref: ValuePath | None = None
    error_code: ValuePath | None = None
    error_text: ValuePath | None = None


class PushAcknowledgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a push is answered once it is stored."""

    status: Annotated[int, msgspec.Meta(ge=200, le=299)] = 200
    body: str = "ok"
    content_type: str = "text/plain"


class TimePath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time: `form` is iso, epoch, epoch_ms, or as of strptime; `zone_hours` where it names no zone."""

    value: ValuePath
    form: str = ISO
    zone_hours: Annotated[float, msgspec.Meta(ge=-12, le=14)] = 0.0

    def find(self, document: ReceivedDocument) -> datetime | None:
        """None when it is not there, or cannot be read: a report is worth more than its time."""
        text = self.value.find(document)
        if not text:
            return None
        try:
            at = self._read(text)
        except (ValueError, OverflowError, OSError):
            return None
        if at.year not in YEARS:
            return None
        return at if at.tzinfo else at.replace(tzinfo=timezone(timedelta(hours=self.zone_hours)))

    def _read(self, text: str) -> datetime:
        if self.form in EPOCHS:
            return datetime.fromtimestamp(float(text) / EPOCHS[self.form], UTC)
        if self.form == ISO:
            return datetime.fromisoformat(text)
        return datetime.strptime(text, self.form)  # noqa: DTZ007 - its zone is the settings'


class ReceiptForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the vendor tells what became of a message. `states`: its words (letter case is free) for ours; `otherwise`
    for any other, without it such a push is refused. `each`: the path of a list, where a push tells of several; `[]`:
    the push is the list.
    """

    ref: ValuePath
    state: ValuePath
    states: dict[str, StateWord]
    otherwise: StateWord | None = None
    error_code: ValuePath | None = None
    number: ValuePath | None = None
    time: TimePath | None = None
    each: str = ""
    answer: PushAcknowledgement = PushAcknowledgement()

    def __post_init__(self) -> None:
        check_each(self.each)

    def state_of(self, word: str) -> MessageState | None:
        states = {name.lower(): state for name, state in self.states.items()}
        state = states.get(word.strip().lower(), self.otherwise)
        return None if state is None else MessageState[state.upper()]


class InboundForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the vendor brings what people send. `ref`: its id of the message, so that one pushed twice is heard once.
    `each`: as of `ReceiptForm`.
    """

    number: ValuePath
    recipient: ValuePath
    text: ValuePath
    ref: ValuePath | None = None
    time: TimePath | None = None
    each: str = ""
    answer: PushAcknowledgement = PushAcknowledgement()

    def __post_init__(self) -> None:
        check_each(self.each)


def check_each(path: str) -> None:
    """Raises ValueError."""
    if path != WHOLE:
        check_place(path, "")


def known_charset(name: str) -> str:
    """Python's name of a charset of `CHARSETS`; '' for any other."""
    try:
        charset = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    return charset if charset in CHARSETS else ""


def parameter_of(content_type: str, name: str) -> str:
    """A parameter of a Content-Type (RFC 9110, 8.3.1); '' where it is not there."""
    match = re.search(rf';\s*{name}\s*=\s*(?:"([^"]*)"|([^;\s"]+))', content_type, re.IGNORECASE)
    return (match[1] or match[2] or "") if match else ""


def decoded(octets: bytes, charset: str) -> str:
    if charset in ("", "utf-8"):
        return letters(octets)
    return octets.decode(charset, "replace").removeprefix("\ufeff")


def check_place(path: str, pattern: str) -> None:
    """Raises ValueError."""
    if path and not PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no path like data.items[0].id")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r}: {error}") from None


def walk(members: Any, path: str) -> Any:
    """What stands at a path; None when nothing does."""
    for name, index in STEP.findall(path):
        if name and isinstance(members, Mapping):
            members = members.get(name)
        elif index and isinstance(members, list) and int(index) < len(members):
            members = members[int(index)]
        else:
            return None
    return members


def text_of(value: Any) -> str | None:
    """A scalar as JSON writes it, without quotes."""
    if value is None or isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _members(body: bytes, charset: str) -> Any:
    try:
        return parse(decoded(body, charset).encode("utf-8", "replace"))
    except Unreadable:
        pass
    try:  # as octets, which what is percent-encoded is too
        pairs = parse_qsl(
            body.removeprefix(codecs.BOM_UTF8).decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=FIELDS_MAX,
            encoding="latin-1",
        )
    except ValueError:
        return None
    return {
        decoded(name.encode("latin-1"), charset): decoded(value.encode("latin-1"), charset)
        for name, value in reversed(pairs)
    }


def _parts(body: bytes, boundary: bytes, charset: str) -> Mapping[str, str]:
    """The fields of multipart/form-data (RFC 7578), the first of each name."""
    fields: dict[str, str] = {}
    for part in body.split(b"--" + boundary, FIELDS_MAX)[1:]:
        head, blank, value = part.partition(b"\r\n\r\n")
        name = FIELD_NAME.search(head)
        if blank and name:
            fields.setdefault(decoded(name[1], charset), decoded(value.removesuffix(b"\r\n"), charset))
    return fields
