"""What data_coding says of a message's octets, for both directions (SMPP 3.4, 5.2.19; 3GPP TS 23.038, section 4).

Values from 0x00 to 0x0F are SMPP's own table. Those above are the data coding schemes of 3GPP TS 23.038, which SMPP 3.4
names for 0xC0 to 0xFF and which message centres pass on for 0x10 to 0x7F as well.
"""

from typing import Final

import msgspec

from homing.text import gsm7

GSM7: Final = "gsm7"
"""The GSM 7 bit default alphabet with a septet in each octet, as the name of a charset of data_coding 0."""
GSM7_PACKED: Final = "gsm7-packed"
"""The same with eight septets in seven octets."""
UCS2: Final = "utf-16-be"
"""UCS-2 as handsets and message centres use it: surrogate pairs are kept whole."""
BINARY: Final = "latin-1"
"""Octets that are no text have no charset; this one gives each of them a character, so that nothing is lost."""

BYTE_ORDER_MARKS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": UCS2}
"""Windows and `iconv -t UTF-16` put them in front of UCS-2. SMPP has none: without one it is big-endian."""

CARRIAGE_RETURN: Final = b"\r"


class DataCoding(msgspec.Struct, frozen=True, gc=False):
    """One value of data_coding.

    charset: Python's name for it; None: the message centre's default alphabet, which is a matter of its settings.
    message_class: 0 (flash: shown at once, not kept) to 3; None: none is given.
    is_plain: the octets are a text and nothing else is asked for. False for binary data, compression, automatic
    deletion, message waiting indications, reserved values, and charsets that cannot be read.
    """

    charset: str | None
    message_class: int | None = None
    is_plain: bool = True


_CHARSETS: Final = {
    0x00: None,
    0x01: "ascii",
    0x03: "latin-1",
    0x05: "shift_jis",  # JIS X 0208 as octets; 3GPP2 C.R1001, from which the table's value comes, calls it Shift-JIS
    0x06: "iso8859-5",
    0x07: "iso8859-8",
    0x08: UCS2,
    0x0A: "iso2022_jp",
    0x0E: "euc_kr",  # KS C 5601 as octets
}
_BINARY_VALUES: Final = (0x02, 0x04)
_ALPHABETS: Final = {0x00: None, 0x04: BINARY, 0x08: UCS2}  # bits 3 and 2 of the general groups; 0x0C is reserved


def _data_coding(value: int) -> DataCoding:
    group = value & 0xF0
    if value in _CHARSETS:
        return DataCoding(_CHARSETS[value])
    if value in _BINARY_VALUES:
        return DataCoding(BINARY, is_plain=False)
    if 0x10 <= value <= 0x7F:  # general data coding: bit 4 gives a class, bit 5 compresses, bit 6 deletes
        alphabet = value & 0x0C
        message_class = value & 0x03 if value & 0x10 else None
        return DataCoding(_ALPHABETS.get(alphabet), message_class, group == 0x10 and alphabet in (0x00, 0x08))
    if group == 0xE0:  # a message waiting indication in UCS-2
        return DataCoding(UCS2, is_plain=False)
    if group == 0xF0:  # data coding and message class; bit 3 is reserved
        return DataCoding(BINARY if value & 0x04 else None, value & 0x03, value <= 0xF3)
    # A receiver takes reserved values for the default alphabet (3GPP TS 23.038, section 4).
    return DataCoding(None, is_plain=False)


DATA_CODINGS: Final = tuple(_data_coding(value) for value in range(256))
"""By value."""

FLASH: Final = frozenset(
    value for value, coding in enumerate(DATA_CODINGS) if coding.is_plain and coding.message_class == 0
)
"""The values of texts of message class 0."""


def encode(text: str, charset: str, header_octets: int = 0) -> bytes:
    """A text as octets of `charset`: UCS2, or what data_coding 0 stands for: GSM7, GSM7_PACKED or a charset of Python's
    with one octet a character. `header_octets`: of the user data header in front, on which packing depends.

    Raises ValueError (gsm7.NotEncodable and UnicodeEncodeError are such) for a character that the charset lacks. Only
    characters of GSM 03.38 go into the one-octet charsets: texts in them are cut into parts by septets.
    """
    match charset:
        case "utf-16-be":
            return text.encode(charset, "surrogatepass")
        case "gsm7":
            return gsm7.encode(text)
        case "gsm7-packed":
            return pack(gsm7.encode(text), header_octets)
    if not gsm7.is_gsm(text):
        raise gsm7.not_encodable(text)
    octets = text.encode(charset)
    if len(octets) != len(text):
        raise ValueError(f"{charset} has no single octet for each character of the text")
    return octets


def pack(septets: bytes, header_octets: int) -> bytes:
    """Septets packed behind a header. Nothing tells the reader how many there are, so where seven bits are left over,
    which look like an `@`, a carriage return fills them (3GPP TS 23.038, 6.1.2.3.1).
    """
    fill = gsm7.fill_bits(header_octets)
    if -(fill + 7 * len(septets)) % 8 == 7:
        septets += CARRIAGE_RETURN
    return gsm7.pack(septets, fill)


def unpack(octets: bytes, header_octets: int) -> bytes:
    """The septets that were packed behind a header, one in each octet, without what filled the last octet."""
    fill = gsm7.fill_bits(header_octets)
    count = (len(octets) * 8 - fill) // 7
    septets = gsm7.unpack(octets, count, fill) if count > 0 else b""
    return septets[:-1] if (fill + 7 * count) % 8 == 0 and septets[-1:] in (CARRIAGE_RETURN, b"\0") else septets
