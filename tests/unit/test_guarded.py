"""Where pushes may go: public addresses, and what the operator allows; in whatever form an address is written."""

from ipaddress import ip_network

import pytest

from homing.admin.account_settings import check_url
from homing.common.urls import is_web_address
from homing.delivery.safe_http import AddressRefused, check_address
from homing.errors import InvalidInput

PRIVATE = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fc00::1"],
    "link-local, cloud metadata": ["169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254"],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.255"],
    "this network": ["0.0.0.0", "0.1.2.3", "::"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1"],
    "documentation and benchmarks": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "2001:db8::1"],
    "IPv4 mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1"],
    "IPv4 compatible": ["::127.0.0.1", "::10.0.0.1"],
    "6to4": ["2002:7f00:1::1", "2002:a00:1::1", "2002:a9fe:a9fe::"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1"],
    "Teredo": ["2001::1"],
    "site-local": ["fec0::1"],
}
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", [one for listed in PRIVATE.values() for one in listed])
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match="not a public address"):
        check_address(address, [])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_let_through(address: str) -> None:
    check_address(address, [])


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "2002:a01:203::1", "fd00::7", "127.0.0.1"])
def test_what_the_operator_allows_is_let_through(address: str) -> None:
    check_address(address, [ip_network("10.0.0.0/8"), ip_network("fd00::/16"), ip_network("127.0.0.1/32")])


@pytest.mark.parametrize("address", ["10.1.2.3", "127.0.0.2", "fd01::7", "::ffff:192.168.0.1", "::1"])
def test_an_allowance_reaches_no_further_than_it_says(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(address, [ip_network("10.2.0.0/16"), ip_network("fd00::/16"), ip_network("127.0.0.1/32")])


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https:///x",
        "http://:80/x",
        "http://a:99999/",
        "http://a:x/",
        "http://[::1/",
        "ftp://a/",
        " http://a/",
    ],
)
def test_what_nothing_can_be_posted_to_is_no_address(url: str) -> None:
    assert not is_web_address(url)
    with pytest.raises(InvalidInput):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://a", "HTTPS://A.example:8443/x?y=%2F#z", "http://[::1]:80/", "http://ü.example/é"]
)
def test_what_can_be_posted_to_is_an_address(url: str) -> None:
    assert is_web_address(url)
    check_url(url)
