"""Wrong passwords: how long whoever tries has to wait, and when nobody listens any more. Pure; the clock is passed in.

What is counted, and what follows:

- by address (of IPv6 by /64; by /56 and /48 too, with more to spare): each wrong password makes the next try wait
  longer; after ten the address is locked out, for longer each time.
- by address and name, once that pair had a right one: it is known, has a count of its own, and what strangers do at
  the same address or to the same name is not held against it.
- by name: while wrong passwords come for it, strangers have to wait. It is never locked, so that nobody can lock out
  its owner who comes from elsewhere.

A name is whatever somebody signs in as: an SMPP system_id, a user of the console.
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
    """A password that may be looked at once `wait_s` are over."""

    __slots__ = ("address", "count", "name", "wait_s")

    def __init__(self, *, address: str, name: str, wait_s: float, count: FailureCount) -> None:
        self.address = address
        self.name = name
        self.wait_s = wait_s
        self.count = count


class PasswordGuard:
    """`may_try` before a password is looked at, then `tried` with how it went."""

    def __init__(self) -> None:
        self._addresses: FailureCounts[str] = FailureCounts()
        self._wider: FailureCounts[str] = FailureCounts()
        self._pairs: FailureCounts[Pair] = FailureCounts()
        self._targets: FailureCounts[str] = FailureCounts()
        self._known: OrderedDict[Pair, None] = OrderedDict()

    def is_known(self, address: str, name: str) -> bool:
        return (network_of(address), name) in self._known

    def is_busy(self, address: str, name: str, now_s: float) -> bool:
        """Whether so many tries of this stranger are under way that another has to wait for its turn."""
        count = self._own(address, name, now_s)
        if self.is_known(address, name):
            return False
        return count.pending > 0 and count.failures + count.pending >= limits.PASSWORD_PENDING_MAX

    def may_try(self, address: str, name: str, now_s: float) -> PasswordTry | None:
        """The try, which counts as under way until `tried`; None: locked out. Its wait is the same for a right password
        and for a wrong one.
        """
        own = self._own(address, name, now_s)
        if now_s < own.locked_until_s or self._is_wider_locked(address, name, now_s):
            return None
        wait_s = 0.0
        if own.failures:
            wait_s = min(PASSWORD_DELAY_FIRST_S * 2.0 ** min(own.failures - 1, 30), PASSWORD_DELAY_S_MAX)
        if not self.is_known(address, name):
            target = self._targets.peek(name, now_s)
            beyond = target.failures - PASSWORD_SPARED_FAILURES if target else 0
            if beyond > 0:
                grown_s = PASSWORD_DELAY_FIRST_S * 2.0 ** min(beyond - 1, 30)
                wait_s = max(wait_s, min(grown_s, PASSWORD_STRANGER_DELAY_S_MAX))
        own.pending += 1
        return PasswordTry(address=address, name=name, wait_s=wait_s, count=own)

    def tried(self, one: PasswordTry, is_right: bool | None, now_s: float) -> None:
        """How it went; None: it could not be looked at. Once for each try."""
        one.count.pending -= 1
        if is_right:
            self._know((network_of(one.address), one.name), now_s)
        elif is_right is False:
            one.count.add(now_s, limits.PASSWORD_FAILURES_MAX)
            if not self.is_known(one.address, one.name):
                for network, factor in wider_networks(network_of(one.address)):
                    self._wider.touch(network, now_s).add(now_s, factor * limits.PASSWORD_FAILURES_MAX)
            target = self._targets.touch(one.name, now_s)
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
        """A right password wipes out the pair's own mistakes. Those of its address stay: an attacker may have a
        customer's credential of his own.
        """
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > limits.PASSWORD_GUARD_KEYS_MAX:
            self._known.popitem(last=False)
        self._pairs.touch(pair, now_s).failures = 0
