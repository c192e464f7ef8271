"""The lia dialect's parameters: where they come from and what counts as given (contract, section 1).

They are read before the password is known, so that nothing here costs more than one walk over what was sent.
"""

import re
from collections.abc import Iterable
from json.decoder import scanstring  # type: ignore[attr-defined]  # public since 2.6, not in the stubs
from typing import Final
from urllib.parse import unquote_plus

import msgspec

from homing import errors, limits
from homing.api.http import multipart_form
from homing.api.http.multipart_form import MULTIPART, TooManyParameters
from homing.api.http.wire import BYTE_ORDER_MARK, HttpRequest
from homing.text.segments import has_lone_surrogate

Parameters = dict[str, str]
STRUCTURE: Final = "\0"  # stands for an array or object: a value that no parameter accepts
SPACES: Final = re.compile(r"[ \t\n\r]*")
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
SURROGATE: Final = re.compile(rb"\\u[dD]")
"""Half of a pair is JSON all the same: it is a value that the call refuses in its own words. The decoder does not read
it, so it is shown another character of the same length.
"""
WORDS: Final = {"true": "true", "false": "false", "null": ""}

any_json: Final = msgspec.json.Decoder(msgspec.Raw)
flat_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(request: HttpRequest) -> Parameters:
    """The call's parameters as text; absent, null, empty and blank ones are left out; of repeated ones the first.

    GET: the query only. POST: the body only, JSON where it is JSON or says so, else a form, url-encoded or multipart. A
    byte order mark in front is passed over. Raises `BadShape` for malformed JSON or multipart, `TooManyParameters`
    above `HTTP_PARAMETERS_MAX`.
    """
    if request.method != "POST":
        return from_form(request.query)
    content_type = request.headers.get("content-type") or ""
    body = request.body.removeprefix(BYTE_ORDER_MARK).strip()
    if "json" in content_type.lower() or body[:1] in (b"{", b"["):
        return from_json(body)
    if content_type.lower().startswith(MULTIPART):
        return _given(multipart_form.read(content_type, body))
    try:
        return from_form(body.decode())
    except UnicodeDecodeError:
        raise errors.BadShape from None


def from_form(encoded: str) -> Parameters:
    """`a=1&b=2`, percent-encoded. Bytes that are not UTF-8 become lone surrogates, which no parameter accepts."""
    if encoded.count("&") >= limits.HTTP_PARAMETERS_MAX:
        raise TooManyParameters("too many parameters")
    parameters: Parameters = {}
    for pair in encoded.split("&"):
        name, _equals, value = pair.partition("=")
        if "%" in name or "+" in name:
            name = unquote_plus(name, errors="surrogateescape")
        if name in parameters:
            continue
        if "%" in value or "+" in value:
            value = unquote_plus(value, errors="surrogateescape")
        parameters[name] = value
    return _given(parameters.items())


def from_json(body: bytes) -> Parameters:
    """A flat object's members; numbers as they are written. Anything else that is JSON has no parameters."""
    if not body:
        return {}
    try:
        plain = SURROGATE.sub(rb"\\u0", body)
        any_json.decode(plain)
        if body[:1] != b"{":
            return {}
        return _given(_members(body.decode(), plain.decode(), flat_object.decode(plain)).items())
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise errors.BadShape from None


def _members(text: str, plain: str, last: dict[str, msgspec.Raw]) -> Parameters:
    """The members of an object that is JSON, the first of each name. A structure is passed over as the decoder, which
    was shown `plain` and knows the last of each name, measured it. Raises ValueError.
    """
    parameters: Parameters = {}
    at = _beyond_spaces(text, 1)
    for _ in range(limits.HTTP_PARAMETERS_MAX):
        if text[at] == "}":
            return parameters
        name, at = scanstring(text, at + 1, True)
        at = _beyond_spaces(text, _beyond_spaces(text, at) + 1)
        first = text[at]
        if first == '"':
            value, at = scanstring(text, at + 1, True)
        elif first in "[{":
            raw = bytes(last.get(name, b"")).decode()
            if not raw or not plain.startswith(raw, at):
                raise ValueError("a structure's name is repeated")
            value, at = STRUCTURE, at + len(raw)
        elif number := NUMBER.match(text, at):
            value, at = number[0], number.end()
        else:
            word = next((word for word in WORDS if text.startswith(word, at)), None)
            if word is None:
                raise ValueError("no JSON value")
            value, at = WORDS[word], at + len(word)
        parameters.setdefault(name, value)
        at = _beyond_spaces(text, at)
        if text[at] == ",":
            at = _beyond_spaces(text, at + 1)
    if text[at] != "}":
        raise TooManyParameters("too many parameters")
    return parameters


def _beyond_spaces(text: str, at: int) -> int:
    spaces = SPACES.match(text, at)
    assert spaces is not None
    return spaces.end()


def _given(pairs: Iterable[tuple[str, str]]) -> Parameters:
    return {name: value for name, value in pairs if value and not value.isspace()}


def storable(value: str) -> bool:
    """Whether a text can be kept and sent: no NUL, which PostgreSQL refuses, and no half of a surrogate pair."""
    return "\0" not in value and not has_lone_surrogate(value)
