"""Encodes a message as submit_sm by a carrier's settings. Pure."""

import contextlib
import functools
from datetime import datetime, timedelta
from typing import Any, Final

from homing.carriers.smpp.settings import SmppSettings
from homing.model import NO_OPTIONS, Options, Outbound
from homing.smpp import concatenation, data_coding, times
from homing.smpp.address_types import Npi, Ton
from homing.smpp.pdus import SubmitSm
from homing.smpp.tlvs import MESSAGE_PAYLOAD, USER_MESSAGE_REFERENCE, Tlvs
from homing.smpp.udh import UDHI
from homing.text import gsm7
from homing.text.segments import CONCATENATION_HEADER_OCTETS, PART_OCTETS, TextEncoding, capacity, split

SINGLE_SEPTETS: Final = capacity(TextEncoding.GSM7)
WIDE_HEADER_OCTETS: Final = 7


class SubmitEncoder:
    """Encodes messages for one carrier."""

    def __init__(self, settings: SmppSettings) -> None:
        self._settings = settings
        self._is_wide = settings.long_messages == "udh16"
        # The message centre turns sar_ TLVs into a header of six octets, so a part has no more room for text.
        self._header_octets = WIDE_HEADER_OCTETS if self._is_wide else CONCATENATION_HEADER_OCTETS
        self._tlvs: Tlvs = tuple((int(tag, 16), bytes.fromhex(value)) for tag, value in settings.tlvs.items())
        self._pe_id_tag = _tag(settings.pe_id_tag)
        self._template_id_tag = _tag(settings.template_id_tag)
        self._fixed = {
            "service_type": settings.service_type,
            "dest_addr_ton": settings.dest_ton,
            "dest_addr_npi": settings.dest_npi,
            "protocol_id": settings.protocol_id,
            "priority_flag": settings.priority,
            "registered_delivery": settings.registered_delivery,
        }

    def submits(self, message: Outbound, reference: int, now: datetime) -> list[SubmitSm]:
        """The submit_sm of the message's parts, in order; one for a text that fits. `reference`: of the multipart
        message, cut to 8 or 16 bits. Raises ValueError for a value that cannot be encoded.
        """
        settings = self._settings
        text = message.text
        encoding, octets = self._encoded(message)
        source, ton, npi = address(message.sender, settings)
        fields: dict[str, Any] = {
            **self._fixed,
            "source_addr": source,
            "source_addr_ton": ton,
            "source_addr_npi": npi,
            "destination_addr": message.number,
            "validity_period": validity(settings, message.expires_at, now),
            "data_coding": self._data_coding(encoding, message.options.flash),
        }
        tlvs = self._tlvs if message.options is NO_OPTIONS else self._with_ids(message.options)
        if settings.message_reference:
            tlvs = (*tlvs, USER_MESSAGE_REFERENCE.make(message.message_id & 0xFFFF))
        texts = [text] if self._is_short(text, encoding, octets) else split(text, encoding, self._header_octets)
        if len(texts) == 1:
            return [SubmitSm(**fields, esm_class=settings.esm_class, short_message=octets, tlvs=tlvs)]
        if settings.long_messages == "payload":
            return [SubmitSm(**fields, esm_class=settings.esm_class, tlvs=(*tlvs, MESSAGE_PAYLOAD.make(octets)))]
        return [
            self._part(fields, tlvs, part, encoding, reference, len(texts), number)
            for number, part in enumerate(texts, 1)
        ]

    def _data_coding(self, encoding: TextEncoding, flash: bool) -> int:
        settings, is_gsm7 = self._settings, encoding is TextEncoding.GSM7
        if not flash:
            return settings.gsm7_data_coding if is_gsm7 else settings.ucs2_data_coding
        return settings.gsm7_flash_data_coding if is_gsm7 else settings.ucs2_flash_data_coding

    def _with_ids(self, options: Options) -> Tlvs:
        """The settings' parameters, replaced by the message's own where it has them."""
        ids = ((self._pe_id_tag, options.pe_id), (self._template_id_tag, options.template_id))
        own = tuple((tag, value.encode()) for tag, value in ids if tag is not None and value)
        tags = {tag for tag, _value in own}
        return (*(tlv for tlv in self._tlvs if tlv[0] not in tags), *own)

    def _part(
        self,
        fields: dict[str, Any],
        tlvs: Tlvs,
        text: str,
        encoding: TextEncoding,
        reference: int,
        total: int,
        number: int,
    ) -> SubmitSm:
        settings = self._settings
        if settings.long_messages == "sar":
            sar = concatenation.build_tlvs(reference, total, number)
            octets = self._octets(text, encoding)
            return SubmitSm(**fields, esm_class=settings.esm_class, short_message=octets, tlvs=(*tlvs, *sar))
        header = concatenation.build_header(reference, total, number, self._is_wide)
        octets = header + self._octets(text, encoding, len(header))
        return SubmitSm(**fields, esm_class=settings.esm_class | UDHI, short_message=octets, tlvs=tlvs)

    def _encoded(self, message: Outbound) -> tuple[TextEncoding, bytes]:
        """The whole text. UCS-2 also for a text that the carrier's charset cannot encode."""
        if message.encoding == TextEncoding.GSM7:
            with contextlib.suppress(ValueError):
                return TextEncoding.GSM7, self._octets(message.text, TextEncoding.GSM7)
        return TextEncoding.UCS2, self._octets(message.text, TextEncoding.UCS2)

    def _is_short(self, text: str, encoding: TextEncoding, octets: bytes) -> bool:
        """Whether one part holds it. For most texts the number of octets decides without counting again."""
        if encoding is TextEncoding.UCS2:
            return len(octets) <= PART_OCTETS
        septets = len(octets) if self._settings.charset == data_coding.GSM7 else gsm7.septets(text)
        return septets <= SINGLE_SEPTETS

    def _octets(self, text: str, encoding: TextEncoding, header_octets: int = 0) -> bytes:
        charset = data_coding.UCS2 if encoding is TextEncoding.UCS2 else self._settings.charset
        return data_coding.encode(text, charset, header_octets)


def _tag(written: str) -> int | None:
    return int(written, 16) if written else None


def address(sender: str, settings: SmppSettings) -> tuple[str, int, int]:
    """The sender as source_addr, its type of number and its numbering plan."""
    source, ton, npi = _address(sender, settings.short_code_digits_max)
    return (
        source,
        ton if settings.source_ton is None else settings.source_ton,
        npi if settings.source_npi is None else settings.source_npi,
    )


@functools.lru_cache(maxsize=1024)
def _address(sender: str, short_code_digits_max: int) -> tuple[str, int, int]:
    digits = sender.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return sender, Ton.ALPHANUMERIC, Npi.UNKNOWN
    if len(digits) <= short_code_digits_max:
        return digits, Ton.NETWORK_SPECIFIC, Npi.UNKNOWN
    return digits, Ton.INTERNATIONAL, Npi.ISDN


def validity(settings: SmppSettings, expires_at: datetime, now: datetime) -> str:
    """validity_period (section 5.2.16); empty: the carrier decides. At least a second."""
    if settings.validity == "none":
        return ""
    left_s = max(1, int((expires_at - now).total_seconds()))
    if settings.validity == "relative":
        return _relative(left_s)
    return times.absolute(now + timedelta(seconds=left_s))


@functools.lru_cache(maxsize=1024)
def _relative(left_s: int) -> str:
    return times.relative(timedelta(seconds=left_s))
