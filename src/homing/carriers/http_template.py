"""Templates of requests: texts with {placeholders}, filled in with a message and escaped for the place they stand in.

`{number} {sender} {text} {message_id} {reference} {encoding} {traffic} {segments} {validity_s} {time}` are a message's,
`{secret.NAME}` is one of the carrier's secrets. `{{` and `}}` are braces. After a colon: `{text:hex}` is the text as
UTF-16 in hexadecimal digits; a JSON string that is nothing but `{number:int}` becomes a number.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

import msgspec

from homing.model import Outbound, Traffic
from homing.text.segments import Encoding

PIECE: Final = re.compile(r"\{\{|\}\}|\{([a-z0-9_.]+)(?::([a-z]+))?\}|([{}])", re.IGNORECASE)
NAMES: Final = (
    "number",
    "sender",
    "text",
    "message_id",
    "reference",
    "encoding",
    "traffic",
    "segments",
    "validity_s",
    "time",
)
SECRET_PREFIX: Final = "secret."  # noqa: S105 - a name's beginning
AS_INT: Final = "int"
AS_HEX: Final = "hex"

Values = Mapping[str, str]
Escape = Callable[[str], str]


class Hole(msgspec.Struct, frozen=True):
    """A placeholder: a value's name, and how it is written."""

    name: str
    form: str


class Text:
    """A text with placeholders."""

    def __init__(self, template: str, secrets: Values) -> None:
        """Raises ValueError for a placeholder that there is not, and for a brace that stands alone."""
        self._pieces: list[str | Hole] = []
        self._secrets = secrets
        end = 0
        for match in PIECE.finditer(template):
            self._pieces.append(template[end : match.start()])
            self._pieces.append(self._piece(match))
            end = match.end()
        self._pieces.append(template[end:])

    def fill(self, values: Values, escaped: Escape = str) -> str:
        """`escaped` is for what is filled in, not for what is written."""
        return "".join(
            piece if isinstance(piece, str) else escaped(self._value(piece, values)) for piece in self._pieces
        )

    def as_int(self, values: Values) -> int | None:
        """The number that the text becomes, if it is nothing but an {x:int}. Raises ValueError if that is none."""
        holes = [piece for piece in self._pieces if piece]
        if len(holes) == 1 and isinstance(holes[0], Hole) and holes[0].form == AS_INT:
            return int(self._value(holes[0], values))
        return None

    def _piece(self, match: "re.Match[str]") -> str | Hole:
        name, form, alone = match.groups()
        if alone:
            raise ValueError(f"a brace that stands alone is written {alone}{alone}")
        if name is None:
            return match[0][0]
        if name not in NAMES and name.removeprefix(SECRET_PREFIX) not in self._secrets:
            raise ValueError(f"there is no {{{name}}}; there is: {', '.join(NAMES)}, and secret.NAME")
        if form not in (None, AS_INT, AS_HEX):
            raise ValueError(f"{{{name}:{form}}}: after the colon comes int or hex")
        return Hole(name, form or "")

    def _value(self, hole: Hole, values: Values) -> str:
        if hole.name.startswith(SECRET_PREFIX):
            value = self._secrets[hole.name.removeprefix(SECRET_PREFIX)]
        else:
            value = values[hole.name]
        return value.encode("utf-16-be").hex().upper() if hole.form == AS_HEX else value


class Json:
    """A JSON document whose strings are templates, member names as they are."""

    def __init__(self, template: Any, secrets: Values) -> None:
        """Raises ValueError."""
        self._document = _compile(template, secrets)

    def fill(self, values: Values) -> bytes:
        return msgspec.json.encode(_filled(self._document, values))


def values_of(message: Outbound, words: Mapping[str, Values], now: datetime) -> Values:
    """A message's values; `words` puts the vendor's in place of ours, by placeholder."""
    values = {
        "number": message.number,
        "sender": message.sender,
        "text": message.text,
        "message_id": str(message.message_id),
        "reference": f"{message.message_id}-{message.attempt}",
        "encoding": Encoding(message.encoding).name,
        "traffic": Traffic(message.traffic).name,
        "segments": str(message.segments),
        "validity_s": str(max(0, int((message.expires_at - now).total_seconds()))),
        "time": str(int(now.timestamp())),
    }
    return {name: words[name].get(value, value) if name in words else value for name, value in values.items()}


def in_url(value: str) -> str:
    return quote(value, safe="")


def in_header(value: str) -> str:
    """Percent-encoded where it would not be one line of printable ASCII."""
    return value if value.isascii() and value.isprintable() else in_url(value)


def in_json(value: str) -> str:
    return msgspec.json.encode(value).decode()[1:-1]


def in_xml(value: str) -> str:
    return escape(value, {'"': "&quot;", "'": "&apos;"})


def escape_for(content_type: str) -> Escape:
    """How a raw body of this type has its values written."""
    if "json" in content_type:
        return in_json
    if "xml" in content_type:
        return in_xml
    if "urlencoded" in content_type:
        return in_url
    return str


def _compile(template: Any, secrets: Values) -> Any:
    if isinstance(template, str):
        return Text(template, secrets)
    if isinstance(template, dict):
        return {name: _compile(value, secrets) for name, value in template.items()}
    if isinstance(template, list):
        return [_compile(value, secrets) for value in template]
    return template


def _filled(document: Any, values: Values) -> Any:
    if isinstance(document, Text):
        number = document.as_int(values)
        return document.fill(values) if number is None else number
    if isinstance(document, dict):
        return {name: _filled(value, values) for name, value in document.items()}
    if isinstance(document, list):
        return [_filled(value, values) for value in document]
    return document
