"""What is written is read back, for times and user data headers, and no octets bring the readers down."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from homing.smpp import concatenation, times, udh

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC)
moments = st.integers(0, (LAST - FIRST) // timedelta(microseconds=1)).map(lambda us: FIRST + timedelta(microseconds=us))
spans = st.integers(0, 99 * 365 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@given(moments)
def test_an_absolute_time_is_read_back_to_the_tenth_of_a_second(moment: datetime) -> None:
    read = times.parse(times.absolute(moment))
    assert isinstance(read, datetime)
    assert timedelta(0) <= moment - read < timedelta(seconds=0.1)


@given(spans)
def test_a_relative_time_is_read_back_to_the_second(span: timedelta) -> None:
    text = times.relative(span)
    assert len(text) == 16
    assert times.parse(text) == span


@given(st.text("0123456789+-R", max_size=18))
def test_any_text_is_a_time_or_refused_in_one_way(text: str) -> None:
    try:
        read = times.parse(text)
    except ValueError:
        return
    assert read is None or isinstance(read, (datetime, timedelta))


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20)), max_size=8))
def test_a_header_is_read_back(elements: list[tuple[int, bytes]]) -> None:
    header = udh.build(elements)
    assert udh.parse(header) == elements
    assert udh.split(header + b"text", udh.UDHI if header else 0) == (header, b"text")


@given(st.integers(0, 2**17), st.integers(1, 255), st.data(), st.booleans())
def test_a_parts_place_is_read_back(reference: int, total: int, data: st.DataObject, wide: bool) -> None:
    part = data.draw(st.integers(1, total))
    header = concatenation.build_header(reference, total, part, wide)
    assert len(header) == (7 if wide else 6)
    assert concatenation.header_position(header) == (reference & (0xFFFF if wide else 0xFF), total, part)


@given(st.binary(max_size=300), st.integers(0, 255))
def test_any_octets_are_split_or_refused_and_nothing_is_lost(octets: bytes, esm_class: int) -> None:
    try:
        header, rest = udh.split(octets, esm_class)
        concatenation.header_position(header)
    except udh.MalformedUdh:
        return
    assert header + rest == octets
