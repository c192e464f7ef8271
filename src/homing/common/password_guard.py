"""Guessed passwords: delays and lock-outs. Pure; the clock is passed in.

Wrong passwords are counted

- by address (IPv6 by /64, and with higher limits by /56 and /48): each delays the next attempt longer; after ten the
  address is locked out, for longer each time.
- by address and name, once that pair had a right password: it is known and has its own count, and wrong passwords of
  others at the address or for the name do not affect it.
- by name: while wrong passwords are tried for it, unknown pairs are delayed. It is never locked, so that nobody can
  lock out its owner elsewhere.

A name is what somebody signs in as: an SMPP system_id, a user of the console.
"""

from collections import OrderedDict
from typing import Final

from homing import limits
from homing.common.failure_counts import (
    PASSWORD_DELAY_FIRST_S,
    PASSWORD_SPARED_FAILURES,
    PASSWORD_STRANGER_DELAY_S_MAX,
    FailureCount,
    FailureCounts,
    network_of,
    wider_networks,
)

PASSWORD_DELAY_S_MAX: Final = 8.0


Pair = tuple[str, str]


class PasswordTry:
    """An attempt whose password may be checked after `wait_s`."""

    __slots__ = ("address", "count", "name", "wait_s")

    def __init__(self, *, address: str, name: str, wait_s: float, count: FailureCount) -> None:
        self.address = address
        self.name = name
        self.wait_s = wait_s
        self.count = count


class PasswordGuard:
    """`may_try` before a password is checked, then `tried` with the result."""

    def __init__(self) -> None:
        self._addresses: FailureCounts[str] = FailureCounts()
        self._wider: FailureCounts[str] = FailureCounts()
        self._pairs: FailureCounts[Pair] = FailureCounts()
        self._targets: FailureCounts[str] = FailureCounts()
        self._known: OrderedDict[Pair, None] = OrderedDict()

    def is_known(self, address: str, name: str) -> bool:
        return (network_of(address), name) in self._known

    def is_busy(self, address: str, name: str, now_s: float) -> bool:
        """Whether an unknown pair has so many attempts in progress that another has to wait."""
        count = self._own(address, name, now_s)
        if self.is_known(address, name):
            return False
        return count.pending > 0 and count.failures + count.pending >= limits.PASSWORD_PENDING_MAX

    def may_try(self, address: str, name: str, now_s: float) -> PasswordTry | None:
        """The attempt, which is in progress until `tried`; None: locked out. Its delay is the same for a right and a
        wrong password.
        """
        own = self._own(address, name, now_s)
        if now_s < own.locked_until_s or self._is_wider_locked(address, name, now_s):
            return None
        wait_s = 0.0
        if own.failures:
            wait_s = min(PASSWORD_DELAY_FIRST_S * 2.0 ** min(own.failures - 1, 30), PASSWORD_DELAY_S_MAX)
        if not self.is_known(address, name):
            target = self._targets.peek(name, now_s)
            excess = target.failures - PASSWORD_SPARED_FAILURES if target else 0
            if excess > 0:
                grown_s = PASSWORD_DELAY_FIRST_S * 2.0 ** min(excess - 1, 30)
                wait_s = max(wait_s, min(grown_s, PASSWORD_STRANGER_DELAY_S_MAX))
        own.pending += 1
        return PasswordTry(address=address, name=name, wait_s=wait_s, count=own)

    def tried(self, attempt: PasswordTry, is_right: bool | None, now_s: float) -> None:
        """Records the result, once for each attempt; None: the password could not be checked."""
        attempt.count.pending -= 1
        if is_right:
            self._know((network_of(attempt.address), attempt.name), now_s)
        elif is_right is False:
            attempt.count.add(now_s, limits.PASSWORD_FAILURES_MAX)
            if not self.is_known(attempt.address, attempt.name):
                for network, factor in wider_networks(network_of(attempt.address)):
                    self._wider.touch(network, now_s).add(now_s, factor * limits.PASSWORD_FAILURES_MAX)
            target = self._targets.touch(attempt.name, now_s)
            target.failures += 1
            target.at_s = now_s

    def _is_wider_locked(self, address: str, name: str, now_s: float) -> bool:
        if self.is_known(address, name):
            return False
        return any(self._wider.is_locked(network, now_s) for network, _factor in wider_networks(network_of(address)))

    def _own(self, address: str, name: str, now_s: float) -> FailureCount:
        network = network_of(address)
        if (network, name) in self._known:
            return self._pairs.touch((network, name), now_s)
        return self._addresses.touch(network, now_s)

    def _know(self, pair: Pair, now_s: float) -> None:
        """A right password resets the pair's own count. The address's stays: an attacker may have a valid credential of
        his own.
        """
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > limits.PASSWORD_GUARD_KEYS_MAX:
            self._known.popitem(last=False)
        self._pairs.touch(pair, now_s).failures = 0
