"""Counts of wrong passwords in bounded tables, by address and by network. Pure."""

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Final, Generic, TypeVar

from homing import limits

PASSWORD_LOCK_S: Final = 60.0  # the first time, then doubling with each further failure
PASSWORD_LOCK_S_MAX: Final = 3_600.0
PASSWORD_DELAY_FIRST_S: Final = 0.5  # after the first wrong password, then doubling
PASSWORD_SPARED_FAILURES: Final = 5  # of a name (a system_id, a user) from anywhere, before strangers have to wait
PASSWORD_STRANGER_DELAY_S_MAX: Final = 3.0
PASSWORD_FORGET_S: Final = 900.0  # without a further one, wrong passwords are forgotten
K = TypeVar("K", bound=Hashable)

IPV6_PREFIX: Final = 64
"""A host with one address of such a network has all of them."""
IPV6_WIDER: Final = ((56, 4), (48, 16))
"""Networks that one customer of a provider can have, with the factor by which their limits are higher."""


class FailureCount:
    __slots__ = ("at_s", "failures", "locked_until_s", "pending")

    def __init__(self) -> None:
        self.failures = 0
        self.pending = 0
        self.at_s = 0.0
        self.locked_until_s = 0.0

    def add(self, now_s: float, failures_max: int | None = None) -> bool:
        """Counts a failure. From `failures_max` on it locks, for longer each time; gives whether it locked now."""
        self.failures += 1
        self.at_s = now_s
        if failures_max is None or self.failures < failures_max:
            return False
        excess = min(self.failures - failures_max, 30)
        self.locked_until_s = now_s + min(PASSWORD_LOCK_S * 2.0**excess, PASSWORD_LOCK_S_MAX)
        return True


class FailureCounts(Generic[K]):
    """A bounded table of counts, of which the least recently used is dropped."""

    def __init__(self) -> None:
        self._counts: OrderedDict[K, FailureCount] = OrderedDict()

    def peek(self, key: K, now_s: float) -> FailureCount | None:
        count = self._counts.get(key)
        if count is not None and now_s > max(count.at_s + PASSWORD_FORGET_S, count.locked_until_s):
            count.failures = 0
        return count

    def touch(self, key: K, now_s: float) -> FailureCount:
        count = self.peek(key, now_s)
        if count is None:
            count = self._counts[key] = FailureCount()
            if len(self._counts) > limits.PASSWORD_GUARD_KEYS_MAX:
                self._counts.popitem(last=False)
        self._counts.move_to_end(key)
        return count

    def is_locked(self, key: K, now_s: float) -> bool:
        count = self._counts.get(key)
        return count is not None and now_s < count.locked_until_s


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), IPV6_PREFIX), strict=False))


def wider_networks(network: str) -> Sequence[tuple[str, int]]:
    """The wider networks of a network of `network_of`, each with the factor by which its limits are higher."""
    if ":" not in network or "/" not in network:
        return ()
    inner = ipaddress.IPv6Network(network)
    return [(str(inner.supernet(new_prefix=prefix)), factor) for prefix, factor in IPV6_WIDER]
