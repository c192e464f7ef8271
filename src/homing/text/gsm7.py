"""The GSM 7 bit default alphabet: what it can carry, what that costs, and how it goes over the wire.

The source of every rule here is 3GPP TS 23.038 ("Alphabets and language-specific information"). National
language shift tables (annex A) are left out: handsets and carriers that honour them are rare, so a text that
would need one travels as UCS-2.

Two wire forms exist. *Unpacked* puts one septet in each octet, the usual form over SMPP; *packed* puts eight
septets in seven octets, the form of the air interface.
"""

import re
from typing import Final

ESCAPE: Final = "\x1b"
"""Says that the next septet is from the extension table (section 6.2.1, note 1)."""

DEFAULT_ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
"""Section 6.2.1: a character's index is its septet. The escape has a place but no text contains it."""

EXTENSION: Final = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
"""Section 6.2.1.1: the septet that follows the escape. Each of these characters costs two septets."""

_CHARACTERS: Final = frozenset(DEFAULT_ALPHABET) - {ESCAPE} | EXTENSION.keys()
_ASCII_PLAIN: Final = "".join(c for c in DEFAULT_ALPHABET if c.isascii() and c != ESCAPE).encode()
_ASCII_EXTENSION: Final = "".join(c for c in EXTENSION if c.isascii()).encode()
_TO_SEPTETS: Final = str.maketrans(
    {c: chr(septet) for septet, c in enumerate(DEFAULT_ALPHABET)}
    | {c: ESCAPE + chr(septet) for c, septet in EXTENSION.items()}
)
_ESCAPED: Final = re.compile(ESCAPE + "(.?)", re.DOTALL)
_EXTENDED: Final = {DEFAULT_ALPHABET[septet]: c for c, septet in EXTENSION.items()} | {ESCAPE: " ", "": " "}
"""What an escape makes of the character of the default alphabet that follows it, or of nothing at the end."""

_BITS: Final = [format(septet, "07b") for septet in range(128)]
_SEPTETS: Final = {bits: septet for septet, bits in enumerate(_BITS)}


class NotEncodable(ValueError):
    """This text has a character that the GSM 7 bit alphabet does not have."""

    def __init__(self, character: str, index: int) -> None:
        super().__init__(f"U+{ord(character):04X} at {index} is not a GSM 7 bit character")
        self.character = character
        self.index = index


def septets_or_none(text: str) -> int | None:
    """The septets that `text` costs, or None when the alphabet cannot carry it: both answers in one pass."""
    if text.isascii():
        # Deleting the plain characters is one table walk in C, four times as fast as a set of characters.
        costly = text.encode("ascii").translate(None, _ASCII_PLAIN)
        if costly.translate(None, _ASCII_EXTENSION):
            return None
        return len(text) + len(costly)
    if not _CHARACTERS.issuperset(text):
        return None
    return len(text) + sum(map(text.count, EXTENSION))


def is_gsm(text: str) -> bool:
    """Whether the default alphabet and its extension table can carry every character of `text`."""
    return septets_or_none(text) is not None


def septets(text: str) -> int:
    """The septets that `text` costs: one a character, two for those of the extension table.

    Raises `NotEncodable` when the alphabet cannot carry it.
    """
    cost = septets_or_none(text)
    if cost is None:
        raise not_encodable(text)
    return cost


def not_encodable(text: str) -> NotEncodable:
    """The error that names the first character of `text` outside the alphabet; there must be one."""
    index = next(i for i, c in enumerate(text) if c not in _CHARACTERS)
    return NotEncodable(text[index], index)


def mark(text: str) -> str:
    """`text`, which must be GSM, with an escape before each extension character: as long as its septets."""
    for c in EXTENSION:
        if c in text:
            text = text.replace(c, ESCAPE + c)
    return text


def encode(text: str) -> bytes:
    """`text` as unpacked septets, one in each octet. Raises `NotEncodable`."""
    if not is_gsm(text):
        raise not_encodable(text)
    return text.translate(_TO_SEPTETS).encode("ascii")


def decode(data: bytes) -> str:
    """The text of unpacked septets. Raises ValueError for an octet above 0x7F.

    What another sender escapes and we do not know is shown as the standard asks of a handset: an undefined
    extension as the character of the default alphabet (section 6.2.1.1), a second or a last escape as a
    space.
    """
    _require_septets(data)
    text = data.decode("ascii").translate(DEFAULT_ALPHABET)
    return _ESCAPED.sub(lambda match: _EXTENDED.get(match[1], match[1]), text) if ESCAPE in text else text


def fill_bits(header_octets: int) -> int:
    """The bits from the end of a user data header to the next septet: 1 for 6 (3GPP TS 23.040, 9.2.3.24)."""
    return -header_octets * 8 % 7


def pack(data: bytes, fill: int = 0) -> bytes:
    """Unpacked septets packed eight to seven octets, after `fill` zero bits (section 6.1.2.1).

    The receiver must be told how many septets there are: seven spare bits look like an `@`.
    """
    _require_septets(data)
    # Through a string of bits, because shifting one growing integer is quadratic and Python's base 2 is not.
    bits = "".join([_BITS[septet] for septet in reversed(data)]) + "0" * fill
    return int("0" + bits, 2).to_bytes((len(bits) + 7) // 8, "little")


def unpack(data: bytes, count: int, fill: int = 0) -> bytes:
    """The first `count` septets of packed `data`, unpacked, after `fill` bits that are passed over.

    Raises ValueError when `data` is too short to hold them.
    """
    if len(data) * 8 < count * 7 + fill:
        raise ValueError(f"{len(data)} octets cannot hold {count} septets after {fill} bits")
    bits = format(int.from_bytes(data, "little"), f"0{8 * len(data)}b")
    end = len(bits) - fill
    return bytes([_SEPTETS[bits[at - 7 : at]] for at in range(end, end - 7 * count, -7)])


def _require_septets(data: bytes) -> None:
    if not data.isascii():
        raise ValueError("an octet above 0x7F is not a septet")
