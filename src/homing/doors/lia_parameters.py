"""The lia dialect's parameters: where they come from and what counts as given (contract, section 1)."""

import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_plus

from homing import errors
from homing.doors.wire import Request
from homing.text.segments import has_lone_surrogate

Parameters = dict[str, str]
STRUCTURE: Final = "\0"  # stands for an array or object: a value that no parameter accepts


def read(request: Request) -> Parameters:
    """The call's parameters as text; absent, null, empty and blank ones are left out; of repeated ones the first.

    GET: the query only. POST: the body only, JSON where it is JSON or says so, else a form. Raises `BadShape` for
    malformed JSON.
    """
    if request.method != "POST":
        return from_form(request.query)
    content_type = (request.headers.get("content-type") or "").lower()
    body = request.body.strip()
    if "json" in content_type or body[:1] in (b"{", b"["):
        return from_json(body)
    try:
        return from_form(body.decode())
    except UnicodeDecodeError:
        raise errors.BadShape from None


def from_form(encoded: str) -> Parameters:
    """`a=1&b=2`, percent-encoded. Bytes that are not UTF-8 become lone surrogates, which no parameter accepts."""
    found: Parameters = {}
    for pair in encoded.split("&"):
        name, _equals, value = pair.partition("=")
        if "%" in name or "+" in name:
            name = unquote_plus(name, errors="surrogateescape")
        if name in found:
            continue
        if "%" in value or "+" in value:
            value = unquote_plus(value, errors="surrogateescape")
        found[name] = value
    return _given(found.items())


def from_json(body: bytes) -> Parameters:
    if not body:
        return {}
    try:
        members = json.loads(
            body, object_pairs_hook=_Members, parse_int=str, parse_float=str, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise errors.BadShape from None
    if not isinstance(members, _Members):
        return {}
    found: Parameters = {}
    for name, value in members:
        found.setdefault(name, _scalar(value))
    return _given(found.items())


class _Members(list[tuple[str, object]]):
    """An object's members in order, repeated names included."""


def _no_constant(_name: str) -> str:
    raise ValueError("NaN and Infinity are not JSON")


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return STRUCTURE


def _given(pairs: Iterable[tuple[str, str]]) -> Parameters:
    return {name: value for name, value in pairs if value and not value.isspace()}


def storable(value: str) -> bool:
    """Whether a text can be kept and sent: no NUL, which PostgreSQL refuses, and no half of a surrogate pair."""
    return "\0" not in value and not has_lone_surrogate(value)
