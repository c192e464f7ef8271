"""The address of a call's client: the socket's peer, or the address that trusted proxies report."""

from collections.abc import Sequence

from homing.common.networks import Network, is_within


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client's IP address.

    `forwarded_for`: the lines of X-Forwarded-For in their order, which are one list (RFC 9110, section 5.3). It is
    read from the right, and the first address that is not a trusted proxy's is the client's. Anybody can send the
    header, so it is ignored unless the peer is trusted.
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
    """`203.0.113.9:4711` and `[2001:db8::1]:4711` are the form of some load balancers; other text stays."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    address, colon, port = hop.partition(":")
    return address if colon and "." in address and port.isascii() and port.isdigit() else hop
