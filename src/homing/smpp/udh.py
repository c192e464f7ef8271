"""The user data header in front of a message's octets (3GPP TS 23.040, section 9.2.3.24).

A header is its length without itself, then elements: an identifier, a length, that many octets.
"""

from typing import Final, TypeAlias

UDHI: Final = 0x40
"""The bit of esm_class that says that short_message begins with a header (SMPP 3.4, section 5.2.12)."""

CONCATENATION_8_BIT: Final = 0x00
PORTS_8_BIT: Final = 0x04
PORTS_16_BIT: Final = 0x05
CONCATENATION_16_BIT: Final = 0x08
NATIONAL_SINGLE_SHIFT: Final = 0x24
NATIONAL_LOCKING_SHIFT: Final = 0x25

Element: TypeAlias = tuple[int, bytes]
"""An information element: its identifier and its octets."""


class MalformedUdh(ValueError):
    """The octets do not hold the header that they announce."""


def split(short_message: bytes, esm_class: int) -> tuple[bytes, bytes]:
    """The header with its length octet, and what follows. The header is empty without the UDHI bit.

    Raises MalformedUdh when the message is shorter than its header says.
    """
    if not esm_class & UDHI:
        return b"", short_message
    if not short_message or len(short_message) < 1 + short_message[0]:
        raise MalformedUdh(f"{len(short_message)} octets do not hold their header")
    end = 1 + short_message[0]
    return short_message[:end], short_message[end:]


def parse(udh: bytes) -> list[Element]:
    """The elements of a header with its length octet, in order; none for no header. Raises MalformedUdh."""
    if not udh:
        return []
    if len(udh) != 1 + udh[0]:
        raise MalformedUdh(f"a header of {len(udh) - 1} octets says {udh[0]}")
    elements = []
    at = 1
    while at < len(udh):
        end = at + 2 + udh[at + 1] if at + 2 <= len(udh) else at + 2
        if end > len(udh):
            raise MalformedUdh("an element runs over its header")
        elements.append((udh[at], udh[at + 2 : end]))
        at = end
    return elements


def build(elements: list[Element]) -> bytes:
    """The header with its length octet; empty for no elements. Raises MalformedUdh when it is longer than 255."""
    octets = b"".join(bytes((identifier, len(content))) + content for identifier, content in elements)
    if len(octets) > 255:
        raise MalformedUdh(f"{len(octets)} octets of elements do not fit a header")
    return bytes((len(octets),)) + octets if octets else b""
