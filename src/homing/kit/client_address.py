"""The address a call really came from: the socket's peer, or what trusted proxies say of it."""

from collections.abc import Sequence

from homing.kit.networks import Network, is_within


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """The caller's IP address.

    `forwarded_for` (X-Forwarded-For) counts only as far as the chain is made of trusted proxies: it is read from the
    right, and the first address that is not a trusted proxy's is the caller. Anybody can write the header, so
    without a trusted peer it is not read at all.
    """
    if not trusted or not is_within(peer, trusted) or not forwarded_for:
        return peer
    caller = peer
    for hop in reversed(forwarded_for.split(",")):
        caller = hop.strip().removeprefix("[").partition("]")[0]
        if not is_within(caller, trusted):
            break
    return caller
