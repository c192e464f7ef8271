"""The laaffic dialect's authentication: four headers, checked in the contract's order (section 1)."""

import time
from collections.abc import Callable

from homing.accounts.directory import Directory
from homing.accounts.profile import Profile
from homing.accounts.refused_calls import invalid
from homing.api.http.auth_guard import AuthGuard
from homing.api.http.call_keys import CallKeys, KeyRefused
from homing.api.http.wire import HttpRequest
from homing.common.crypto import same
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.number import NUMBER
from homing.dialects.laaffic.refusals import AccountLocked, AddressNotAllowed, NotAuthenticated, TimestampExpired
from homing.dialects.laaffic.signature import signature_of
from homing.reasons import Reason, ReasonCode


class Authentication:
    """Finds the account that a call's headers sign for."""

    def __init__(
        self,
        *,
        directory: Directory,
        guard: AuthGuard,
        clock_s: Callable[[], float] = time.time,
        steady_s: Callable[[], float] = time.time,
    ) -> None:
        """`clock_s`, `steady_s`: Unix time by the machine's clock, and by the process's, which goes on when that one is
        stepped back. Which of the two is right then, nobody here knows: a call may be near either.
        """
        self._keys = CallKeys(directory, guard, NUMBER)
        self._clock_s = clock_s
        self._steady_s = steady_s

    async def account_of(self, request: HttpRequest) -> Profile:
        """Raises, in this order: headers and key (-1), address (-2), signature, timestamp's shape (both -1), its window
        (-16), lock (-13). From an address that is not allowed nobody learns whether a signature is right. Signatures
        are compared in constant time and may be in either letter case.
        """
        headers = request.headers
        key, timestamp, sign = headers.get("api-key"), headers.get("timestamp"), headers.get("sign")
        if not key or not timestamp or not sign:
            request.name_caller(None, key or "")
            raise NotAuthenticated(Reason.of(ReasonCode.CALL_KEY_MISSING))
        try:
            credential = await self._keys.find(request, key)
            is_right = same(signature_of(key, credential.secret, timestamp), sign.lower())
            await self._keys.prove(request, credential, is_right=is_right)
        except KeyRefused as refused:
            raise AddressNotAllowed if refused.problem == "address" else NotAuthenticated(refused.reason) from None
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 20):
            raise NotAuthenticated(invalid("the timestamp is no number"))
        at_s = int(timestamp)
        if not (_is_near(at_s, self._clock_s()) or _is_near(at_s, self._steady_s())):
            raise TimestampExpired
        if credential.profile.locked:
            raise AccountLocked
        return credential.profile


def _is_near(at_s: int, now_s: float) -> bool:
    return abs(int(now_s) - at_s) <= bounds.WINDOW_S
