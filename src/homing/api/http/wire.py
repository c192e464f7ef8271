"""HTTP request and response, independent of the server."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

import msgspec

from homing import errors
from homing.accounts.profile import Credential
from homing.accounts.refused_calls import STRANGER, Caller, RefusedCall, reason_for

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""UTF-8's. Some programs write it before what they send; it is no part of it (RFC 8259, section 8.1)."""
METHODS_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))
JSON_UTF8 = "application/json; charset=utf-8"


class Headers(Protocol):
    """Looks a header up by its lower-case name."""

    def get(self, key: str, default: str | None = None) -> str | None:
        """None also for a value that is not ASCII."""
        ...

    def __contains__(self, key: str) -> bool: ...


class HttpCall(Protocol):
    """Parts of a call that the server reads on demand."""

    def find_address(self) -> str:
        """The client's, behind the proxies that are trusted."""
        ...

    async def fetch_body(self, bytes_max: int) -> bytes:
        """Once a call. Raises a `BodyFailure`, `BodyTooLarge` above so many bytes."""
        ...


class HttpRequest(msgspec.Struct):
    """One call. `query` is the raw query string. `body` is empty until `read`: what a stranger sends costs no more than
    its headers.

    For the log of refused calls: `caller` is whom the call's key names, whether or not its secret is right; `refused`
    what was refused of it. `stray_code`: of the answer, if nobody serves the path, or not by this method; else "".
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    request_id: str
    call: HttpCall
    caller: Caller = STRANGER
    refused: list[RefusedCall] = []
    stray_code: str = ""

    def name_caller(self, credential: Credential | None, key: str) -> None:
        """Whom the call's key names: None where there is no such key."""
        self.caller = Caller(None if credential is None else credential.profile.account_id, key)

    def refuse(
        self,
        error: errors.HomingError | type[errors.HomingError],
        code: object,
        *,
        messages: int = 0,
        app_id: str = "",
    ) -> None:
        """Has what a dialect answers with `code` logged. `messages`: how many were refused."""
        refused = RefusedCall(code=str(code), reason=reason_for(error), messages=messages, app_id=app_id)
        for place, other in enumerate(self.refused):  # of many messages there are few reasons
            if (other.code, other.reason, other.app_id) == (refused.code, refused.reason, app_id):
                self.refused[place] = msgspec.structs.replace(other, messages=other.messages + messages)
                return
        self.refused.append(refused)

    async def read(self, bytes_max: int) -> None:
        """Fills `body`; once a call. Raises a `BodyFailure`, `BodyTooLarge` above so many bytes."""
        if self.method in METHODS_WITH_BODY:
            self.body = await self.call.fetch_body(bytes_max)


class HttpResponse(msgspec.Struct):
    """`body` is sent whole, or chunk by chunk where it is an iterator."""

    body: bytes | AsyncGenerator[bytes, None]
    status: int = 200
    content_type: str = JSON_UTF8
    headers: tuple[tuple[str, str], ...] = ()
    """Beside those that every answer has."""


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class HttpEndpoint(msgspec.Struct, frozen=True):
    """A path's handler; `name` labels its metrics."""

    name: str
    methods: frozenset[str]
    handler: Handler
