"""Reading other vendors' answers and pushes by rules in settings: where a value stands, and what words mean. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec

from homing import limits
from homing.clients.reading import YEARS, Unreadable, parse
from homing.states import State

STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d{1,6})\]")
PATH: Final = re.compile(r"(?:[^.\[\]]+|\[\d{1,6}\])(?:\.[^.\[\]]+|\[\d{1,6}\])*")
FIELDS_MAX: Final = 200
EPOCHS: Final = {"epoch": 1.0, "epoch_ms": 1000.0}
ISO: Final = "iso"

StateWord = Literal["sent", "delivered", "undeliverable", "expired", "rejected", "failed", "unknown"]
OutcomeWord = Literal["accepted", "refused", "deferred", "unknown"]


class Document:
    """What was received: its text, and its members where it is JSON or a form."""

    def __init__(self, body: bytes) -> None:
        self.text = body.decode("utf-8-sig", errors="replace")[: limits.API_REPLY_CHARS_MAX]
        self.members = _members(body)


class Pick(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value stands: `at`, a path like `data.items[0].id` into JSON or a form's field; or `pattern`, a regular
    expression whose first group (or all of it) is the value.
    """

    at: str = ""
    pattern: str = ""

    def __post_init__(self) -> None:
        if bool(self.at) == bool(self.pattern):
            raise ValueError("a value stands either at a path or by a pattern")
        check_place(self.at, self.pattern)

    def find(self, document: Document) -> str | None:
        """The value as text; None when it is not there."""
        if self.pattern:
            match = re.search(self.pattern, document.text)
            return None if match is None else match[1 if match.re.groups else 0]
        return text_of(walk(document.members, self.at))


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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

    def holds(self, status: int, document: Document) -> bool:
        if self.status and status not in self.status:
            return False
        if not self.at and not self.pattern:
            return True
        value = Pick(self.at, self.pattern).find(document)
        if value is None or not self.values:
            return value is not None
        return value.strip().lower() in (one.lower() for one in self.values)


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the vendor's answer to a send means: the first rule that holds; and what else it tells."""

    rules: Annotated[tuple[Rule, ...], msgspec.Meta(min_length=1)]
    ref: Pick | None = None
    error_code: Pick | None = None
    error_text: Pick | None = None


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a push is answered once it is stored."""

    status: Annotated[int, msgspec.Meta(ge=200, le=299)] = 200
    body: str = "ok"
    content_type: str = "text/plain"


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time: `form` is iso, epoch, epoch_ms, or as of strptime; `zone_hours` where it names no zone."""

    value: Pick
    form: str = ISO
    zone_hours: Annotated[float, msgspec.Meta(ge=-12, le=14)] = 0.0

    def find(self, document: Document) -> datetime | None:
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
    for any other, without it such a push is refused. `each`: the path of a list, where a push tells of several.
    """

    ref: Pick
    state: Pick
    states: dict[str, StateWord]
    otherwise: StateWord | None = None
    error_code: Pick | None = None
    number: Pick | None = None
    time: When | None = None
    each: str = ""
    answer: Said = Said()

    def __post_init__(self) -> None:
        check_place(self.each, "")

    def state_of(self, word: str) -> State | None:
        known = {name.lower(): state for name, state in self.states.items()}
        found = known.get(word.strip().lower(), self.otherwise)
        return None if found is None else State[found.upper()]


class InboundForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the vendor brings what people send. `ref`: its id of the message, so that one pushed twice is heard once."""

    number: Pick
    recipient: Pick
    text: Pick
    ref: Pick | None = None
    time: When | None = None
    answer: Said = Said()


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


def _members(body: bytes) -> Any:
    try:
        return parse(body)
    except Unreadable:
        pass
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        return None
    return dict(reversed(pairs))
