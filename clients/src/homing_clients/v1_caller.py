"""How calls of Homing's own API are written, and what all of their answers have in common (docs/reference/v1.md)."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from homing_clients.call import (
    HEADERS,
    ClientCall,
    ClientEndpoint,
    ClientReply,
    ClientRequest,
    check_credential,
    parse_base,
)
from homing_clients.paging import Page
from homing_clients.reading import Unreadable, body_of
from homing_clients.v1_problems import error_of_reply

T = TypeVar("T")

SUCCESS: Final = (200, 201, 204)
NOT_FOUND: Final = 404
KEY_CHARS_MAX: Final = 255


class V1Caller:
    """Writes calls with one API key. Every POST has an Idempotency-Key, the same in each of its tries."""

    def __init__(self, key: str, base_url: str) -> None:
        """Raises ValueError for a key or base URL that cannot be one."""
        self.base = parse_base(base_url)
        self._authorization = f"Bearer {check_credential('the API key', key)}"

    def render(self, call: ClientCall[Any], now_s: float) -> ClientRequest:
        """Parameters are the query of a GET, and the body of a POST or PATCH."""
        headers = {**HEADERS, "Authorization": self._authorization}
        target = f"{self.base.prefix}/{call.endpoint.name}"
        if call.endpoint.method == "GET":
            query = urlencode(call.parameters)
            return ClientRequest("GET", f"{target}?{query}" if query else target, headers, None)
        if call.endpoint.method == "DELETE":
            return ClientRequest("DELETE", target, headers, None)
        headers["Content-Type"] = "application/json"
        if call.idempotency_key:
            headers["Idempotency-Key"] = call.idempotency_key
        return ClientRequest(call.endpoint.method, target, headers, msgspec.json.encode(call.parameters))


def get(path: str, parameters: Mapping[str, object], read: Callable[[bytes], T]) -> ClientCall[T]:
    """`parameters`: those that are empty are left out."""
    endpoint = ClientEndpoint(path, "GET", repeatable=True)
    return ClientCall(endpoint, given(parameters), lambda reply, _doubt: read(_success(reply)), repeatable=True)


def post(path: str, parameters: Mapping[str, object], key: str, read: Callable[[bytes], T]) -> ClientCall[T]:
    """`key`: the Idempotency-Key; "" for a new one. Raises ValueError for one that a header cannot hold."""
    endpoint = ClientEndpoint(path, "POST", repeatable=True)
    return ClientCall(
        endpoint,
        parameters,
        lambda reply, _doubt: read(_success(reply)),
        repeatable=True,
        idempotency_key=_checked(key) if key else str(uuid.uuid4()),
    )


def patch(path: str, parameters: Mapping[str, object], read: Callable[[bytes], T]) -> ClientCall[T]:
    """Made twice it does no more than made once."""
    endpoint = ClientEndpoint(path, "PATCH", repeatable=True)
    return ClientCall(endpoint, parameters, lambda reply, _doubt: read(_success(reply)), repeatable=True)


def delete(path: str) -> ClientCall[None]:
    """What is gone after a try without an answer has been removed by it."""

    def read(reply: ClientReply, doubt: bool) -> None:
        if not (doubt and reply.status == NOT_FOUND):
            _success(reply)

    return ClientCall(ClientEndpoint(path, "DELETE", repeatable=True), {}, read, repeatable=True)


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Reads an answer's body. It raises `Unreadable`."""
    decoder = msgspec.json.Decoder(kind)

    def read(body: bytes) -> T:
        try:
            return decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable(str(error) if body.strip() else "an empty body") from None

    return read


def page_reader(name: str, kind: type[T]) -> Callable[[bytes], Page[T]]:
    """Reads an answer whose member `name` has the rows."""
    read_members, read_rows, read_row = reader(dict[str, msgspec.Raw]), reader(list[msgspec.Raw]), reader(kind)
    read_cursor = reader(str)

    def read(body: bytes) -> Page[T]:
        members = read_members(body)
        if name not in members:
            raise Unreadable(f"no {name}")
        rows = tuple(read_row(bytes(row)) for row in read_rows(bytes(members[name])))
        return Page(rows, read_cursor(bytes(members["next_cursor"])) if "next_cursor" in members else "")

    return read


def segment_of(value: str) -> str:
    """An id as a part of a path. Raises ValueError for one that is none: the call would go elsewhere."""
    if not value or value in (".", ".."):
        raise ValueError("an id is digits")
    return quote(value, safe="")


def time_of(at: datetime | None, name: str) -> str:
    """RFC 3339; "" for None. Raises ValueError for a time without a zone: it could be any."""
    if at is None:
        return ""
    if at.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    return at.isoformat()


def given(parameters: Mapping[str, object]) -> dict[str, object]:
    """Those that are not empty."""
    return {name: value for name, value in parameters.items() if value is not None and value != ""}


def _checked(key: str) -> str:
    if len(key) > KEY_CHARS_MAX or not key.isascii() or not key.isprintable() or key != key.strip():
        raise ValueError(f"an Idempotency-Key is up to {KEY_CHARS_MAX} printable ASCII characters")
    return key


def _success(reply: ClientReply) -> bytes:
    if reply.status not in SUCCESS:
        raise error_of_reply(reply)
    return body_of(reply)
