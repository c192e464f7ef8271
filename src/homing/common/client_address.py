"""The address a call really came from: the socket's peer, or what trusted proxies say of it."""

from collections.abc import Sequence

from homing.common.networks import Network, is_within


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The caller's IP address.

    `forwarded_for`: the lines of X-Forwarded-For in their order, which are one list (RFC 9110, section 5.3). It counts
    only as far as the chain is made of trusted proxies: it is read from the right, and the first address that is not a
    trusted proxy's is the caller. Anybody can write the header, so without a trusted peer it is not read at all.
    """
    if not forwarded_for or not trusted or not is_within(peer, trusted):
        return peer
    hops = ",".join(forwarded_for)
    if not hops:
        return peer
    caller = peer
    for hop in reversed(hops.split(",")):
        caller = _without_port(hop.strip())
        if not is_within(caller, trusted):
            break
    return caller


def _without_port(hop: str) -> str:
    """`203.0.113.9:4711` and `[2001:db8::1]:4711` are what some load balancers write; what is no address stays."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    address, colon, port = hop.partition(":")
    return address if colon and "." in address and port.isascii() and port.isdigit() else hop
