"""The settings of an `smpp` carrier: one table of values, ranges and descriptions for decoding, checks and the docs."""

import ssl
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from homing import limits
from homing.carriers.secret_mark import SECRET

SMPP_CARRIER_BINDS_MAX: Final = 32  # links of a carrier; of pairs, so many of each
SMPP_CARRIER_WINDOW_MAX: Final = 1_000
SMPP_CARRIER_WINDOW_DEFAULT: Final = 10
PORT: Final = 2775
"""Registered for SMPP by IANA."""

Octet: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=255)]
StatusCode: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
Printable: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[ -~]*$")]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0.05, le=3600)]
Tag: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^0[xX][0-9A-Fa-f]{1,4}$")]
DltTag: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^(0[xX][0-9A-Fa-f]{1,4})?$")]
Hex: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Fa-f]{2})*$", max_length=2 * 0xFFFF)]


def _described(description: str) -> msgspec.Meta:
    return msgspec.Meta(description=description)


class SmppSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of a carrier that is reached by SMPP 3.4. Section numbers are of its specification."""

    # ---- Where, and as whom
    host: Annotated[str, msgspec.Meta(max_length=255), _described("the message centre's name or address")] = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535), _described("its port")] = PORT
    addresses: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=262)], ...],
        msgspec.Meta(max_length=16),
        _described(
            "in place of host and port: several `host:port`, tried in turn, starting with the first whenever a link"
            " was lost"
        ),
    ] = ()
    system_id: Annotated[
        Printable,
        msgspec.Meta(min_length=1, max_length=limits.SMPP_CREDENTIAL_CHARS_MAX),
        _described("our system_id; SMPP 3.4 allows at most 15 characters"),
    ]
    password: Annotated[
        Printable,
        SECRET,
        msgspec.Meta(max_length=limits.SMPP_CREDENTIAL_CHARS_MAX),
        _described("never shown; SMPP 3.4 allows at most 8 characters"),
    ] = ""
    system_type: Annotated[Printable, msgspec.Meta(max_length=12), _described("if the carrier requires one")] = ""
    interface_version: Annotated[
        int, msgspec.Meta(ge=0, le=0x50), _described("52 is 3.4; some message centres require 51, which is 3.3")
    ] = 0x34
    address_range: Annotated[
        Printable,
        msgspec.Meta(max_length=40),
        _described("the addresses whose inbound messages a receiver gets, if the carrier requires it"),
    ] = ""
    tls: Annotated[bool, _described("encrypt the links")] = False
    tls_ca_file: Annotated[str | None, _described("trust these authorities (PEM) instead of the system's")] = None
    tls_verify: Annotated[bool, _described("check the certificate and its name")] = True
    tls_certificate_file: Annotated[
        str | None, _described("our client certificate (PEM), if the carrier requires one")
    ] = None
    tls_key_file: Annotated[str | None, _described("its key, without a passphrase; null: in the same file")] = None

    # ---- Links
    bind: Annotated[
        Literal["transceiver", "pair"], _described("one link for both directions, or a transmitter and a receiver")
    ] = "transceiver"
    binds: Annotated[
        int,
        msgspec.Meta(ge=1, le=SMPP_CARRIER_BINDS_MAX),
        _described("number of links; with `pair`, of each kind"),
    ] = 1
    window: Annotated[
        int,
        msgspec.Meta(ge=1, le=SMPP_CARRIER_WINDOW_MAX),
        _described(
            "submits of one link that may wait for their response; a link carries window / round trip time submits a"
            " second"
        ),
    ] = SMPP_CARRIER_WINDOW_DEFAULT
    rate_per_s: Annotated[
        Annotated[float, msgspec.Meta(ge=0.1, le=100_000)] | None,
        _described("submits a second over all links; each part of a multipart message counts; null: no limit"),
    ] = None
    enquire_link_s: Annotated[Seconds, _described("seconds of silence after which enquire_link is sent")] = (
        limits.SMPP_ENQUIRE_LINK_S
    )
    response_timeout_s: Annotated[
        float,
        msgspec.Meta(ge=1, le=limits.SMPP_CARRIER_RESPONSE_S_MAX),
        _described("for the response to a request; a submit without one may have been accepted"),
    ] = 10.0
    reconnect_first_s: Annotated[
        Seconds, _described("wait before reconnecting, doubling, ±20 %; ten times as long after a refused bind")
    ] = 1.0
    reconnect_longest_s: Annotated[Seconds, _described("the longest wait before reconnecting")] = 60.0

    # ---- Addresses (5.2.5, 5.2.6)
    source_ton: Annotated[
        Octet | None,
        _described("type of number of the sender; null: 5 for letters, 3 for a short code, 1 for other numbers"),
    ] = None
    source_npi: Annotated[
        Octet | None, _described("its numbering plan; null: 0 for letters and short codes, else 1")
    ] = None
    short_code_digits_max: Annotated[
        int, msgspec.Meta(ge=0, le=20), _described("a sender of at most so many digits is a short code")
    ] = 8
    dest_ton: Annotated[Octet, _described("type of number of the recipient")] = 1
    dest_npi: Annotated[Octet, _described("its numbering plan")] = 1

    # ---- Text (5.2.19)
    charset: Annotated[
        Literal["gsm7", "gsm7-packed", "latin-1", "ascii"],
        _described(
            "the charset that the carrier means by `gsm7_data_coding`: GSM 03.38 with a septet in each octet, the"
            " same packed, or another; a text that it cannot encode goes as UCS-2. Inbound messages with data_coding 0"
            " are decoded with it too"
        ),
    ] = "gsm7"
    gsm7_data_coding: Annotated[Octet, _described("data_coding of texts in that charset")] = 0
    ucs2_data_coding: Annotated[Octet, _described("data_coding of all other texts")] = 8
    flash: Annotated[
        bool,
        _described(
            "whether the carrier supports message class 0 (flash); false: flash messages go by another carrier, or"
            " are refused"
        ),
    ] = True
    gsm7_flash_data_coding: Annotated[
        Octet, _described("data_coding of flash messages in `charset`; 240 is the other code for class 0")
    ] = 0x10
    ucs2_flash_data_coding: Annotated[Octet, _described("data_coding of all other flash messages")] = 0x18
    long_messages: Annotated[
        Literal["udh8", "udh16", "sar", "payload"],
        _described(
            "how a text that needs several parts is sent: with a user data header with an 8 or 16 bit reference, with"
            " the sar_ TLVs, or whole in message_payload"
        ),
    ] = "udh8"

    # ---- The rest of a submit_sm (4.4.1)
    registered_delivery: Annotated[
        Octet, _described("1 requests receipts, 17 intermediate notifications too (5.2.17)")
    ] = 1
    esm_class: Annotated[
        Octet, _described("flags of every submit (5.2.12); the UDHI flag is added where there is a header")
    ] = 0
    priority: Annotated[int, msgspec.Meta(ge=0, le=3), _described("priority_flag")] = 0
    service_type: Annotated[Printable, msgspec.Meta(max_length=5), _described("if the carrier requires one")] = ""
    protocol_id: Annotated[Octet, _described("protocol_id")] = 0
    validity: Annotated[
        Literal["relative", "absolute", "none"],
        _described("the format of validity_period (7.1); `none`: it is not sent"),
    ] = "relative"
    tlvs: Annotated[
        dict[Tag, Hex], msgspec.Meta(max_length=32), _described('added to every submit: {"0x1400": "31323334"}, in hex')
    ] = {}
    pe_id_tag: Annotated[
        DltTag, _described("the TLV in which India's carriers expect a message's `pe_id`; empty: it is not sent")
    ] = "0x1400"
    template_id_tag: Annotated[DltTag, _described("the same for `template_id`")] = "0x1401"
    message_reference: Annotated[
        bool, _described("send the last 16 bits of our message's id as user_message_reference")
    ] = False

    # ---- The meaning of command_status (5.1.3) where the carrier differs from the specification
    throttle_statuses: Annotated[
        tuple[StatusCode, ...],
        msgspec.Meta(max_length=256),
        _described("statuses that throttle: the link pauses, then the message is sent again"),
    ] = (0x58, 0x14)
    throttle_pause_s: Annotated[
        float,
        msgspec.Meta(ge=0.05, le=limits.SMPP_CARRIER_THROTTLE_PAUSE_S_MAX),
        _described("how long the link then pauses, doubling while its probes are throttled"),
    ] = 0.5
    temporary_statuses: Annotated[
        tuple[StatusCode, ...],
        msgspec.Meta(max_length=256),
        _described("further statuses that defer the message"),
    ] = ()
    permanent_statuses: Annotated[
        tuple[StatusCode, ...],
        msgspec.Meta(max_length=256),
        _described("further statuses that refuse the message"),
    ] = ()

    # ---- Receipts and inbound messages
    receipt_utc_offset_min: Annotated[
        int,
        msgspec.Meta(ge=-14 * 60, le=14 * 60),
        _described("how many minutes the dates in receipts are ahead of UTC"),
    ] = 0
    query: Annotated[
        bool, _described("after a start, query messages (query_sm) that have had no receipt for five minutes")
    ] = False

    def __post_init__(self) -> None:
        if bool(self.host) == bool(self.addresses):
            raise ValueError("either host or addresses is needed")
        for address in self.addresses:
            _split(address)
        if self.tls_key_file and not self.tls_certificate_file:
            raise ValueError("tls_key_file without tls_certificate_file")
        if self.tls_certificate_file and not self.tls:
            raise ValueError("tls_certificate_file without tls")
        if self.reconnect_first_s > self.reconnect_longest_s:
            raise ValueError("reconnect_first_s is above reconnect_longest_s")
        both = set(self.temporary_statuses) & set(self.permanent_statuses)
        if both:
            raise ValueError(f"statuses both temporary and permanent: {sorted(both)}")

    @property
    def carries_flash(self) -> bool:
        return self.flash

    @property
    def targets(self) -> list[tuple[str, int]]:
        """The addresses to connect to, in turn."""
        return [_split(address) for address in self.addresses] or [(self.host, self.port)]

    def context(self) -> ssl.SSLContext | None:
        """None without TLS. Raises OSError when a file cannot be read or is not what it should be."""
        if not self.tls:
            return None
        made = ssl.create_default_context(cafile=self.tls_ca_file)
        if not self.tls_verify:
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        if self.tls_certificate_file:
            # An encrypted key fails with this passphrase: without one OpenSSL would wait for it on the terminal.
            made.load_cert_chain(self.tls_certificate_file, self.tls_key_file, password="")
        return made


def _split(address: str) -> tuple[str, int]:
    """`host:port`, with an IPv6 address in brackets. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535 or not host.strip("[]"):
        raise ValueError(f"not host:port: {address!r}")
    return host.strip("[]"), int(port)
