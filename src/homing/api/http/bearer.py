"""Bearer keys: `Authorization: Bearer hm_<key>_<secret>`, for dialects whose credentials come in one text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from homing import errors, limits
from homing.accounts.refused_calls import HasReason, invalid
from homing.common.crypto import same
from homing.reasons import Reason, ReasonCode

if TYPE_CHECKING:  # every command knows the form of tokens; an api process alone has these parts
    from homing.accounts.directory import Directory
    from homing.accounts.profile import Credential
    from homing.api.http.auth_guard import AuthGuard
    from homing.api.http.wire import HttpRequest

TOKEN: Final = "hm_{key}_{secret}"  # noqa: S105 - the form of all tokens
KEYS_DIALECT: Final = 3
"""Homing's own API, whose keys also open dialects that have none of their own."""
TOKEN_CHARS_MAX: Final = 2 * limits.KEY_CHARS_MAX

BearerProblem = Literal["missing", "invalid", "address", "locked"]


REASONS: Final[Mapping[BearerProblem, Reason]] = {
    "missing": Reason.of(ReasonCode.CALL_KEY_MISSING),
    "invalid": Reason.of(ReasonCode.CALL_SECRET_WRONG),
    "address": Reason.of(ReasonCode.CALL_ADDRESS_NOT_ALLOWED),
    "locked": Reason.of(ReasonCode.CALL_ACCOUNT_LOCKED),
}


class BearerRefused(errors.Refusal, HasReason):
    """The call's bearer key opens nothing."""

    def __init__(self, problem: BearerProblem, reason: Reason | None = None) -> None:
        """`reason`: where the log says more than the caller hears."""
        super().__init__()
        self.problem = problem
        self.reason = reason or REASONS[problem]


def key_and_secret(header: str) -> tuple[str, str] | None:
    """Of an Authorization header; None when it has no token of this form. The scheme is in any letter case (RFC 9110,
    section 11.1).
    """
    scheme, _space, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token) > TOKEN_CHARS_MAX:
        return None
    prefix, _first, rest = token.partition("_")
    key, _second, secret = rest.partition("_")
    return (key, secret) if prefix == "hm" and key and secret else None


class BearerKeys:
    """Finds the credential that a call's bearer key opens, among those of one dialect."""

    def __init__(self, directory: Directory, guard: AuthGuard, dialect: int) -> None:
        self._directory = directory
        self._guard = guard
        self._dialect = dialect

    async def credential_of(self, request: HttpRequest) -> Credential:
        """Raises `BearerRefused`, in this order: no key, an unknown one, the caller's address, the secret, the
        account's lock. From an address that is not allowed nobody learns whether a secret is right.
        """
        header = request.headers.get("authorization")
        if not header:
            raise BearerRefused("missing")
        pair = key_and_secret(header)
        if pair is None:
            raise BearerRefused("invalid", invalid("the key is not of the form hm_KEY_SECRET"))
        key, secret = pair
        address = request.call.find_address()
        credential = await self.find(request, key, address)
        await self.admit(credential, address, is_right=same(credential.secret, secret))
        return credential

    async def find(self, request: HttpRequest, key: str, address: str) -> Credential:
        """The credential of a key. Raises `BearerRefused` for an unknown key, and for the caller's `address`."""
        credential = self._directory.peek(self._dialect, key) or await self._directory.find(self._dialect, key)
        request.name_caller(credential, key)
        if credential is None:
            self._guard.unknown(self._dialect, key, address)
            raise BearerRefused("invalid", Reason.of(ReasonCode.CALL_KEY_UNKNOWN))
        account = credential.profile
        if account.allowed_networks and not account.allows(address):
            self._guard.count(self._dialect, "address")
            raise BearerRefused("address")
        return credential

    async def admit(self, credential: Credential, address: str, *, is_right: bool) -> None:
        """Raises `BearerRefused` for a wrong secret (`is_right`: what the caller knows of it), and for a lock."""
        if not await self._guard.passes(self._dialect, credential.key, address, is_right):
            raise BearerRefused("invalid")
        if credential.profile.locked:
            raise BearerRefused("locked")
