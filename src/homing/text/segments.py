"""How many SMS a text becomes, and which: what a message costs and what goes over the air.

A part carries 140 octets of user data (3GPP TS 23.040, 9.2.3.24). A text that needs more than one part gives
a user data header's octets of each to concatenation: 6 with an 8 bit reference, 7 with a 16 bit one.

`count` and `split` agree by construction: both walk `_cuts`.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import pairwise
from typing import Final

import msgspec

from homing.text import gsm7

PART_OCTETS: Final = 140
CONCATENATION_HEADER_OCTETS: Final = 6


class TextEncoding(IntEnum):
    """How characters travel; the value is the data coding scheme's octet (3GPP TS 23.038, section 4)."""

    GSM7 = 0x00
    UCS2 = 0x08


class Segmentation(msgspec.Struct, frozen=True, gc=False):
    """`units` are septets for GSM7 and UTF-16 code units for UCS2, without the headers."""

    encoding: TextEncoding
    parts: int
    units: int


def utf16_units(text: str) -> int:
    """The UTF-16 code units of `text`: two for a character beyond U+FFFF. A lone surrogate is one."""
    return len(text) if text.isascii() else len(_utf16(text)) // 2


def has_lone_surrogate(text: str) -> bool:
    """Whether `text` holds half a surrogate pair, as JSON's `"\\ud83d"` does: no handset can show it."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def choose_encoding(text: str) -> TextEncoding:
    """GSM7 where it can carry `text`, because a part then holds more than twice as much; otherwise UCS2."""
    return TextEncoding.GSM7 if gsm7.is_gsm(text) else TextEncoding.UCS2


def capacity(encoding: TextEncoding, udh: int = 0) -> int:
    """The units that fit in a part beside a header of `udh` octets: 160 and 70 for 0, 153 and 67 for 6."""
    if not 0 <= udh < PART_OCTETS // 2:
        raise ValueError(f"a user data header of {udh} octets leaves no room for text")
    room = PART_OCTETS - udh
    return room * 8 // 7 if encoding is TextEncoding.GSM7 else room // 2


_SINGLE_GSM7: Final = capacity(TextEncoding.GSM7)
_SINGLE_UCS2: Final = capacity(TextEncoding.UCS2)


def count(text: str, encoding: TextEncoding | None = None, udh: int = CONCATENATION_HEADER_OCTETS) -> Segmentation:
    """The encoding, parts and units of `text`: exactly as many parts as `split` gives, without making them.

    An empty text is one part of no units, because an SMS is sent and paid for. Without an `encoding` the
    cheaper one that carries the text is taken. Raises `NotEncodable` when GSM7 is asked for and cannot carry
    it.
    """
    if encoding is not TextEncoding.UCS2:
        units = gsm7.septets_or_none(text)
        if units is not None:
            if units <= _SINGLE_GSM7:
                return Segmentation(TextEncoding.GSM7, 1, units)
            room = capacity(TextEncoding.GSM7, udh)
            if units == len(text):  # no character costs two, so every part but the last is full
                return Segmentation(TextEncoding.GSM7, -(-units // room), units)
            return Segmentation(TextEncoding.GSM7, sum(1 for _ in _cuts_gsm7(gsm7.mark(text), room)), units)
        if encoding is TextEncoding.GSM7:
            raise gsm7.not_encodable(text)
    data = _utf16(text)
    units = len(data) // 2
    if units <= _SINGLE_UCS2:
        return Segmentation(TextEncoding.UCS2, 1, units)
    return Segmentation(TextEncoding.UCS2, sum(1 for _ in _cuts_utf16(data, capacity(TextEncoding.UCS2, udh))), units)


def split(text: str, encoding: TextEncoding | None = None, udh: int = CONCATENATION_HEADER_OCTETS) -> list[str]:
    """The texts of the parts, in order; joined they are `text`. `udh`: a part's header if there are several.

    No cut falls between an escape and its character or inside a surrogate pair. Raises `NotEncodable` when
    GSM7 is asked for and cannot carry the text. Of lone surrogates, which callers refuse
    (`has_lone_surrogate`), two that meet may come out as the character they spell.
    """
    whole = count(text, encoding, udh)
    if whole.parts == 1:
        return [text]
    room = capacity(whole.encoding, udh)
    if whole.encoding is TextEncoding.GSM7:
        marked = gsm7.mark(text)
        return [marked[a:b].replace(gsm7.ESCAPE, "") for a, b in pairwise((0, *_cuts_gsm7(marked, room)))]
    data = _utf16(text)
    return [
        data[2 * a : 2 * b].decode("utf-16-le", "surrogatepass") for a, b in pairwise((0, *_cuts_utf16(data, room)))
    ]


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _cuts_gsm7(marked: str, room: int) -> Iterator[int]:
    """The ends of the parts of `room` septets, in septets."""
    return _cuts(len(marked), room, lambda at: marked[at - 1] == gsm7.ESCAPE)


def _cuts_utf16(data: bytes, room: int) -> Iterator[int]:
    """The ends of the parts of `room` code units, in code units."""
    # Little-endian: the octet that tells a surrogate is the last before the cut and the second after it.
    return _cuts(len(data) // 2, room, lambda at: data[2 * at - 1] & 0xFC == 0xD8 and data[2 * at + 1] & 0xFC == 0xDC)


def _cuts(units: int, room: int, joined: Callable[[int], bool]) -> Iterator[int]:
    """Where parts end that are as full as can be. A unit that is `joined` to the one before stays with it."""
    at = 0
    while units - at > room:
        at += room
        if joined(at):
            at -= 1
        yield at
    yield units
