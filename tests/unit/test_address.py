"""Who is calling: the peer, or what trusted proxies say; and whom an account's allow-list lets in."""

from ipaddress import ip_network

import pytest

from homing.accounts.profile import Profile
from homing.common.client_address import client_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "caller"),
    [
        ("203.0.113.5", None, "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),  # anybody can write the header
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # what the caller wrote before the proxy added
        ("10.0.0.1", "198.51.100.1,10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", " 198.51.100.1 , 10.0.0.2 ", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("fd00::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.5", "198.51.100.1", "::ffff:203.0.113.5"),
        ("10.0.0.1", "::ffff:10.0.0.2", "::ffff:10.0.0.2"),
        ("10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711, 10.0.0.2:80", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, [fd00::2]:80", "198.51.100.1"),
    ],
)
def test_the_caller_is_the_first_from_the_right_that_is_no_trusted_proxy(
    peer: str, forwarded_for: str | None, caller: str
) -> None:
    assert client_address(peer, [] if forwarded_for is None else [forwarded_for], PROXIES) == caller


@pytest.mark.parametrize(
    ("lines", "caller"),
    [
        (["203.0.113.7", "198.51.100.9"], "198.51.100.9"),  # the caller's own line, then the proxy's
        (["203.0.113.7", "198.51.100.9", "10.0.0.2"], "198.51.100.9"),
        (["203.0.113.7, 198.51.100.9", "10.0.0.2, 10.0.0.3"], "198.51.100.9"),
        (["203.0.113.7", ""], ""),
    ],
)
def test_several_lines_are_one_list_in_their_order(lines: list[str], caller: str) -> None:
    assert client_address("10.0.0.1", lines, PROXIES) == caller


@pytest.mark.parametrize("forwarded_for", ["198.51.100.1", "10.0.0.2, 198.51.100.1"])
def test_without_trusted_proxies_the_header_is_not_read(forwarded_for: str) -> None:
    assert client_address("10.0.0.1", [forwarded_for], []) == "10.0.0.1"


@pytest.mark.parametrize("hop", ["unknown", "_hidden", "1.2.3.4.5", "", "::::", "10.0.0.2:8080x", "\0"])
def test_a_hop_that_is_no_address_is_not_passed_over(hop: str) -> None:
    """It counts as the caller, whom no allow-list knows: what stands left of it is the caller's own word."""
    caller = client_address("10.0.0.1", [f"198.51.100.1, {hop}"], PROXIES)
    assert caller != "198.51.100.1"
    assert not profile("0.0.0.0/0", "::/0").allows(caller)


def profile(*networks: str) -> Profile:
    return Profile(1, "a", False, tuple(map(ip_network, networks)), 20, False, None, frozenset(), {}, ())


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ((), "203.0.113.5", True),
        ((), "no address", True),
        (("203.0.113.5/32",), "203.0.113.5", True),
        (("203.0.113.5/32",), "203.0.113.6", False),
        (("203.0.113.0/24", "2001:db8::/32"), "2001:db8::9", True),
        (("203.0.113.0/24",), "2001:db8::9", False),
        (("203.0.113.0/24",), "::ffff:203.0.113.9", True),
        (("2001:db8::/32",), "2001:db9::1", False),
        (("0.0.0.0/0",), "2001:db8::9", False),
        (("0.0.0.0/0", "::/0"), "no address", False),
    ],
)
def test_an_allow_list_knows_both_versions_and_mapped_addresses(
    networks: tuple[str, ...], address: str, allowed: bool
) -> None:
    assert profile(*networks).allows(address) is allowed
