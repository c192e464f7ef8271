"""The laaffic dialect's parameters: shapes with their tolerances, and times in every form that clients send."""

import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import errors
from homing.dialects.laaffic import parameters

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SPAN = (datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - hypothesis wants them so
BODY = parameters.decoder(parameters.Group)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T20:00:00+08:00",
        "2026-03-01T20:00:00+0800",
        "2026-03-01T20:00:00 08:00",  # the plus sign of a query that was not encoded
        "2026-03-01 20:00:00+08:00",
        "2026-03-01T20%3A00%3A00%2B08%3A00",  # encoded twice
        " 2026-03-01T12:00:00Z ",
        "2026-03-01T12:00:00+00:00",
        "2026-03-01T12:00:00-00:00",
        "2026-03-01T07:00:00-05:00",
        "2026-03-01T12:00:00.0Z",
        "2026-03-01T12:00:00.000Z",
        "2026-03-01T12:00:00.000000+00:00",
    ],
)
def test_a_time_in_any_tolerated_form(text: str) -> None:
    assert parameters.time_of(text) == NOON


@given(st.datetimes(SPAN[0], SPAN[1]), st.integers(-14 * 60, 14 * 60), st.booleans())
def test_any_time_is_read_with_its_offset(at: datetime, offset: int, twice: bool) -> None:
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    text = f"{at.isoformat()}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    found = parameters.time_of(quote(text) if twice else text)
    assert found.timestamp() == pytest.approx(at.replace(tzinfo=UTC).timestamp() - offset * 60, abs=1e-5)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01T12:00Z",
        "2026-03-01T12:00:00+08",
        "2026-03-01T12:00:00+99:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "２０２６-03-01T12:00:00Z",
        "1772366400",
        "2026-03-01T12:00:00Zx",
        "now",
        "%",
        "%zz",
        "2026-03-01T12:00:00.1234567Z",
        "2026-03-01T12:00:60Z",
        "x" * 100_000,
    ],
)
def test_what_is_no_time_is_a_bad_time(text: str) -> None:
    with pytest.raises(errors.BadTime):
        parameters.time_of(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1772366400", NOON),
        ("1772366400000", NOON),
        ("1772366400500", NOON.replace(microsecond=500_000)),
        ("0000000000", datetime(1970, 1, 1, tzinfo=UTC)),
        ("9999999999", datetime(2286, 11, 20, 17, 46, 39, tzinfo=UTC)),
    ],
)
def test_epochs_in_seconds_or_milliseconds(text: str, at: datetime) -> None:
    assert parameters.epoch_of(text) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "177236640",
        "17723664000",
        "177236640000",
        "-772366400",
        "1772366400.0",
        "１７７２３６６４００",
        "1e9",
        " 1772366400",
    ],
)
def test_what_is_no_epoch_is_none(text: str) -> None:
    assert parameters.epoch_of(text) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("码", "码"),
        (5, "5"),
        (-5, "-5"),
        (5.0, "5"),
        (8613800000001, "8613800000001"),
        (10**40, "1" + "0" * 40),
    ],
)
def test_scalars_as_text(value: str | int | float | None, text: str) -> None:
    assert parameters.text_of(value, "content") == text


@pytest.mark.parametrize("value", ["a\0", "\ud83d", 1.5, float("inf"), float("nan"), 1e15, -1e300])
def test_what_can_be_neither_kept_nor_sent_is_a_bad_shape(value: str | float) -> None:
    with pytest.raises(errors.BadShape):
        parameters.text_of(value, "content")


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b"", None),
        (b"  \n", None),
        (b"{}", None),
        (b'{"content": null}', None),
        (b'{"content": "x", "unknown": [1, {}]}', "x"),
        (b'{"content": 5}', 5),
        (b'{"content": 5.5}', 5.5),
        (b'{"content": "a", "content": "b"}', "b"),
    ],
)
def test_a_body_is_read_with_the_dialects_tolerances(body: bytes, content: object) -> None:
    assert parameters.decode(body, BODY).content == content


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"1",
        b"null",
        b"{",
        b'{"content": [1]}',
        b'{"content": {}}',
        b'{"content": true}',
        b"\xff",
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"content": "\xff"}',
        b"{} x",
    ],
)
def test_any_other_body_is_a_bad_shape(body: bytes) -> None:
    with pytest.raises(errors.BadShape):
        parameters.decode(body, BODY)


@pytest.mark.parametrize("digits", [30, 400, 4_301, 100_000])
def test_a_number_with_too_many_digits_is_a_text_or_a_bad_shape(digits: int) -> None:
    body = b'{"content": ' + b"9" * digits + b"}"
    try:
        found = parameters.text_of(parameters.decode(body, BODY).content, "content")
    except errors.BadShape:
        return
    assert found == "9" * digits


@given(
    st.binary(max_size=80) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_whatever_comes_is_a_group_or_a_bad_shape(body: bytes) -> None:
    try:
        call = parameters.decode(body, BODY)
        parameters.text_of(call.content, "content")
    except errors.BadShape:
        return
    assert isinstance(call, parameters.Group)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("a=1&a=2", {"a": "1"}),
        ("a=&a=2", {"a": ""}),
        ("a=%E7%A0%81+x&b", {"a": "码 x", "b": ""}),
        ("a=%FF", {"a": "\udcff"}),
        ("a=%00%zz", {"a": "\0%zz"}),
    ],
)
def test_a_query(query: str, found: dict[str, str]) -> None:
    assert parameters.from_query(query) == found


@pytest.mark.parametrize(("value", "number"), [(None, 7), ("", 7), (" 3 ", 3), (3, 3), ("0", 0), (3.0, 3)])
def test_whole_numbers(value: str | int | float | None, number: int) -> None:
    assert parameters.whole(value, 7, "size") == number


@pytest.mark.parametrize("value", ["-1", -1, "x", "1.5", 1.5, "１", "9" * 10, 10**9, "+1", "²"])
def test_what_is_no_whole_number_is_a_bad_shape(value: str | int | float) -> None:
    with pytest.raises(errors.BadShape):
        parameters.whole(value, 7, "size")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [("1,2", ["1", "2"]), ("1,2,", ["1", "2"]), (",, ,1", ["1"]), (" 1 , 2", [" 1 ", " 2"]), ("", []), (",", [])],
)
def test_a_comma_list_leaves_out_what_is_empty_and_keeps_what_is_not_as_it_came(text: str, pieces: list[str]) -> None:
    assert parameters.split_list(text) == pieces
