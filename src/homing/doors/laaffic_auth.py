"""The laaffic dialect's authentication: four headers, checked in the contract's order (section 1)."""

import time
from collections.abc import Callable

from homing import errors, limits
from homing.accounts.directory import Directory
from homing.accounts.profile import Profile
from homing.doors.wire import Request
from homing.kit.crypto import laaffic_sign, same
from homing.model import Door


class NotAuthenticated(errors.Refusal):
    """Authentication error."""

    laaffic = "-1"


class AddressNotAllowed(errors.Refusal):
    """IP access limited."""

    laaffic = "-2"


class AccountLocked(errors.Refusal):
    """User locked."""

    laaffic = "-13"


class TimestampExpired(errors.Refusal):
    """Timestamp expired."""

    laaffic = "-16"


class Gate:
    """Opens the account that a call's headers sign for."""

    def __init__(self, directory: Directory, clock_s: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._clock_s = clock_s

    async def open(self, request: Request) -> Profile:
        """Raises, in this order: headers and key, signature, timestamp's shape (all -1), its window (-16),
        address (-2), lock (-13). Signatures are compared in constant time and may be in either letter case.
        """
        headers = request.headers
        key, timestamp, sign = headers.get("api-key"), headers.get("timestamp"), headers.get("sign")
        if not key or not timestamp or not sign:
            raise NotAuthenticated
        credential = self._directory.peek(Door.LAAFFIC, key) or await self._directory.find(Door.LAAFFIC, key)
        if credential is None:
            raise NotAuthenticated
        if not same(laaffic_sign(key, credential.secret, timestamp), sign.lower()):
            raise NotAuthenticated
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 20):
            raise NotAuthenticated
        if abs(int(self._clock_s()) - int(timestamp)) > limits.LAAFFIC_WINDOW_S:
            raise TimestampExpired
        account = credential.profile
        if account.allowed_networks and not account.allows(request.find_address()):
            raise AddressNotAllowed
        if account.locked:
            raise AccountLocked
        return account
