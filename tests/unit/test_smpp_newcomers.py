"""Connections that have not bound: who goes when there are too many."""

from homing.api.smpp.unbound import UnboundConnections
from homing.common.failure_counts import network_of


def newcomers(dropped: list[str], items: int = 5, per_network: int = 4) -> UnboundConnections[str]:
    return UnboundConnections(items_max=items, per_network_max=per_network, known_max=2, drop=dropped.append)


def test_an_ipv6_network_of_64_bits_counts_as_one_and_a_mapped_address_as_what_it_is() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("") == ""


def test_the_oldest_of_the_network_with_the_most_goes() -> None:
    dropped: list[str] = []
    waiting = newcomers(dropped)
    for n in range(3):
        waiting.add(f"flood-{n}", "192.0.2.1")
    waiting.add("a", "192.0.2.2")
    waiting.add("b", "192.0.2.3")
    assert dropped == []
    waiting.add("c", "192.0.2.4")
    assert dropped == ["flood-0"]
    assert len(waiting) == 5


def test_one_network_has_no_more_than_its_share_and_loses_its_own() -> None:
    dropped: list[str] = []
    waiting = newcomers(dropped, items=100)
    for n in range(6):
        waiting.add(f"v6-{n}", f"2001:db8::{n:x}")
    assert dropped == ["v6-0", "v6-1"]


def test_whoever_has_bound_before_is_not_dropped_for_strangers() -> None:
    dropped: list[str] = []
    waiting = newcomers(dropped, items=3, per_network=10)
    waiting.add("customer", "198.51.100.1")
    waiting.bound("customer", "198.51.100.1")
    for n in range(3):
        waiting.add(f"again-{n}", "198.51.100.1")
    waiting.add("stranger", "192.0.2.1")
    assert dropped == ["stranger"], "though the customer has more"
    waiting.discard("again-0")
    waiting.discard("again-0")
    assert len(waiting) == 2


def test_all_of_one_are_forgotten_when_they_go() -> None:
    dropped: list[str] = []
    waiting = newcomers(dropped, items=5, per_network=4)
    for n in range(50):
        waiting.add(f"{n}", f"192.0.2.{n % 2}")
        waiting.discard(f"{n}")
    assert len(waiting) == 0
    for n in range(4):
        waiting.add(f"next-{n}", "192.0.2.0")
    assert dropped == [], "who has gone counts no more"


def test_room_is_made_by_letting_a_stranger_go_as_long_as_there_is_one() -> None:
    dropped: list[str] = []
    waiting = newcomers(dropped)
    waiting.add("a", "192.0.2.1")
    waiting.add("b", "192.0.2.2")
    waiting.add("c", "192.0.2.2")
    assert [waiting.make_room() for _ in range(4)] == [True, True, True, False]
    assert dropped[0] == "b"
    assert sorted(dropped) == ["a", "b", "c"]
