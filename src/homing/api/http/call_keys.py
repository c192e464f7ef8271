"""Whose a call is: its key's credential, looked up and proven alike for every dialect over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from homing import errors
from homing.accounts.refused_calls import HasReason
from homing.reasons import Reason, ReasonCode

if TYPE_CHECKING:  # every command knows the dialects' refusals; an api process alone has these parts
    from homing.accounts.directory import Directory
    from homing.accounts.profile import Credential
    from homing.api.http.auth_guard import AuthGuard
    from homing.api.http.wire import HttpRequest

KeyProblem = Literal["missing", "unknown", "address", "wrong", "locked"]
"""`wrong`: the secret or the signature, or too many wrong ones came before."""

REASONS: Final[Mapping[KeyProblem, Reason]] = {
    "missing": Reason.of(ReasonCode.CALL_KEY_MISSING),
    "unknown": Reason.of(ReasonCode.CALL_KEY_UNKNOWN),
    "address": Reason.of(ReasonCode.CALL_ADDRESS_NOT_ALLOWED),
    "wrong": Reason.of(ReasonCode.CALL_SECRET_WRONG),
    "locked": Reason.of(ReasonCode.CALL_ACCOUNT_LOCKED),
}


class KeyRefused(errors.Refusal, HasReason):
    """The call's key opens nothing."""

    def __init__(self, problem: KeyProblem, reason: Reason | None = None) -> None:
        """`reason`: where the log says more than the caller hears."""
        super().__init__()
        self.problem = problem
        self.reason = reason or REASONS[problem]


class CallKeys:
    """The keys of one dialect's credentials. A dialect asks in this order: `find`, `prove`, `check_lock`; from an
    address that is not allowed nobody learns whether a secret is right.
    """

    def __init__(self, directory: Directory, guard: AuthGuard, dialect: int) -> None:
        self._directory = directory
        self._guard = guard
        self._dialect = dialect

    async def find(self, request: HttpRequest, key: str) -> Credential:
        """The credential of a key. Raises `KeyRefused`: unknown, address."""
        credential = self._directory.peek(self._dialect, key) or await self._directory.find(self._dialect, key)
        request.name_caller(credential, key)
        address = request.call.find_address()
        if credential is None:
            self._guard.unknown(self._dialect, key, address)
            raise KeyRefused("unknown")
        account = credential.profile
        if account.allowed_networks and not account.allows(address):
            self._guard.count(self._dialect, "address")
            raise KeyRefused("address")
        return credential

    async def prove(self, request: HttpRequest, credential: Credential, *, is_right: bool) -> None:
        """`is_right`: whether the call knows the secret. Raises `KeyRefused`: wrong."""
        if not await self._guard.passes(self._dialect, credential.key, request.call.find_address(), is_right):
            raise KeyRefused("wrong")


def check_lock(credential: Credential) -> None:
    """Raises `KeyRefused`: locked."""
    if credential.profile.locked:
        raise KeyRefused("locked")
