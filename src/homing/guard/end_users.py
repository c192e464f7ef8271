"""Addresses of the people who request codes, as the guard knows them: keyed hashes, never the address. Pure.

Of each address the hash of itself and of its prefixes is made: /24 of IPv4, /64 and /48 of IPv6. The key is the
installation's, and the account is hashed along: nobody finds an address by trying all, and no account's data can be
matched with another's.
"""

import hashlib
import ipaddress
from typing import Final, Literal

import msgspec

from homing.common.crypto import Vault

ADDRESS_CHARS_MAX: Final = 64
HASH_BYTES: Final = 8
AddressPart = Literal["address", "/24", "/64", "/48"]
V4_PARTS: Final[tuple[tuple[AddressPart, int], ...]] = (("address", 32), ("/24", 24))
V6_PARTS: Final[tuple[tuple[AddressPart, int], ...]] = (("address", 128), ("/64", 64), ("/48", 48))


class EndUserAddress(msgspec.Struct, frozen=True, gc=False):
    """An end user's address in an account. Hashes are signed 64-bit numbers; `site` is None of IPv4.

    `address`: of the whole address. `prefix`: of its /24 or /64. `site`: of its /48.
    """

    address: int
    prefix: int
    site: int | None = None

    @property
    def parts(self) -> tuple[tuple[AddressPart, int], ...]:
        """The narrowest first."""
        if self.site is None:
            return (("address", self.address), ("/24", self.prefix))
        return (("address", self.address), ("/64", self.prefix), ("/48", self.site))


def read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for what is no address. An IPv4 address that is written as IPv6 is IPv4."""
    if len(text) > ADDRESS_CHARS_MAX:
        return None
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


class AddressHasher:
    """Makes the hashes of an installation."""

    def __init__(self, vault: Vault) -> None:
        self._key = vault.derive("hashes of end users' addresses")

    def of(self, account_id: int, text: str) -> EndUserAddress | None:
        """None for what is no address, and for one that many people share by definition (private, reserved, loopback):
        a proxy's, which says nothing of who is behind it.
        """
        address = read_address(text)
        if address is None or not address.is_global or address.is_multicast:
            return None
        parts = V4_PARTS if address.version == 4 else V6_PARTS
        bits, value = address.max_prefixlen, int(address)
        hashes = [
            self._hash(account_id, f"{address.version} {length} {value >> (bits - length)}") for _part, length in parts
        ]
        return EndUserAddress(*hashes)

    def of_number(self, account_id: int, number: str) -> int:
        """Tells messages to one number from those to several, without the number."""
        return self._hash(account_id, f"number {number}")

    def _hash(self, account_id: int, value: str) -> int:
        digest = hashlib.blake2b(f"{account_id} {value}".encode(), key=self._key, digest_size=HASH_BYTES).digest()
        return int.from_bytes(digest, "big", signed=True)


def address_name(hashed: int) -> str:
    """How an address or prefix is called where people read it: `ip-` and ten digits of the hash."""
    return f"ip-{hashed & 0xFF_FFFF_FFFF:010x}"
