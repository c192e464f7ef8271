"""Templates of requests: texts with {placeholders}, filled in with a message and escaped for the place they stand in.

`{number} {sender} {text} {message_id} {reference} {encoding} {traffic} {segments} {validity_s} {time} {flash} {pe_id}
{template_id}` are a message's, `{secret.NAME}` is one of the carrier's secrets. `{{` and `}}` are braces. After a
colon: `{text:hex}` is the text as UTF-16 in hexadecimal digits; a JSON string that is nothing but `{number:int}`
becomes a number, one that is nothing but `{flash:bool}` true or false.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

import msgspec

from homing.model import Outbound, Traffic
from homing.text.segments import TextEncoding

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
    "flash",
    "pe_id",
    "template_id",
)
FLAGS: Final = {"0": False, "1": True}
SECRET_PREFIX: Final = "secret."  # noqa: S105 - a name's beginning
AS_INT: Final = "int"
AS_HEX: Final = "hex"
AS_BOOL: Final = "bool"

Values = Mapping[str, str]
Escape = Callable[[str], str]


class Placeholder(msgspec.Struct, frozen=True):
    """A placeholder: a value's name, and how it is written."""

    name: str
    form: str


class TextTemplate:
    """A text with placeholders."""

    def __init__(self, template: str, secrets: Values) -> None:
        """Raises ValueError for a placeholder that there is not, and for a brace that stands alone."""
        self._pieces: list[str | Placeholder] = []
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

    def as_scalar(self, values: Values) -> int | bool | None:
        """The number, or true or false, that the text becomes, if it is nothing but an {x:int} or {x:bool}. Raises
        ValueError if the value is none.
        """
        holes = [piece for piece in self._pieces if piece]
        if len(holes) != 1 or not isinstance(holes[0], Placeholder) or holes[0].form not in (AS_INT, AS_BOOL):
            return None
        value = self._value(holes[0], values)
        if holes[0].form == AS_INT:
            return int(value)
        if value not in FLAGS:
            raise ValueError(f"{{{holes[0].name}:bool}} is neither 0 nor 1")
        return FLAGS[value]

    def _piece(self, match: "re.Match[str]") -> str | Placeholder:
        name, form, alone = match.groups()
        if alone:
            raise ValueError(f"a brace that stands alone is written {alone}{alone}")
        if name is None:
            return match[0][0]
        if name not in NAMES and name.removeprefix(SECRET_PREFIX) not in self._secrets:
            raise ValueError(f"there is no {{{name}}}; there is: {', '.join(NAMES)}, and secret.NAME")
        if form not in (None, AS_INT, AS_HEX, AS_BOOL):
            raise ValueError(f"{{{name}:{form}}}: after the colon comes int, hex or bool")
        return Placeholder(name, form or "")

    def _value(self, hole: Placeholder, values: Values) -> str:
        if hole.name.startswith(SECRET_PREFIX):
            value = self._secrets[hole.name.removeprefix(SECRET_PREFIX)]
        else:
            value = values[hole.name]
        return value.encode("utf-16-be").hex().upper() if hole.form == AS_HEX else value


class JsonTemplate:
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
        "encoding": TextEncoding(message.encoding).name,
        "traffic": Traffic(message.traffic).name,
        "segments": str(message.segments),
        "validity_s": str(max(0, int((message.expires_at - now).total_seconds()))),
        "time": str(int(now.timestamp())),
        "flash": str(int(message.options.flash)),
        "pe_id": message.options.pe_id,
        "template_id": message.options.template_id,
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
        return TextTemplate(template, secrets)
    if isinstance(template, dict):
        return {name: _compile(value, secrets) for name, value in template.items()}
    if isinstance(template, list):
        return [_compile(value, secrets) for value in template]
    return template


def names_in(template: Any) -> Iterator[str]:
    """The placeholders of a text, or of all texts in a list or in an object's values."""
    if isinstance(template, str):
        yield from (match[1] for match in PIECE.finditer(template) if match[1])
    elif isinstance(template, dict | list | tuple):
        for value in template.values() if isinstance(template, dict) else template:
            yield from names_in(value)


def _filled(document: Any, values: Values) -> Any:
    if isinstance(document, TextTemplate):
        scalar = document.as_scalar(values)
        return document.fill(values) if scalar is None else scalar
    if isinstance(document, dict):
        return {name: _filled(value, values) for name, value in document.items()}
    if isinstance(document, list):
        return [_filled(value, values) for value in document]
    return document
