"""Slows down, locks out, counts and logs those who guess passwords of keys (common/call_guard.py).

The answer to a locked-out caller is that to a wrong password. Locks are rows: every few seconds each process writes its
own and reads those of the others.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal

import structlog
from prometheus_client import CollectorRegistry, Counter

from homing import errors, limits
from homing.common.call_guard import CallGuard, Lock
from homing.common.failure_counts import network_of
from homing.common.storable_text import storable_text
from homing.dialects.base import Dialects
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.passwords import KnownPassword, NewPasswordLock

PASSWORD_LOCKS_S: Final = 3.0  # between two exchanges of locks with other processes
PASSWORD_LOCKS_PENDING_MAX: Final = 1_000  # not yet stored
log = structlog.get_logger()

Reason = Literal["key", "password", "locked_out", "address"]


class AuthGuard:
    """One for all of a process's dialects. `database`: where locks are shared."""

    def __init__(
        self,
        *,
        database: Database,
        registry: CollectorRegistry,
        dialects: Dialects,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dialects = dialects
        self._database = database
        self._clock_s = clock_s
        self._guard = CallGuard()
        self._locks: dict[Lock, tuple[int, float]] = {}
        self._good_pairs: set[tuple[str, str]] = set()
        self._lookups: OrderedDict[tuple[str, str], tuple[asyncio.Task[bool], float]] = OrderedDict()
        self._failures = Counter(
            "homing_auth_failures", "Calls whose credentials were refused", ("dialect", "reason"), registry=registry
        )

    async def passes(self, dialect: int, name: str, address: str, is_right: bool, *, has_waited: bool = False) -> bool:
        """Whether a call may go on; `name` is its key. A stranger may have to wait, unless he has already."""
        guard = self._guard
        if is_right and guard.is_known(address, name):
            return True
        is_locked = guard.is_locked(address, name, self._clock_s())
        wait_s = 0.0 if has_waited or is_locked else guard.wait_s(name, self._clock_s())
        if wait_s and not guard.is_known(address, name) and not await self._was_right(address, name):
            await asyncio.sleep(wait_s)
        if guard.is_locked(address, name, self._clock_s()) and not (await self._was_right(address, name) and is_right):
            self.count(dialect, "locked_out")
            return False
        if is_right:
            guard.know(address, name)
            if len(self._good_pairs) < PASSWORD_LOCKS_PENDING_MAX:
                self._good_pairs.add(_row(network_of(address), name))
            return True
        self._wrong(dialect, name, address, "password")
        return False

    async def _was_right(self, address: str, name: str) -> bool:
        """Whether it was so before this process began, or at another one. Asked of wrong passwords too, or the time
        that a right one takes would tell it to who is locked out; the database is asked once in a while for a pair.
        """
        pair, now_s = _row(network_of(address), name), self._clock_s()
        lookup, until_s = self._lookups.get(pair, (None, 0.0))
        if lookup is None or now_s >= until_s:
            lookup = asyncio.get_running_loop().create_task(self._ask(pair))
            self._lookups[pair] = lookup, now_s + PASSWORD_LOCKS_S
            self._lookups.move_to_end(pair)
            if len(self._lookups) > limits.PASSWORD_GUARD_KEYS_MAX:
                self._lookups.popitem(last=False)
        return await asyncio.shield(lookup)

    async def _ask(self, pair: tuple[str, str]) -> bool:
        try:
            return await statements.passwords.password_known(self._database, network=pair[0], name=pair[1]) is not None
        except errors.PlatformFailure:
            return False

    def unknown(self, dialect: int, name: str, address: str) -> None:
        """Counts an attempt with an unknown key."""
        if self._guard.is_locked(address, name, self._clock_s()):
            self.count(dialect, "locked_out")
        else:
            self._wrong(dialect, name, address, "key")

    def count(self, dialect: int, reason: Reason) -> None:
        self._failures.labels(self._dialects.name_of(dialect), reason).inc()

    def _wrong(self, dialect: int, name: str, address: str, reason: Reason) -> None:
        self.count(dialect, reason)
        now_s = self._clock_s()
        for (network, locked), left_s in self._guard.wrong(address, name, now_s).items():
            if len(self._locks) < PASSWORD_LOCKS_PENDING_MAX:
                self._locks[_row(network, locked)] = dialect, left_s

    async def share_for_ever(self) -> None:
        """Exchanges locks with the other processes every few seconds."""
        while True:
            await asyncio.sleep(PASSWORD_LOCKS_S)
            with contextlib.suppress(errors.PlatformFailure):
                await self.share()

    async def share(self) -> None:
        """Exchanges locks once. Raises a `PlatformFailure`; the locks are then written the next time."""
        locks, self._locks = dict(sorted(self._locks.items())), {}
        good_pairs, self._good_pairs = self._good_pairs, set()
        try:
            await self._share(locks, good_pairs)
        except errors.PlatformFailure:
            self._locks = {**locks, **self._locks}
            self._good_pairs |= good_pairs
            raise

    async def _share(self, locks: dict[Lock, tuple[int, float]], good_pairs: set[tuple[str, str]]) -> None:
        if good_pairs:
            pairs = sorted(good_pairs)  # in one order, so that processes do not wait for each other in a circle
            await statements.passwords.password_known_add(
                self._database, pairs=[KnownPassword(network=network, name=name) for network, name in pairs]
            )
        if locks:
            rows = await statements.passwords.password_locks_add(
                self._database,
                locks=[
                    NewPasswordLock(network=network, name=name, dialect=dialect, left_s=left_s)
                    for (network, name), (dialect, left_s) in locks.items()
                ],
            )
            for row in rows:
                if row.is_new:
                    dialect = self._dialects.name_of(row.dialect)
                    log.warning("passwords_guessed", dialect=dialect, address=row.network, key=row.name)
        now_s = self._clock_s()
        for lock in await statements.passwords.password_locks(
            self._database, rows_max=limits.PASSWORD_LOCKED_ITEMS_MAX
        ):
            self._guard.lock((lock.network, lock.name), now_s + lock.left_s, now_s)


def _row(network: str, name: str) -> tuple[str, str]:
    """The pair in a form that PostgreSQL can store: both come from callers."""
    return storable_text(network, limits.KEY_CHARS_MAX), storable_text(name, limits.KEY_CHARS_MAX)
