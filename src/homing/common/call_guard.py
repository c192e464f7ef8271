"""Guessed passwords of API calls, of which any number come at once. Pure; the clock is passed in.

It differs from binds and people (common/password_guard.py) in two points. A right password from an address where it
was right before always passes without delay: a customer's machine with an old secret must not stop the others. And
wrong passwords do not stop all callers of an address at once: a name is locked for the address after ten, the address
for all unknown callers after many more.
"""

from collections import OrderedDict
from typing import Final

from homing import limits
from homing.common.failure_counts import (
    PASSWORD_DELAY_FIRST_S,
    PASSWORD_SPARED_FAILURES,
    PASSWORD_STRANGER_DELAY_S_MAX,
    FailureCounts,
    network_of,
    wider_networks,
)

Lock = tuple[str, str]
"""A network, and the name that it may not try; "" for any."""


LOOPBACK: Final = ("127.", "::/")
"""The machine itself, or a proxy on it that is not configured as trusted: all customers may share it, so it is never
locked as a whole.
"""


class CallGuard:
    """For an unknown caller: wait `wait_s`, then check `is_locked`, check the password and report the result without an
    await in between, so that concurrent calls cannot all have their passwords checked.
    """

    def __init__(self) -> None:
        self._pairs: FailureCounts[Lock] = FailureCounts()
        self._networks: FailureCounts[str] = FailureCounts()
        self._names: FailureCounts[str] = FailureCounts()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def is_known(self, address: str, name: str) -> bool:
        return (address, name) in self._known

    def wait_s(self, name: str, now_s: float) -> float:
        """The delay of unknown callers for this name, in seconds."""
        count = self._names.peek(name, now_s)
        excess = count.failures - PASSWORD_SPARED_FAILURES if count else 0
        if excess <= 0:
            return 0.0
        return min(PASSWORD_DELAY_FIRST_S * 2.0 ** min(excess - 1, 30), PASSWORD_STRANGER_DELAY_S_MAX)

    def is_locked(self, address: str, name: str, now_s: float) -> bool:
        network = network_of(address)
        if self._pairs.is_locked((network, name), now_s) or self._networks.is_locked(network, now_s):
            return True
        return any(self._networks.is_locked(wider, now_s) for wider, _factor in wider_networks(network))

    def know(self, address: str, name: str) -> None:
        """Records that its password was right from this address."""
        self._known[(address, name)] = None
        if len(self._known) > limits.PASSWORD_GUARD_KEYS_MAX:
            self._known.popitem(last=False)

    def wrong(self, address: str, name: str, now_s: float) -> dict[Lock, float]:
        """Counts a wrong password; gives the locks that follow, with their seconds."""
        network = network_of(address)
        self._names.touch(name, now_s).add(now_s)
        locks: dict[Lock, float] = {}
        pair = self._pairs.touch((network, name), now_s)
        if pair.add(now_s, limits.PASSWORD_FAILURES_MAX):
            locks[(network, name)] = pair.locked_until_s - now_s
        if network.startswith(LOOPBACK):
            return locks
        for wide, factor in ((network, 1), *wider_networks(network)):
            count = self._networks.touch(wide, now_s)
            if count.add(now_s, factor * limits.PASSWORD_ADDRESS_FAILURES_MAX):
                locks[(wide, "")] = count.locked_until_s - now_s
        return locks

    def lock(self, lock: Lock, until_s: float, now_s: float) -> None:
        """Takes over another process's lock."""
        network, name = lock
        count = self._pairs.touch(lock, now_s) if name else self._networks.touch(network, now_s)
        count.locked_until_s = max(count.locked_until_s, until_s)
