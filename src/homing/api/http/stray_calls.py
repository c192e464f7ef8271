"""Calls to paths that no dialect serves, or by a method that a path does not have. Customers with a wrong base URL look
for them among their refused calls. Scanners make them too, and must not fill that log.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from homing import errors
from homing.accounts.directory import Directory
from homing.accounts.refusal_log import UNKNOWN_KEY_CHARS, RefusalLog
from homing.accounts.refused_calls import STRANGER, Caller, RefusedCall, hidden
from homing.api.http.wire import HttpEndpoint, HttpRequest
from homing.common.token_bucket import TokenBucket
from homing.reasons import Reason, ReasonCode

STRAY_CALL: Final = "unknown"
"""The name of a call to a path that its dialect does not have."""
STRANGERS_PER_S: Final = 0.02  # rows of calls without a known key, by each process: 72 an hour
STRANGERS_BURST: Final = 20.0
PART_CHARS_MAX: Final = 24
"""Of a path between two slashes: what is longer may be a key or a secret."""
TOKEN: Final = re.compile(r"hm_[^/]*")


class NamedKey(msgspec.Struct, frozen=True):
    """The key that a call names, of a dialect's credentials."""

    dialect: int
    key: str


KeyFinder = Callable[[HttpRequest], NamedKey | None]


class StrayCalls:
    """Logs those whose path begins like a dialect's or which name a known key; any others are nobody's. Calls without
    a known key are listed within bounds of their own, and beyond them counted.
    """

    def __init__(
        self,
        *,
        endpoints: Mapping[str, HttpEndpoint],
        key_finders: Mapping[str, KeyFinder],
        directory: Directory,
        refusal_log: RefusalLog,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`endpoints`: by path, of all dialects. `key_finders`: by the name of a dialect, each dialect's. `clock_s`: as
        of the log.
        """
        self._key_finders = key_finders
        self._directory = directory
        self._refusal_log = refusal_log
        self._strangers = TokenBucket(STRANGERS_PER_S, STRANGERS_BURST, clock_s())
        self._dialects: dict[str, str] = {}
        for path, endpoint in endpoints.items():
            dialect = endpoint.name.partition(".")[0]
            if dialect in key_finders:
                self._dialects.setdefault(_first_part(path), dialect)

    async def note(self, request: HttpRequest, code: str, name: str = "") -> None:
        """`code`: as it was answered. `name`: of the endpoint that has the path, but not by this method."""
        dialect = name.partition(".")[0] if name else self._dialects.get(_first_part(request.path), "")
        if name and dialect not in self._key_finders:
            return
        spoken, caller = await self._caller(request)
        dialect = dialect or spoken
        if not dialect:
            return
        if name:
            reason = Reason.of(ReasonCode.CALL_METHOD_WRONG, method=request.method[:16])
        else:
            reason = Reason.of(ReasonCode.CALL_PATH_UNKNOWN, path=shown_path(request.path))
        self._refusal_log.note(
            name or f"{dialect}.{STRAY_CALL}",
            caller,
            RefusedCall(code=code, reason=reason),
            address=request.call.find_address(),
            request_id=request.request_id,
            row_bound=self._strangers if caller.account_id is None else None,
        )

    async def _caller(self, request: HttpRequest) -> tuple[str, Caller]:
        """With the dialect whose key the call names; "" where nobody knows it. The database is asked as for any key."""
        named = ""
        for dialect, find in self._key_finders.items():
            key = find(request)
            if key is None:
                continue
            try:
                credential = await self._directory.find(key.dialect, key.key)
            except errors.PlatformFailure:
                credential = None
            if credential is not None:
                return dialect, Caller(credential.profile.account_id, key.key)
            named = named or key.key
        return "", Caller(None, named) if named else STRANGER


def shown_path(path: str) -> str:
    """Fit to be kept: without what may be a key, a secret, a number or a code."""
    parts = TOKEN.sub("hm_…", path).split("/")
    return hidden("/".join(part if len(part) <= PART_CHARS_MAX else part[:UNKNOWN_KEY_CHARS] + "…" for part in parts))


def _first_part(path: str) -> str:
    return path.strip("/").partition("/")[0].lower()
