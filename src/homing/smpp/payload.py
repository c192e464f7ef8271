"""Where a message's octets are: in short_message or in message_payload (SMPP 3.4, sections 5.2.22 and 5.3.2.32)."""

from homing.smpp.tlvs import MESSAGE_PAYLOAD, Tlvs

BLANKS = b" \0"


class AmbiguousPayload(ValueError):
    """A PDU has its octets in both places."""


def message_octets(short_message: bytes, tlvs: Tlvs, *, lenient: bool) -> bytes:
    """The octets of a message, a user data header included.

    The specification has one place or the other. Raises AmbiguousPayload for both, unless `lenient`: then
    short_message counts, but for one of blanks and zeros alone, which some message centres put beside a
    message_payload.
    """
    payload = MESSAGE_PAYLOAD.of(tlvs) if tlvs else None
    if payload is None:
        return short_message
    if lenient:
        return short_message if short_message.strip(BLANKS) else payload or short_message
    if short_message:
        raise AmbiguousPayload("short_message and message_payload")
    return payload
