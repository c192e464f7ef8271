"""Wrong passwords: how long whoever tries has to wait, and when nobody listens any more. Pure; the clock is passed in.

What is counted, and what follows:

- by address: each wrong password makes the next try wait longer; after ten the address is locked out, for longer each
  time.
- by address and name, once that pair had a right one: it is known, has a count of its own, and what strangers do at
  the same address or to the same name is not held against it.
- by name: while wrong passwords come for it, strangers have to wait. It is never locked, so that nobody can lock out
  its owner who comes from elsewhere.

A name is whatever somebody signs in as: an SMPP system_id, a user of the console.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from homing import limits

K = TypeVar("K", bound=Hashable)
Pair = tuple[str, str]

IPV6_PREFIX: Final = 64
"""Whoever has one address of such a network has all of them."""


class _Count:
    __slots__ = ("at_s", "failures", "locked_until_s", "pending")

    def __init__(self) -> None:
        self.failures = 0
        self.pending = 0
        self.at_s = 0.0
        self.locked_until_s = 0.0


class _Counts(Generic[K]):
    """A bounded table of counts: the one not touched for longest goes first."""

    def __init__(self) -> None:
        self._counts: OrderedDict[K, _Count] = OrderedDict()

    def peek(self, key: K, now_s: float) -> _Count | None:
        count = self._counts.get(key)
        if count is not None and now_s > max(count.at_s + limits.PASSWORD_FORGET_S, count.locked_until_s):
            count.failures = 0
        return count

    def touch(self, key: K, now_s: float) -> _Count:
        count = self.peek(key, now_s)
        if count is None:
            count = self._counts[key] = _Count()
            if len(self._counts) > limits.PASSWORD_GUARD_KEYS_MAX:
                self._counts.popitem(last=False)
        self._counts.move_to_end(key)
        return count


class Try:
    """A password that may be looked at once `wait_s` are over."""

    __slots__ = ("address", "count", "name", "wait_s")

    def __init__(self, address: str, name: str, wait_s: float, count: _Count) -> None:
        self.address = address
        self.name = name
        self.wait_s = wait_s
        self.count = count


class PasswordGuard:
    """`may_try` before a password is looked at, then `tried` with how it went."""

    def __init__(self) -> None:
        self._addresses: _Counts[str] = _Counts()
        self._pairs: _Counts[Pair] = _Counts()
        self._targets: _Counts[str] = _Counts()
        self._known: OrderedDict[Pair, None] = OrderedDict()

    def is_known(self, address: str, name: str) -> bool:
        return (_network(address), name) in self._known

    def is_busy(self, address: str, name: str, now_s: float) -> bool:
        """Whether so many tries of this stranger are under way that another has to wait for its turn."""
        count = self._own(address, name, now_s)
        if self.is_known(address, name):
            return False
        return count.pending > 0 and count.failures + count.pending >= limits.PASSWORD_PENDING_MAX

    def may_try(self, address: str, name: str, now_s: float) -> Try | None:
        """The try, which counts as under way until `tried`; None: locked out. Its wait is the same for a right password
        and for a wrong one.
        """
        own = self._own(address, name, now_s)
        if now_s < own.locked_until_s:
            return None
        wait_s = 0.0
        if own.failures:
            wait_s = min(limits.PASSWORD_DELAY_FIRST_S * 2.0 ** min(own.failures - 1, 30), limits.PASSWORD_DELAY_S_MAX)
        if not self.is_known(address, name):
            target = self._targets.peek(name, now_s)
            beyond = target.failures - limits.PASSWORD_SPARED_FAILURES if target else 0
            if beyond > 0:
                grown_s = limits.PASSWORD_DELAY_FIRST_S * 2.0 ** min(beyond - 1, 30)
                wait_s = max(wait_s, min(grown_s, limits.PASSWORD_STRANGER_DELAY_S_MAX))
        own.pending += 1
        return Try(address, name, wait_s, own)

    def tried(self, one: Try, is_right: bool | None, now_s: float) -> None:
        """How it went; None: it could not be looked at. Once for each try."""
        one.count.pending -= 1
        if is_right:
            self._know((_network(one.address), one.name), now_s)
        elif is_right is False:
            self._blame(one.count, now_s)
            target = self._targets.touch(one.name, now_s)
            target.failures += 1
            target.at_s = now_s

    def _own(self, address: str, name: str, now_s: float) -> _Count:
        network = _network(address)
        if (network, name) in self._known:
            return self._pairs.touch((network, name), now_s)
        return self._addresses.touch(network, now_s)

    @staticmethod
    def _blame(count: _Count, now_s: float) -> None:
        count.failures += 1
        count.at_s = now_s
        beyond = count.failures - limits.PASSWORD_FAILURES_MAX
        if beyond >= 0:
            count.locked_until_s = now_s + min(
                limits.PASSWORD_LOCK_S * 2.0 ** min(beyond, 30), limits.PASSWORD_LOCK_S_MAX
            )

    def _know(self, pair: Pair, now_s: float) -> None:
        """A right password wipes out the pair's own mistakes. Those of its address stay: an attacker may have a
        customer's credential of his own.
        """
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > limits.PASSWORD_GUARD_KEYS_MAX:
            self._known.popitem(last=False)
        self._pairs.touch(pair, now_s).failures = 0


def _network(address: str) -> str:
    """An IPv4 address, or the network that an IPv6 address's owner has to himself."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), IPV6_PREFIX), strict=False))
