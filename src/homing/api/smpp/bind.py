"""Admits binds: checks credentials, address, lock and number of binds, and picks the app of the bind's messages."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from homing import limits
from homing.accounts.binds import BindRegister, RegisteredBind
from homing.accounts.directory import Directory
from homing.accounts.profile import Credential, Profile
from homing.api.http.auth_guard import AuthGuard
from homing.api.smpp.dialect import NUMBER
from homing.common.crypto import same
from homing.common.failure_counts import network_of
from homing.common.password_guard import PasswordGuard, PasswordTry
from homing.model import BindKind
from homing.smpp import pdus
from homing.smpp.statuses import CommandStatus

PASSWORD_PENDING_WAIT_S: Final = 5.0
KINDS: Final[dict[type[pdus.RequestPdu], BindKind]] = {
    pdus.BindTransmitter: BindKind.TRANSMITTER,
    pdus.BindReceiver: BindKind.RECEIVER,
    pdus.BindTransceiver: BindKind.TRANSCEIVER,
}
NOBODY: Final = "\0nobody"
"""The secret that a password is compared with where there is no such system_id, so that it takes as long."""


class BindRefused(Exception):
    """The bind is refused, with this status; `reason` is the label in the metrics."""

    def __init__(self, status: CommandStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class AdmittedBind(msgspec.Struct, frozen=True):
    """A bind that counts for its account until it is released."""

    credential: Credential
    app_id: str
    bind: RegisteredBind


class BindAuthenticator:
    """Admits binds, by the rules of the HTTP APIs and the account's number of binds."""

    def __init__(
        self,
        *,
        directory: Directory,
        register: BindRegister,
        next_id: Callable[[], int],
        auth: AuthGuard,
        binding: Sequence[int],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`binding`: the dialects whose keys serve as a system_id, in the order in which they are tried."""
        self._binding = binding
        self._directory = directory
        self._register = register
        self._next_id = next_id
        self._clock_s = clock_s
        self._auth = auth
        self._guard = PasswordGuard()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def admit(self, request: pdus.BindRequest, address: str) -> AdmittedBind:
        """Raises `BindRefused`, or a `PlatformFailure`. A right password that is refused for another reason is not
        counted as a wrong one. Wrong passwords over HTTP count here, and the other way round.
        """
        attempt = await self._turn(address, request.system_id)
        is_right: bool | None = None
        try:
            await asyncio.sleep(attempt.wait_s)
            credential = await self._find(request.system_id, request.password, address)
            is_right = await self._auth.passes(
                NUMBER, request.system_id, address, credential is not None, has_waited=True
            )
        finally:
            self._guard.tried(attempt, is_right, self._clock_s())
            self._wake(address)
        if credential is None or not is_right:
            # One status for both, so that nobody learns which system_ids exist.
            raise BindRefused(CommandStatus.RINVPASWD, "password")
        account = credential.profile
        check_account(account, address)
        bind = RegisteredBind(account.account_id, self._next_id(), KINDS[type(request)], request.system_id, address)
        if not await self._register.take(bind):
            raise BindRefused(CommandStatus.RALYBND, "too_many")
        return AdmittedBind(credential, app_of(account, request.system_type), bind)

    def account_named(self, system_id: str) -> int | None:
        """Whose key a system_id is, as far as is known without asking the database."""
        credentials = (self._directory.peek(dialect, system_id) for dialect in self._binding)
        return next((each.profile.account_id for each in credentials if each is not None), None)

    async def _turn(self, address: str, system_id: str) -> PasswordTry:
        """Waits until fewer passwords of this address are being checked."""
        try:
            async with asyncio.timeout(PASSWORD_PENDING_WAIT_S):
                while self._guard.is_busy(address, system_id, self._clock_s()):
                    await self._woken(address)
        except TimeoutError:
            raise BindRefused(CommandStatus.RTHROTTLED, "busy") from None
        attempt = self._guard.may_try(address, system_id, self._clock_s())
        if attempt is None:
            self._wake(address)
            raise BindRefused(CommandStatus.RBINDFAIL, "locked_out")
        return attempt

    async def _woken(self, address: str) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(network_of(address), deque()).append(waiter)
        await waiter

    def _wake(self, address: str) -> None:
        """Wakes the next waiters, as many as may be checked at once."""
        network = network_of(address)  # passwords are counted by network
        waiting = self._waiting.get(network)
        if waiting is None:
            return
        woken = 0
        while waiting and woken < limits.PASSWORD_PENDING_MAX:
            waiter = waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                woken += 1
        if not waiting:
            del self._waiting[network]

    async def _find(self, system_id: str, password: str, address: str) -> Credential | None:
        """The credential with this system_id and password. Passwords are compared in constant time, and one is compared
        in any case. Raises `BindRefused` where no credential of that name may be used from the address, before it tells
        whether the password is right.
        """
        matching: Credential | None = None
        credentials = [await self._directory.find(dialect, system_id) for dialect in self._binding]
        profiles = [credential.profile for credential in credentials if credential]
        if profiles and not any(_is_allowed(profile, address) for profile in profiles):
            raise BindRefused(CommandStatus.RBINDFAIL, "address")
        for credential in credentials:
            if same(credential.secret if credential else NOBODY, password) and matching is None:
                matching = credential
        return matching


def check_account(account: Profile, address: str) -> None:
    """Raises `BindRefused` when the account may not be bound from there. Checked again while it is bound."""
    if not _is_allowed(account, address):
        raise BindRefused(CommandStatus.RBINDFAIL, "address")
    if account.locked:
        raise BindRefused(CommandStatus.RBINDFAIL, "locked")


def app_of(account: Profile, system_type: str) -> str:
    """The id of the app that the system_type names; else of the account's default app; '' without one."""
    if system_type in account.apps:
        return system_type
    return account.default_app.app_id if account.default_app else ""


def _is_allowed(account: Profile, address: str) -> bool:
    return not account.allowed_networks or account.allows(address)
