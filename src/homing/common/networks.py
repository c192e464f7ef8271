"""IPv4 and IPv6 addresses and networks."""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks; an IPv4-mapped IPv6 address counts as IPv4. Text that is not
    an address is in none.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return any(ip.version == network.version and ip in network for network in networks)
