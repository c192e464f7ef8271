"""Bounds the connections that have not bound. When there are too many, one of the network with the most is dropped, so
that nobody keeps a customer out by connecting.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from homing.common.failure_counts import network_of

T = TypeVar("T")


class UnboundConnections(Generic[T]):
    """Connections without a bind, by network. `drop` ends one, and is called at most once for each."""

    def __init__(self, *, items_max: int, per_network_max: int, known_max: int, drop: Callable[[T], None]) -> None:
        """`known_max`: for how many networks it is remembered that they have bound."""
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
        """Adds a connection. Where that makes too many, drops the oldest of the network with the most, preferring
        networks that have never bound.
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
        """Drops one, as `add` does where there are too many. False: there is none."""
        if not self._networks:
            return False
        unknown = [name for name in self._networks if name not in self._known]
        self._drop_oldest(max(unknown or self._networks, key=lambda name: len(self._networks[name])))
        return True

    def discard(self, item: T) -> None:
        """It is closed, or bound."""
        network = self._network_of.pop(item, None)
        if network is not None:
            items = self._networks[network]
            del items[item]
            if not items:
                del self._networks[network]

    def bound(self, item: T, address: str) -> None:
        """It has bound: it no longer counts, and its network is remembered."""
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
