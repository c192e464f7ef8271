"""Connections that have not bound: strangers for all we know. So many at once, and when there are more, one of those
goes of which there are most, so that no stranger keeps a customer out.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from homing.kit.failure_counts import network_of

T = TypeVar("T")


class UnboundConnections(Generic[T]):
    """Who has connected and not bound, by network. `drop` ends one of them, and is called at most once for each."""

    def __init__(self, *, items_max: int, per_network_max: int, known_max: int, drop: Callable[[T], None]) -> None:
        """`known_max`: of so many networks it is remembered that they have bound."""
        self._items_max = items_max
        self._per_network_max = per_network_max
        self._known_max = known_max
        self._drop = drop
        self._networks: dict[str, dict[T, None]] = {}
        self._network_of: dict[T, str] = {}
        self._known: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._network_of)

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._network_of))

    def add(self, item: T, address: str) -> None:
        """Takes one in; where that makes too many, the oldest of the network with the most goes, of one that has never
        bound if there is any.
        """
        network = network_of(address)
        items = self._networks.setdefault(network, {})
        items[item] = None
        self._network_of[item] = network
        if len(items) > self._per_network_max:
            self._drop_oldest(network)
        elif len(self) > self._items_max:
            self.make_room()

    def make_room(self) -> bool:
        """Lets one go, as `add` does where there are too many. False: there is none."""
        if not self._networks:
            return False
        strangers = [name for name in self._networks if name not in self._known]
        self._drop_oldest(max(strangers or self._networks, key=lambda name: len(self._networks[name])))
        return True

    def discard(self, item: T) -> None:
        """It is gone, or no newcomer any more."""
        network = self._network_of.pop(item, None)
        if network is not None:
            items = self._networks[network]
            del items[item]
            if not items:
                del self._networks[network]

    def bound(self, item: T, address: str) -> None:
        """It has bound: it is no newcomer, and its network is none of a stranger."""
        self.discard(item)
        network = network_of(address)
        self._known.pop(network, None)
        self._known[network] = None
        if len(self._known) > self._known_max:
            del self._known[next(iter(self._known))]

    def _drop_oldest(self, network: str) -> None:
        oldest = next(iter(self._networks[network]))
        self.discard(oldest)
        self._drop(oldest)
