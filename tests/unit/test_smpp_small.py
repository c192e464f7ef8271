"""Statuses, optional parameters, times and user data headers."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from homing.smpp import concatenation, statuses, times, tlvs, udh
from homing.smpp.statuses import CommandStatus, StatusKind


@pytest.mark.parametrize("status", list(CommandStatus))
def test_every_status_has_a_name_and_words(status: CommandStatus) -> None:
    meaning = statuses.meaning(status)
    assert meaning.name == f"ESME_{status.name}"
    assert meaning.description


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0x00, StatusKind.OK),
        (0x58, StatusKind.THROTTLED),
        (0x14, StatusKind.THROTTLED),
        (0x08, StatusKind.TEMPORARY),
        (0x0B, StatusKind.PERMANENT),
        (0x0E, StatusKind.SESSION),
        (0x04, StatusKind.SESSION),
        (0x400, StatusKind.PERMANENT),
        (0x4FF, StatusKind.PERMANENT),
        (0x10, StatusKind.PERMANENT),
        (0xFFFFFFFF, StatusKind.PERMANENT),
    ],
)
def test_any_status_says_what_follows_from_it(status: int, kind: StatusKind) -> None:
    assert statuses.meaning(status).kind is kind


def test_a_vendors_status_is_shown_by_its_number() -> None:
    assert statuses.meaning(0x0401).name == "vendor 0x0401"
    assert statuses.meaning(0x0500).name == "reserved 0x00000500"


def test_the_table_has_the_44_parameters_of_the_specification_and_indias_two() -> None:
    assert len([tag for tag in tlvs.PARAMETERS if tag < 0x1400]) == 44
    assert len({parameter.name for parameter in tlvs.PARAMETERS.values()}) == len(tlvs.PARAMETERS)
    assert tlvs.name(0x0424) == "message_payload"
    assert tlvs.name(0x1599) == "0x1599"


def test_a_parameter_is_found_among_others_and_its_first_value_counts() -> None:
    found = (tlvs.SAR_TOTAL_SEGMENTS.make(3), tlvs.MESSAGE_STATE.make(2), tlvs.MESSAGE_STATE.make(5))
    assert tlvs.MESSAGE_STATE.of(found) == 2
    assert tlvs.MESSAGE_STATE.all_of(found) == [2, 5]
    assert tlvs.RECEIPTED_MESSAGE_ID.of(found) is None


@pytest.mark.parametrize(("raw", "value"), [(b"\x07", 7), (b"\x00\x07", 7), (b"\0\0\0\x07", 7), (b"", None)])
def test_a_number_is_read_whatever_size_a_vendor_gives_it(raw: bytes, value: int | None) -> None:
    assert tlvs.SAR_MSG_REF_NUM.of(((0x020C, raw),)) == value


@pytest.mark.parametrize("raw", [b"4F2A", b"4F2A\0", b"4F2A\0\0junk"])
def test_a_text_is_read_with_and_without_its_end(raw: bytes) -> None:
    assert tlvs.RECEIPTED_MESSAGE_ID.of(((0x001E, raw),)) == "4F2A"


def test_a_parameter_is_made_with_the_size_of_the_specification() -> None:
    assert tlvs.SAR_MSG_REF_NUM.make(7) == (0x020C, b"\0\x07")
    assert tlvs.RECEIPTED_MESSAGE_ID.make("4F2A") == (0x001E, b"4F2A\0")
    assert tlvs.ALERT_ON_MESSAGE_DELIVERY.make(b"") == (0x130C, b"")
    with pytest.raises(ValueError):
        tlvs.SAR_TOTAL_SEGMENTS.make(256)
    with pytest.raises(ValueError):
        tlvs.RECEIPTED_MESSAGE_ID.make("x" * 65)
    with pytest.raises(ValueError):
        tlvs.NETWORK_ERROR_CODE.make(b"xx")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("261122153000500+", datetime(2026, 11, 22, 15, 30, 0, 500_000, UTC)),
        ("261122153000504+", datetime(2026, 11, 22, 14, 30, 0, 500_000, UTC)),
        ("261122153000004-", datetime(2026, 11, 22, 16, 30, tzinfo=UTC)),
        ("380101000000000+", datetime(1938, 1, 1, tzinfo=UTC)),
        ("370101000000000+", datetime(2037, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_absolute_time_is_read_with_its_offset(text: str, moment: datetime) -> None:
    assert times.parse(text) == moment


def test_a_relative_time_is_a_span() -> None:
    assert times.parse("000002012003000R") == timedelta(days=2, hours=1, minutes=20, seconds=3)
    assert times.parse("010100000000000R") == timedelta(days=395)
    assert times.parse("") is None


@pytest.mark.parametrize(
    "text",
    ["1", "261122153000500", "261122153000500?", "261322153000500+", "261122153000049+", "2611221530٠0500+", "x" * 16],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        times.parse(text)


def test_times_are_written_as_they_are_read() -> None:
    paris = timezone(timedelta(hours=1))
    assert times.absolute(datetime(2026, 11, 22, 15, 30, tzinfo=paris)) == "261122143000000+"
    assert times.relative(timedelta(minutes=5)) == "000000000500000R"
    assert times.relative(timedelta(days=364)) == "001134000000000R"
    with pytest.raises(ValueError):
        times.absolute(datetime(2026, 11, 22))  # noqa: DTZ001 - a time without a zone is what is refused
    with pytest.raises(ValueError):
        times.absolute(datetime(2040, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError):
        times.relative(timedelta(seconds=-1))


def test_a_header_is_cut_off_where_esm_class_says_that_there_is_one() -> None:
    message = b"\x05\x00\x03\x2a\x02\x01text"
    assert udh.split(message, 0x40) == (message[:6], b"text")
    assert udh.split(message, 0x00) == (b"", message)
    with pytest.raises(udh.MalformedUdh):
        udh.split(b"\x05\x00", 0x40)
    with pytest.raises(udh.MalformedUdh):
        udh.split(b"", 0x40)


def test_concatenation_is_read_in_both_widths() -> None:
    assert concatenation.header_position(b"\x05\x00\x03\x2a\x02\x01") == (0x2A, 2, 1)
    assert concatenation.header_position(b"\x06\x08\x04\x01\x2a\x03\x02") == (0x12A, 3, 2)
    assert concatenation.header_position(b"\x03\x24\x01\x01") is None
    assert concatenation.header_position(b"") is None


@pytest.mark.parametrize("header", [b"\x05\x00\x03\x2a\x02\x00", b"\x05\x00\x03\x2a\x02\x03", b"\x04\x00\x02\x2a\x02"])
def test_concatenation_that_makes_no_sense_is_passed_over(header: bytes) -> None:
    assert concatenation.header_position(header) is None


@pytest.mark.parametrize(
    "header", [b"\x05\x00\x03\x2a\x02", b"\x02\x00\x03", b"\x01\x00", b"\x06\x00\x03\x2a\x02\x01\x24"]
)
def test_a_header_that_does_not_add_up_is_refused(header: bytes) -> None:
    with pytest.raises(udh.MalformedUdh):
        concatenation.header_position(header)


def test_concatenation_is_built_as_it_is_read() -> None:
    assert concatenation.build_header(0x2A, 2, 1) == b"\x05\x00\x03\x2a\x02\x01"
    assert concatenation.build_header(0x12A, 2, 1) == b"\x05\x00\x03\x2a\x02\x01"
    assert concatenation.build_header(0x12A, 3, 2, wide=True) == b"\x06\x08\x04\x01\x2a\x03\x02"
    for total, part in ((0, 0), (2, 3), (256, 1)):
        with pytest.raises(ValueError):
            concatenation.build_header(1, total, part)


def test_other_elements_are_kept() -> None:
    header = b"\x0e\x05\x04\x0b\x84\x23\xf0\x24\x01\x01\x00\x03\x2a\x02\x01"
    elements = udh.parse(header)
    assert elements == [(0x05, b"\x0b\x84\x23\xf0"), (0x24, b"\x01"), (0x00, b"\x2a\x02\x01")]
    assert udh.build(elements) == header
    assert concatenation.header_position(header) == (0x2A, 2, 1)
