"""The parser of receipts takes anything, and reads what we write."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from homing import limits
from homing.receipts.id_formats import IdFormat, key_in_format, keys_by_format, reference_key
from homing.smpp.receipt_text import (
    RECEIPT_CLOCK_BEHIND_S_MAX,
    DeliveryKind,
    ReceiptText,
    ReceiptTlvs,
    compose,
    kind_of,
    parse,
)
from homing.states import TABLE, MessageState

NOW = datetime(2026, 6, 15, 12, 0, 30, tzinfo=UTC)
REPORTED = [state for state in MessageState if TABLE[state].final and state is not MessageState.FAILED] + [
    MessageState.UNKNOWN
]

labels = st.sampled_from(
    [
        "id",
        "sub",
        "dlvrd",
        "submit date",
        "done date",
        "submitdate",
        "stat",
        "err",
        "text",
        "Text",
        "mcc",
        "ID",
        "",
        "x y",
    ]
)
values = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["DELIVRD", "UNDELIV", "2606151159", "260615115900", "001", "0x01", '"', "{a}", ":", "\0", "9" * 30]
    ),
)
receipts = st.lists(st.tuples(labels, st.sampled_from([":", "=", ": ", ""]), values), max_size=9).map(
    lambda fields: " ".join(label + mark + value for label, mark, value in fields)
)
tlvs = st.builds(
    ReceiptTlvs,
    st.none() | st.text(max_size=70),
    st.none() | st.integers(-1, 300),
    st.none() | st.binary(max_size=6),
)
moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.one_of(receipts, st.text(), st.binary(), receipts.map(lambda text: text.encode("utf-16-be"))), tlvs, moments)
@example(b"\xff\xfe", ReceiptTlvs(), NOW)
@example("done date:00000000000000", ReceiptTlvs(), datetime(1, 1, 1, tzinfo=UTC))
@example("done date:99999999999999999", ReceiptTlvs(), datetime(9999, 12, 31, tzinfo=UTC))
def test_the_parser_never_raises_and_keeps_to_its_bounds(
    text: bytes | str, given_tlvs: ReceiptTlvs, arrived_at: datetime
) -> None:
    for offset in (timedelta(0), timedelta(hours=14), timedelta(hours=-12)):
        found = parse(text, given_tlvs, arrived_at=arrived_at, utc_offset=offset)
        assert len(found.carrier_ref) <= limits.RECEIPT_REF_CHARS_MAX
        assert len(found.error_code or "") <= limits.RECEIPT_STATUS_CHARS_MAX
        assert found.state is None or TABLE[found.state].rank >= TABLE[MessageState.UNKNOWN].rank
        assert timedelta(seconds=-limits.RECEIPT_CLOCK_AHEAD_S_MAX) <= arrived_at - found.done_at
        assert arrived_at - found.done_at <= timedelta(seconds=RECEIPT_CLOCK_BEHIND_S_MAX)
    assert kind_of(0x04, text, given_tlvs) is DeliveryKind.RECEIPT
    kind_of(0, text, given_tlvs)


ours: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    carrier_ref=st.integers(1, 2**53 - 1).map(str),
    state=st.sampled_from(REPORTED),
    submitted_at=st.integers(1, 2_000).map(lambda minutes: NOW.replace(second=0) - timedelta(minutes=minutes)),
    done_at=st.integers(0, 2_000).map(lambda minutes: NOW.replace(second=0) - timedelta(minutes=minutes)),
    error_code=st.none() | st.integers(1, 999).map(lambda code: f"{code:03d}"),
    text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
)


@given(ours, st.integers(1, 24), st.booleans())
def test_what_we_write_is_read_as_it_was_meant(receipt: dict[str, Any], parts: int, with_tlvs: bool) -> None:
    composed = compose(**receipt, parts=parts)
    found = parse(composed.text, composed.tlvs if with_tlvs else ReceiptTlvs(), arrived_at=NOW)
    assert found == ReceiptText(words=found.words, **receipt)
    assert kind_of(0, composed.text) is DeliveryKind.RECEIPT


@given(st.integers(0, 2**64), st.integers(0, 8), st.integers(0, 8), st.booleans())
def test_a_count_is_known_again_in_either_base_with_any_zeros_and_case(
    count: int, zeros: int, more_zeros: int, in_capitals: bool
) -> None:
    in_hex = "0" * zeros + (f"{count:X}" if in_capitals else f"{count:x}")
    in_decimal = "0" * more_zeros + str(count)
    assert key_in_format(IdFormat.DECIMAL, in_decimal) == reference_key(in_hex)
    assert key_in_format(IdFormat.HEX, in_hex) == reference_key(in_decimal)
    assert reference_key(f"0x{in_hex}") == reference_key(in_hex)


@given(st.text(max_size=300))
def test_any_id_has_its_own_key_among_few(ref: str) -> None:
    found = keys_by_format(ref)
    assert found[IdFormat.SAME] == reference_key(ref)
    assert len(found) <= len(IdFormat)
