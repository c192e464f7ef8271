"""The pure parts of the `smpp` carrier: settings, messages to PDUs and back, what answers mean, how links slow down."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import errors, limits
from homing.carriers.kinds import HIDDEN, read_settings, visible_settings
from homing.carriers.smpp.answers import NO_REFERENCE, PartOutcome, PartResult, combine
from homing.carriers.smpp.encoding import SubmitEncoder, address, validity
from homing.carriers.smpp.inbound import (
    SMPP_CARRIER_FRAGMENTS_BYTES_MAX,
    SMPP_CARRIER_FRAGMENTS_S,
    DeliveryReader,
    InboundPart,
    ReassemblyTable,
)
from homing.carriers.smpp.link import is_lasting
from homing.carriers.smpp.queries import receipt_from_answer
from homing.carriers.smpp.settings import SMPP_CARRIER_BINDS_MAX, SMPP_CARRIER_WINDOW_MAX, SmppSettings
from homing.carriers.smpp.throttle import CongestionWindow
from homing.model import Answer, CarrierInbound, CarrierReceipt, Options, Outbound, Outcome, Outstanding
from homing.smpp import concatenation, udh
from homing.smpp.concatenation import PartPosition
from homing.smpp.pdus import DataSm, DeliverSm, QuerySmResp
from homing.smpp.statuses import CommandStatus
from homing.smpp.tlvs import (
    MESSAGE_PAYLOAD,
    MESSAGE_STATE,
    RECEIPTED_MESSAGE_ID,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    USER_MESSAGE_REFERENCE,
)
from homing.states import MessageState
from homing.text import gsm7
from homing.text.segments import count

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def settings(**changes: Any) -> SmppSettings:
    given = {"host": "smsc.example", "system_id": "us", "password": "pass-wrd", **changes}
    found = read_settings("smpp", json.dumps({name: value for name, value in given.items() if value is not None}))
    assert isinstance(found, SmppSettings)
    return found


def message(text: str = "hello", sender: str = "HOMING", left_s: float = 3600) -> Outbound:
    whole = count(text)
    return Outbound(
        1, 0x1_2345, 1, "447700900123", sender, text, whole.encoding, whole.parts, NOW + timedelta(seconds=left_s)
    )


# ---- Settings


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"host": None}, "either host or addresses is needed"),
        ({"addresses": ["other:2775"]}, "either host or addresses is needed"),
        ({"host": None, "addresses": ["nobody"]}, "not host:port: 'nobody'"),
        ({"host": None, "addresses": ["a:70000"]}, "not host:port"),
        ({"system_id": None}, "system_id"),
        ({"system_id": "x" * 256}, "system_id"),
        ({"password": "x" * 256}, "password"),
        ({"password": "pässword"}, "password"),
        ({"binds": 0}, "binds"),
        ({"binds": SMPP_CARRIER_BINDS_MAX + 1}, "binds"),
        ({"window": SMPP_CARRIER_WINDOW_MAX + 1}, "window"),
        ({"rate_per_s": 0}, "rate_per_s"),
        ({"response_timeout_s": limits.SMPP_CARRIER_RESPONSE_S_MAX + 1}, "response_timeout_s"),
        ({"charset": "utf-8"}, "charset"),
        ({"long_messages": "udh"}, "long_messages"),
        ({"tlvs": {"1400": "00"}}, "tlvs"),
        ({"tlvs": {"0x1400": "0"}}, "tlvs"),
        ({"reconnect_first_s": 10, "reconnect_longest_s": 5}, "reconnect_first_s is above"),
        ({"temporary_statuses": [8], "permanent_statuses": [8]}, "both temporary and permanent"),
        ({"widnow": 10}, "widnow"),
    ],
)
def test_a_setting_that_cannot_be_is_named(changes: dict[str, object], told: str) -> None:
    with pytest.raises(errors.InvalidInput, match=told):
        settings(**changes)


def test_the_password_is_hidden_and_nothing_else_is() -> None:
    given = {"host": "h", "system_id": "us", "password": "pass-wrd"}
    assert visible_settings("smpp", json.dumps(given)) == {**given, "password": HIDDEN}


def test_addresses_may_be_of_either_kind() -> None:
    assert settings().targets == [("smsc.example", 2775)]
    found = settings(host=None, addresses=["10.0.0.1:2775", "[2001:db8::1]:2776"])
    assert found.targets == [("10.0.0.1", 2775), ("2001:db8::1", 2776)]


def test_a_message_has_time_left_to_wait_for_room_at_the_longest_response_time() -> None:
    assert limits.CARRIER_SUBMIT_TIMEOUT_S - limits.SMPP_CARRIER_SPARE_S - limits.SMPP_CARRIER_RESPONSE_S_MAX >= 5


# ---- A message as PDUs


@pytest.mark.parametrize(
    ("sender", "changes", "expected"),
    [
        ("HOMING", {}, ("HOMING", 5, 0)),
        ("1234", {}, ("1234", 3, 0)),
        ("12345678", {}, ("12345678", 3, 0)),
        ("123456789", {}, ("123456789", 1, 1)),
        ("+447700900123", {}, ("447700900123", 1, 1)),
        ("+4477", {"short_code_digits_max": 3}, ("4477", 1, 1)),
        ("HOMING", {"source_ton": 0, "source_npi": 1}, ("HOMING", 0, 1)),
        ("447700900123", {"source_npi": 8}, ("447700900123", 1, 8)),
        ("٣٤٥", {}, ("٣٤٥", 5, 0)),
    ],
)
def test_a_senders_type_of_number_follows_from_what_it_is(
    sender: str, changes: dict[str, object], expected: tuple[str, int, int]
) -> None:
    assert address(sender, settings(**changes)) == expected


@pytest.mark.parametrize(
    ("way", "left_s", "expected"),
    [
        ("none", 60, ""),
        ("relative", 90.9, "000000000130000R"),
        ("relative", 172_800, "000002000000000R"),
        ("relative", -5, "000000000001000R"),
        ("absolute", 3600, "261122130000000+"),
    ],
)
def test_the_validity_is_told_as_asked(way: str, left_s: float, expected: str) -> None:
    assert validity(settings(validity=way), NOW + timedelta(seconds=left_s), NOW) == expected


def test_every_fixed_field_goes_into_every_part() -> None:
    encoder = SubmitEncoder(
        settings(
            dest_ton=2,
            dest_npi=6,
            service_type="OTP",
            priority=3,
            protocol_id=64,
            registered_delivery=17,
            esm_class=3,
            gsm7_data_coding=241,
            tlvs={"0x1400": "31323334"},
            message_reference=True,
        )
    )
    for submit in encoder.submits(message("x" * 200), 1, NOW):
        assert (submit.dest_addr_ton, submit.dest_addr_npi, submit.service_type) == (2, 6, "OTP")
        assert (submit.priority_flag, submit.protocol_id, submit.registered_delivery) == (3, 64, 17)
        assert (submit.esm_class, submit.data_coding) == (3 | udh.UDHI, 241)
        assert submit.tlvs == ((0x1400, b"1234"), USER_MESSAGE_REFERENCE.make(0x2345))


@pytest.mark.parametrize(
    ("text", "charset", "data_coding", "octets"),
    [
        ("a@€", "gsm7", 0, b"a\x00\x1be"),
        ("hellohello", "gsm7-packed", 0, bytes.fromhex("E8329BFD4697D9EC37")),
        ("é@", "latin-1", 0, b"\xe9@"),
        ("€", "latin-1", 8, b"\x20\xac"),
        ("é", "ascii", 8, b"\x00\xe9"),
        ("Σ", "latin-1", 8, b"\x03\xa3"),
        ("ї", "gsm7", 8, b"\x04\x57"),
        ("👋", "gsm7", 8, b"\xd8\x3d\xdc\x4b"),
    ],
)
def test_a_text_travels_in_the_charset_or_as_ucs2(text: str, charset: str, data_coding: int, octets: bytes) -> None:
    (submit,) = SubmitEncoder(settings(charset=charset)).submits(message(text), 1, NOW)
    assert (submit.data_coding, submit.short_message) == (data_coding, octets)


def test_a_text_that_the_customer_wants_as_ucs2_stays_so() -> None:
    wanted = Outbound(1, 1, 1, "4477", "HOMING", "plain", 8, 1, NOW)
    (submit,) = SubmitEncoder(settings()).submits(wanted, 1, NOW)
    assert submit.short_message == "plain".encode("utf-16-be")


@pytest.mark.parametrize("length", [7, 15, 159, 160])
def test_packed_septets_never_end_in_what_looks_like_a_letter(length: int) -> None:
    (submit,) = SubmitEncoder(settings(charset="gsm7-packed")).submits(message("x" * length), 1, NOW)
    octets = submit.short_message
    assert len(octets) == -(-length * 7 // 8)
    septets = gsm7.unpack(octets, len(octets) * 8 // 7)
    assert septets.rstrip(b"\r") == b"x" * length


@pytest.mark.parametrize(
    ("long", "units", "parts"),
    [("udh8", 306, 2), ("udh8", 307, 3), ("udh16", 304, 2), ("udh16", 306, 3), ("sar", 306, 2), ("payload", 1000, 1)],
)
def test_a_long_text_has_as_many_parts_as_its_headers_allow(long: str, units: int, parts: int) -> None:
    assert len(SubmitEncoder(settings(long_messages=long)).submits(message("x" * units), 1, NOW)) == parts


def test_the_parts_name_their_message_and_their_place() -> None:
    text = "x" * 320
    for long, reference in (("udh8", 0x45), ("udh16", 0x2345), ("sar", 0x2345)):
        made = SubmitEncoder(settings(long_messages=long)).submits(message(text), 0x1_2345, NOW)
        for number, submit in enumerate(made, 1):
            header, _body = udh.split(submit.short_message, submit.esm_class)
            place = concatenation.header_position(header) or PartPosition(
                SAR_MSG_REF_NUM.of(submit.tlvs) or 0,
                SAR_TOTAL_SEGMENTS.of(submit.tlvs) or 0,
                SAR_SEGMENT_SEQNUM.of(submit.tlvs) or 0,
            )
            assert place == PartPosition(reference, 3, number)


# ---- What answers mean


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([PartResult(PartOutcome.ACCEPTED, "a")], Answer(Outcome.ACCEPTED, "a")),
        ([PartResult(PartOutcome.ACCEPTED, "")], Answer(Outcome.ACCEPTED, None, error_text=NO_REFERENCE)),
        (
            [PartResult(PartOutcome.ACCEPTED, "a"), PartResult(PartOutcome.ACCEPTED, "b")],
            Answer(Outcome.ACCEPTED, "a", part_refs=("a", "b")),
        ),
        (
            [PartResult(PartOutcome.ACCEPTED, ""), PartResult(PartOutcome.ACCEPTED, "b")],
            Answer(Outcome.ACCEPTED, "b", error_text=NO_REFERENCE),
        ),
        (
            [PartResult(PartOutcome.THROTTLED, error_code="88", description="w")],
            Answer(Outcome.DEFERRED, None, "88", "w"),
        ),
        ([PartResult(PartOutcome.NOT_SENT, description="n")], Answer(Outcome.DEFERRED, None, None, "n")),
        (
            [PartResult(PartOutcome.NOT_SENT, description="n"), None],
            Answer(Outcome.DEFERRED, None, None, "part 1 of 2: n"),
        ),
        (
            [PartResult(PartOutcome.ACCEPTED, "a"), PartResult(PartOutcome.NOT_SENT, description="n"), None],
            Answer(Outcome.REFUSED, None, None, "part 2 of 3: n; taken before: a"),
        ),
        (
            [
                PartResult(PartOutcome.REFUSED, error_code="11", description="w"),
                PartResult(PartOutcome.UNKNOWN, description="u"),
            ],
            Answer(Outcome.UNKNOWN, None, None, "part 2 of 2: u"),
        ),
        (
            [
                PartResult(PartOutcome.THROTTLED, error_code="88", description="t"),
                PartResult(PartOutcome.REFUSED, error_code="69", description="w"),
            ],
            Answer(Outcome.REFUSED, None, "69", "part 2 of 2: w"),
        ),
    ],
)
def test_a_messages_answer_is_that_of_its_worst_part(told: list[PartResult | None], expected: Answer) -> None:
    assert combine(told) == expected


def test_binds_that_will_be_refused_again_are_told_from_those_that_may_pass() -> None:
    assert [
        is_lasting(one) for one in (CommandStatus.RINVPASWD, CommandStatus.RINVSYSID, CommandStatus.RBINDFAIL, 0x4FF)
    ] == [True] * 4
    assert [is_lasting(one) for one in (CommandStatus.RALYBND, CommandStatus.RTHROTTLED, CommandStatus.RSYSERR)] == [
        False
    ] * 3


# ---- Flash, and India's ids


def asking(text: str, **options: Any) -> Outbound:
    return msgspec.structs.replace(message(text), options=Options(**options))


@pytest.mark.parametrize(
    ("text", "changes", "ordinary", "flash"),
    [
        ("plain", {}, 0x00, 0x10),
        ("Привет", {}, 0x08, 0x18),
        ("plain", {"gsm7_flash_data_coding": 0xF0}, 0x00, 0xF0),
        ("Привет", {"ucs2_flash_data_coding": 0x19}, 0x08, 0x19),
        ("plain " * 40, {}, 0x00, 0x10),
        ("Привет " * 40, {"long_messages": "payload"}, 0x08, 0x18),
    ],
)
def test_flash_leaves_with_a_message_class_and_the_same_octets(
    text: str, changes: dict[str, Any], ordinary: int, flash: int
) -> None:
    encoder = SubmitEncoder(settings(**changes))
    plain = encoder.submits(message(text), 7, NOW)
    shown_at_once = encoder.submits(asking(text, flash=True), 7, NOW)
    assert {one.data_coding for one in plain} == {ordinary}
    assert [msgspec.structs.replace(one, data_coding=flash) for one in plain] == shown_at_once


@pytest.mark.parametrize(
    ("changes", "tlvs"),
    [
        ({}, ((0x1400, b"1101"), (0x1401, b"1107"))),
        ({"pe_id_tag": "0x1402", "template_id_tag": ""}, ((0x1402, b"1101"),)),
        ({"tlvs": {"0x1400": "39", "0x1500": "41"}}, ((0x1500, b"A"), (0x1400, b"1101"), (0x1401, b"1107"))),
    ],
)
def test_indias_ids_leave_in_every_part_in_place_of_the_settings_own(changes: dict[str, Any], tlvs: Any) -> None:
    parts = SubmitEncoder(settings(**changes)).submits(asking("hello " * 60, pe_id="1101", template_id="1107"), 7, NOW)
    assert len(parts) == 3
    assert [part.tlvs for part in parts] == [tlvs] * 3


def test_a_message_without_ids_has_those_of_the_settings() -> None:
    (part,) = SubmitEncoder(settings(tlvs={"0x1400": "39"})).submits(message(), 7, NOW)
    assert part.tlvs == ((0x1400, b"9"),)


# ---- Slowing down


def round_trips(ramp: CongestionWindow, count: int) -> list[int]:
    """How many may go in each of the next round trips, when all are taken."""
    found = []
    for _ in range(count):
        found.append(ramp.allowed)
        for _one in range(ramp.allowed):
            ramp.accepted()
    return found


def test_after_a_pause_one_probes_then_it_doubles_to_half_and_goes_on_step_by_step() -> None:
    ramp = CongestionWindow(16, 0.5)
    assert not ramp.is_limited
    assert ramp.throttled() == 0.5
    assert ramp.is_paused
    assert ramp.throttled() is None, "the rest of the window is the same event"
    ramp.accepted()
    assert ramp.is_paused, "what was taken before is no sign"
    ramp.resume()
    assert ramp.is_probing
    assert round_trips(ramp, 14) == [1, 2, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16]
    assert not ramp.is_limited


def test_pauses_double_while_probes_fail_and_begin_anew_once_it_went_well() -> None:
    ramp = CongestionWindow(16, 1.0)
    pauses = []
    for _ in range(6):
        pauses.append(ramp.throttled())
        ramp.resume()
    assert pauses == [1, 2, 4, 8, 8, 8]
    assert pauses[-1] == limits.SMPP_CARRIER_THROTTLE_PAUSE_S_MAX
    round_trips(ramp, 4)
    assert ramp.throttled() == 1.0


def test_a_window_of_one_is_paused_and_opened_like_any_other() -> None:
    ramp = CongestionWindow(1, 1.0)
    assert ramp.throttled() == 1.0
    ramp.resume()
    assert ramp.throttled() == 2.0
    ramp.resume()
    ramp.accepted()
    assert ramp.allowed == 1
    assert not ramp.is_probing
    assert ramp.throttled() == 1.0


# ---- What comes in


READER = DeliveryReader(settings())


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        (0x00, b"a\x00\x1be", "a@€"),
        (0x00, b"caf\xe9", "café"),
        (0x01, b"plain", "plain"),
        (0x01, b"caf\xe9", "café"),
        (0x03, b"caf\xe9 @", "café @"),
        (0x04, b"\x80\x81", "\x80\x81"),
        (0x05, "日本".encode("shift_jis"), "日本"),
        (0x06, "Привет".encode("iso8859_5"), "Привет"),
        (0x07, "שלום".encode("iso8859_8"), "שלום"),
        (0x07, b"\xbfQu\xe9?", "¿Qué?"),
        (0x08, "日本 👋".encode("utf-16-be"), "日本 👋"),
        (0x08, b"\x00a\x00", "a�"),
        (0x08, b"\xff\xfe" + "STOP 👋".encode("utf-16-le"), "STOP 👋"),
        (0x08, b"\xfe\xff" + "STOP".encode("utf-16-be"), "STOP"),
        (0x18, b"\xff\xfe" + "й".encode("utf-16-le"), "й"),
        (0x0E, "안녕".encode("euc_kr"), "안녕"),
        (0x10, b"\x00", "@"),
        (0x18, "й".encode("utf-16-be"), "й"),
        (0xE0, "й".encode("utf-16-be"), "й"),
        (0xF0, b"\x00", "@"),
        (0xF5, b"\xe9", "é"),
        (0xC0, b"\x00", "@"),
    ],
)
def test_a_persons_text_is_read_by_its_data_coding(data_coding: int, octets: bytes, text: str) -> None:
    said = READER.read(
        DeliverSm(source_addr="4477", destination_addr="H", data_coding=data_coding, short_message=octets), NOW
    )
    assert said == CarrierInbound("4477", "H", text, NOW)
    payload = DataSm(
        source_addr="4477", destination_addr="H", data_coding=data_coding, tlvs=(MESSAGE_PAYLOAD.make(octets),)
    )
    assert READER.read(payload, NOW) == said


@pytest.mark.parametrize(
    ("charset", "octets"),
    [("latin-1", b"\xe9@"), ("ascii", b"\xe9@"), ("gsm7-packed", gsm7.pack(gsm7.encode("é@")))],
)
def test_data_coding_0_is_read_as_the_carrier_means_it(charset: str, octets: bytes) -> None:
    reader = DeliveryReader(settings(charset=charset))
    said = reader.read(DeliverSm(short_message=octets), NOW)
    assert isinstance(said, CarrierInbound)
    assert said.content == "é@"


@pytest.mark.parametrize("short", [b"", b" ", b"\0"])
def test_a_receipt_in_message_payload_is_read_though_the_short_message_has_a_blank(short: bytes) -> None:
    payload = (MESSAGE_PAYLOAD.make(b"id:7 stat:DELIVRD err:000"),)
    said = READER.read(DeliverSm(esm_class=4, short_message=short, tlvs=payload), NOW)
    assert isinstance(said, CarrierReceipt)
    assert (said.carrier_ref, said.state) == ("7", MessageState.DELIVERED)


@pytest.mark.parametrize(
    ("data_coding", "octets"),
    [(0x08, b"id:7 stat:DELIVRD"), (0x00, "id:7 stat:DELIVRD".encode("utf-16-be")), (0x08, b"\0id:7 stat:DELIVRD")],
)
def test_a_receipt_is_kept_in_the_alphabet_that_it_was_read_in(data_coding: int, octets: bytes) -> None:
    said = READER.read(DeliverSm(esm_class=4, data_coding=data_coding, short_message=octets), NOW)
    assert isinstance(said, CarrierReceipt)
    assert said.raw == "id:7 stat:DELIVRD"


def test_a_header_that_is_not_of_a_long_message_is_taken_off() -> None:
    ports = udh.build([(udh.PORTS_16_BIT, b"\x0b\x84\x0b\x84")])
    said = READER.read(DeliverSm(esm_class=udh.UDHI, short_message=ports + b"hi"), NOW)
    assert isinstance(said, CarrierInbound)
    assert said.content == "hi"


def test_a_header_that_runs_over_its_message_is_text() -> None:
    said = READER.read(DeliverSm(esm_class=udh.UDHI, short_message=b"\x30hi"), NOW)
    assert isinstance(said, CarrierInbound)
    assert said.content.endswith("hi")


def test_a_message_of_one_part_is_whole() -> None:
    header = concatenation.build_header(1, 1, 1)
    assert isinstance(READER.read(DeliverSm(esm_class=udh.UDHI, short_message=header + b"hi"), NOW), CarrierInbound)


def test_a_receipt_is_of_when_it_says_in_the_carriers_zone() -> None:
    reader = DeliveryReader(settings(receipt_utc_offset_min=120))
    text = b"id:7 sub:001 dlvrd:001 submit date:2611221358 done date:2611221359 stat:DELIVRD err:000 text:"
    said = reader.read(DeliverSm(source_addr="4477", esm_class=4, short_message=text), NOW)
    assert isinstance(said, CarrierReceipt)
    assert said.received_at == datetime(2026, 11, 22, 11, 59, tzinfo=UTC)


def test_an_intermediate_notice_is_no_end() -> None:
    tlvs = (RECEIPTED_MESSAGE_ID.make("7"), MESSAGE_STATE.make(1))
    said = READER.read(DeliverSm(source_addr="4477", esm_class=0x20, tlvs=tlvs), NOW)
    assert isinstance(said, CarrierReceipt)
    assert (said.carrier_ref, said.state) == ("7", MessageState.SENT)


@given(
    esm_class=st.integers(0, 255),
    data_coding=st.integers(0, 255),
    octets=st.binary(max_size=254),
    tlvs=st.lists(st.tuples(st.sampled_from([0x001E, 0x0427, 0x0423, 0x0424, 0x020C, 0x020E, 0x020F]), st.binary())),
    charset=st.sampled_from(["gsm7", "gsm7-packed", "latin-1", "ascii"]),
)
def test_whatever_comes_is_read(
    esm_class: int, data_coding: int, octets: bytes, tlvs: list[tuple[int, bytes]], charset: str
) -> None:
    reader = DeliveryReader(settings(charset=charset))
    deliver = DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=octets, tlvs=tuple(tlvs))
    said = reader.read(deliver, NOW)
    if isinstance(said, InboundPart):
        assert isinstance(reader.whole([said], NOW), CarrierInbound)


# ---- Long messages in


def fragment(part: int, total: int = 3, source: str = "4477", octets: bytes = b"x") -> InboundPart:
    return InboundPart(source, "H", PartPosition(9, total, part), 0, octets)


def test_parts_are_put_together_whatever_their_order_and_repeats() -> None:
    table = ReassemblyTable()
    assert table.add(fragment(3), 0) is None
    assert table.add(fragment(1), 0) is None
    assert table.add(fragment(1), 0) is None
    assert table.add(fragment(2, source="other"), 0) is None
    found = table.add(fragment(2), 0)
    assert found == [fragment(1), fragment(2), fragment(3)]
    assert len(table) == 1, "the other person's message still waits"


def test_what_does_not_become_whole_is_given_up_in_time_oldest_first() -> None:
    table = ReassemblyTable()
    table.add(fragment(2, source="a"), 0)
    table.add(fragment(1, source="b"), 1)
    assert table.overdue(SMPP_CARRIER_FRAGMENTS_S - 0.1) == []
    assert table.overdue(SMPP_CARRIER_FRAGMENTS_S) == [[fragment(2, source="a")]]
    assert len(table) == 1


def test_a_flood_of_parts_is_bounded() -> None:
    table = ReassemblyTable()
    big = b"x" * 65_000
    given = SMPP_CARRIER_FRAGMENTS_BYTES_MAX // len(big) + 10
    for n in range(given):
        table.add(fragment(1, source=str(n), octets=big), float(n) / 1000)
    assert table.overdue(1)
    assert len(table) * len(big) <= SMPP_CARRIER_FRAGMENTS_BYTES_MAX


# ---- Asking


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (QuerySmResp("7", "261122115500000+", 2, 0), (MessageState.DELIVERED, 55, None)),
        (QuerySmResp("7", "", 5, 9), (MessageState.UNDELIVERABLE, 0, "009")),
        (QuerySmResp("7", "nonsense", 3, 0), (MessageState.EXPIRED, 0, None)),
        (QuerySmResp("7", "300101000000000+", 8, 0), (MessageState.REJECTED, 0, None)),
        (QuerySmResp("7", "", 1, 0), None),
        (QuerySmResp(status=CommandStatus.RQUERYFAIL), None),
        (QuerySmResp("7", "", 77, 0), None),
    ],
)
def test_what_a_query_finds_is_a_receipt(
    answer: QuerySmResp, expected: tuple[MessageState, int, str | None] | None
) -> None:
    found = receipt_from_answer(Outstanding("7", "4477", "HOMING", NOW - timedelta(hours=1)), answer, NOW)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.state, found.received_at.minute, found.error_code) == expected
    assert (found.carrier_ref, found.number) == ("7", "4477")


def test_pauses_never_shrink() -> None:
    ramp = CongestionWindow(100, 0.05)
    pauses = []
    for _ in range(40):
        pauses.append(ramp.throttled() or 0)
        ramp.resume()
    assert all(a <= b for a, b in pairwise(pauses))
