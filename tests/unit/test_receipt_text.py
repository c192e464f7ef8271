"""Appendix B read in every spelling and written in one. Whole receipts are in tests/corpus/receipts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homing import limits
from homing.smpp.receipt_text import (
    MESSAGE_STATES,
    STATE_WORDS,
    DeliveryKind,
    ReceiptText,
    ReceiptTlvs,
    compose,
    kind_of,
    parse,
)
from homing.states import MessageState

NOW = datetime(2026, 6, 15, 12, 0, 30, tzinfo=UTC)
SPECIFIED = (
    "id:0123456789 sub:001 dlvrd:001 submit date:2606151158 done date:2606151159 stat:DELIVRD err:000 text:Hello"
)


def read(text: bytes | str, tlvs: ReceiptTlvs | None = None, **more: Any) -> ReceiptText:
    return parse(text, tlvs or ReceiptTlvs(), arrived_at=NOW, **more)


def test_the_specified_layout_is_read_whole() -> None:
    assert read(SPECIFIED) == ReceiptText(
        "0123456789",
        MessageState.DELIVERED,
        datetime(2026, 6, 15, 11, 59, tzinfo=UTC),
        datetime(2026, 6, 15, 11, 58, tzinfo=UTC),
        None,
        "DELIVRD",
        "Hello",
    )


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-be", "utf-16-le", "utf-16", "latin-1", "utf-8"])
def test_octets_in_any_encoding_are_read_as_the_text_is(encoding: str) -> None:
    assert read(SPECIFIED.encode(encoding)) == read(SPECIFIED)


@pytest.mark.parametrize(
    ("words", "state"),
    [
        *(
            (word, MessageState.DELIVERED)
            for word in (
                *("DELIVRD", "DELIVERED", "Delivered", "DELIVERD", "DELIVRED", "DLVRD", "2"),
                *("DeliveredToTerminal", "DELIVERED_TO_HANDSET", "DELIVRD 0x00", "Success"),
            )
        ),
        *(
            (word, MessageState.UNDELIVERABLE)
            for word in (
                *("UNDELIV", "UNDELIVERABLE", "Undelivered", "UNDLVRD", "DELETED", "5", "NOT DELIVERED"),
                *("DELIVERY_FAILED", "DELIVERY FAILED", "DeliveryImpossible", "DELIVERY-FAILURE"),
            )
        ),
        *((word, MessageState.EXPIRED) for word in ("EXPIRED", "EXPIRD", "Expired", "3")),
        *((word, MessageState.REJECTED) for word in ("REJECTD", "REJECTED", "Rejected", "8")),
        *((word, MessageState.FAILED) for word in ("FAILED", "Failure", "SKIPPED")),
        *((word, MessageState.UNKNOWN) for word in ("UNKNOWN", "UNKNWN", "7")),
        *(
            (word, None)
            for word in (
                *("ACCEPTD", "ACCEPTED", "ENROUTE", "BUFFERED", "PENDING", "SCHEDULED", "6", "77", "?"),
                *("DeliveredToNetwork", "DELIVERED TO OPERATOR", "DELIVRD TO SMSC", "DELIVERY_PENDING", "Delivering"),
                *("DELIVERED_TO_NOWHERE_THAT_WE_KNOW", "FAILOVER", "SKIPPING", "EXPIRES SOON"),
            )
        ),
    ],
)
def test_a_state_is_known_in_any_spelling_and_what_is_not_known_has_not_ended(
    words: str, state: MessageState | None
) -> None:
    found = read(f"id:1 stat:{words} err:000")
    assert (found.state, found.words) == (state, words)


@pytest.mark.parametrize("number", [*(number for number in MESSAGE_STATES if number), 10, 255])
def test_message_state_wins_over_the_text_where_it_is_one(number: int) -> None:
    found = read("id:1 stat:EXPIRED", ReceiptTlvs(message_state=number))
    assert found.state is MESSAGE_STATES.get(number, MessageState.EXPIRED)


def test_a_message_state_of_zero_gives_way_to_the_text() -> None:
    zero = ReceiptTlvs(message_state=0)
    assert read("id:1 stat:DELIVRD", zero).state is MessageState.DELIVERED
    assert read("id:1", zero).state is None
    assert read("", zero).state is None


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("id:1 done date:2606151159 DELIVRD err:000 Text:", MessageState.DELIVERED),
        ("id:1 sub:001 UNDELIV err:000", MessageState.UNDELIVERABLE),
        ("DELIVRD", MessageState.DELIVERED),
        ("id:1 NOT DELIVERED", MessageState.UNDELIVERABLE),
        ("id:1 DELIVERED TO NETWORK", None),
        ("id:1 err:000 text:DELIVRD", None),
        ("id:1 text: it was DELIVRD", None),
        ("id:1 DELIVRD UNDELIV", None),
        ("id:DELIVRD", None),
        ("id:DELIVRD-1 sub:001", None),
        ("id:1 stat:ENROUTE DELIVRD", None),
    ],
)
def test_a_state_without_its_label_is_known_by_its_word_unless_the_message_is_quoted(
    text: str, state: MessageState | None
) -> None:
    assert read(text).state is state


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("before", [b"\0", b"\0\0\0"])
def test_zero_octets_before_a_receipt_cost_nothing(before: bytes, encoding: str) -> None:
    if encoding == "utf-16-le":
        before += b"\0"
    found = read(before + SPECIFIED.partition(" text")[0].encode(encoding))
    assert (found.carrier_ref, found.state) == ("0123456789", MessageState.DELIVERED)
    assert kind_of(0, before + SPECIFIED.encode("ascii")) is DeliveryKind.RECEIPT


def test_the_id_of_the_tlv_wins_over_the_text_unless_it_is_empty() -> None:
    assert read("id:text", ReceiptTlvs("tlv")).carrier_ref == "tlv"
    assert read("id:text", ReceiptTlvs(" \0")).carrier_ref == "text"
    assert read("stat:DELIVRD").carrier_ref == ""


@pytest.mark.parametrize(
    ("tlv", "text", "error"),
    [
        (b"\x03\x00\x45", "034", "069"),
        (b"\x03\xff\xff", "", "65535"),
        (b"\x03\x00\x00", "034", "034"),
        (b"", "034", "034"),
        (b"\x22", "", "034"),
        (None, "0", None),
        (None, "0x0000", None),
        (None, "DLR-1", "DLR-1"),
        (None, "Absent subscriber", "Absent subscriber"),
    ],
)
def test_an_error_is_that_of_the_tlv_and_none_where_it_is_zero(tlv: bytes | None, text: str, error: str | None) -> None:
    assert read(f"id:1 stat:UNDELIV err:{text}", ReceiptTlvs(network_error_code=tlv)).error_code == error


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2606151159", datetime(2026, 6, 15, 11, 59, tzinfo=UTC)),
        ("260615115958", datetime(2026, 6, 15, 11, 59, 58, tzinfo=UTC)),
        ("202606151159", datetime(2026, 6, 15, 11, 59, tzinfo=UTC)),
        ("20260615115958", datetime(2026, 6, 15, 11, 59, 58, tzinfo=UTC)),
        ("20260615115958123", datetime(2026, 6, 15, 11, 59, 58, tzinfo=UTC)),
        ("1781524798", datetime(2026, 6, 15, 11, 59, 58, tzinfo=UTC)),
        ("1781524798000", datetime(2026, 6, 15, 11, 59, 58, tzinfo=UTC)),
        ("260615095958008-", datetime(2026, 6, 15, 11, 59, 58, tzinfo=UTC)),
        ("2026/06/15 11:59", datetime(2026, 6, 15, 11, 59, tzinfo=UTC)),
        *((nonsense, NOW) for nonsense in ("", "0", "0000000000", "9999999999", "2613451299", "26061511", "yesterday")),
        *((far, NOW) for far in ("2506151159", "2706151159", "260615120200", "99991231235959", "٢٦٠٦١٥١١٥٩")),
    ],
)
def test_a_date_is_read_in_any_length_and_one_that_cannot_be_is_when_the_receipt_came(
    written: str, at: datetime
) -> None:
    assert read(f"id:1 stat:DELIVRD done date:{written} err:000").done_at == at


def test_a_carriers_clock_can_be_put_right() -> None:
    text = "id:1 submit date:2606151958 done date:2606151959 stat:DELIVRD"
    assert read(text).done_at == NOW
    east = read(text, utc_offset=timedelta(hours=8))
    assert (east.submitted_at, east.done_at) == (
        datetime(2026, 6, 15, 11, 58, tzinfo=UTC),
        datetime(2026, 6, 15, 11, 59, tzinfo=UTC),
    )


def test_an_intermediate_notice_ends_nothing_but_by_delivery() -> None:
    assert read("id:1 stat:UNDELIV err:027", intermediate=True).state is None
    assert read("id:1 stat:UNKNOWN", intermediate=True).state is None
    assert read("id:1 stat:DELIVRD", intermediate=True).state is MessageState.DELIVERED


def test_a_quoted_text_cannot_say_what_became_of_the_message() -> None:
    found = read("id:1 stat:UNDELIV err:001 text:id:2 stat:DELIVRD err:000 done date:2606151159")
    assert (found.carrier_ref, found.state, found.done_at) == ("1", MessageState.UNDELIVERABLE, NOW)
    assert found.text == "id:2 stat:DELIVRD err:000 done date:2606151159"


def test_a_text_without_end_costs_no_more_than_its_beginning() -> None:
    found = read("id:1 stat:DELIVRD " + "a:" * 100_000 + " err:5")
    assert (found.carrier_ref, found.state, found.error_code) == ("1", MessageState.DELIVERED, None)
    assert len(read("id:" + "9" * 10_000).carrier_ref) == limits.RECEIPT_REF_CHARS_MAX


# --- what is a receipt -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("esm_class", "kind"),
    [
        (0x00, DeliveryKind.INBOUND),
        (0x04, DeliveryKind.RECEIPT),
        (0x44, DeliveryKind.RECEIPT),
        (0xC4, DeliveryKind.RECEIPT),
        (0x20, DeliveryKind.INTERMEDIATE),
        (0x60, DeliveryKind.INTERMEDIATE),
        (0x08, DeliveryKind.INBOUND),
        (0x10, DeliveryKind.INBOUND),
        (0x18, DeliveryKind.INBOUND),
        (0x40, DeliveryKind.INBOUND),
        (0x80, DeliveryKind.INBOUND),
        (0x03, DeliveryKind.INBOUND),
    ],
)
def test_the_flag_says_what_a_message_is(esm_class: int, kind: DeliveryKind) -> None:
    assert kind_of(esm_class, "Hello") is kind


def test_without_the_flag_the_whole_layout_is_a_receipt_where_receipts_were_asked_for() -> None:
    assert kind_of(0, SPECIFIED) is DeliveryKind.RECEIPT
    assert kind_of(0, SPECIFIED.encode("utf-16-be")) is DeliveryKind.RECEIPT
    assert kind_of(0, SPECIFIED, registered=False) is DeliveryKind.INBOUND
    assert kind_of(0, "", ReceiptTlvs("1", 2)) is DeliveryKind.RECEIPT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id:5",
        "My id:12345 and my stat:DELIVRD",
        "id:1 stat:DELIVRD",
        f" {SPECIFIED}",
        f"Look: {SPECIFIED}",
        SPECIFIED.replace("DELIVRD", "HELLOYOU"),
        SPECIFIED.replace("sub:001 ", ""),
        SPECIFIED.replace("2606151159", "tomorrow"),
    ],
)
def test_without_the_flag_a_persons_text_is_a_persons_text(text: str) -> None:
    assert kind_of(0, text) is DeliveryKind.INBOUND
    assert kind_of(0, text, ReceiptTlvs(message_state=2)) is DeliveryKind.INBOUND
    assert kind_of(0, text, ReceiptTlvs("1")) is DeliveryKind.INBOUND


# --- our own -----------------------------------------------------------------------------------------------

SUBMITTED = datetime(2026, 6, 15, 11, 58, 59, tzinfo=UTC)


def test_our_receipts_have_the_specified_layout_to_the_letter() -> None:
    composed = compose(
        "244268819693824",
        MessageState.DELIVERED,
        submitted_at=SUBMITTED,
        done_at=NOW,
        error_code=None,
        text="Your code is 1234, do not tell it",
    )
    assert composed.text == (
        b"id:244268819693824 sub:001 dlvrd:001 submit date:2606151158 done date:2606151200 stat:DELIVRD err:000"
        b" text:Your code is 1234, d"
    )
    assert composed.tlvs == ReceiptTlvs("244268819693824", 2, None)


def test_dates_of_our_receipts_are_utc_whatever_zone_they_come_in() -> None:
    east = SUBMITTED.astimezone(__import__("zoneinfo").ZoneInfo("Asia/Shanghai"))
    assert b"submit date:2606151158 " in compose("1", MessageState.DELIVERED, submitted_at=east, done_at=NOW).text


@pytest.mark.parametrize(
    ("code", "written", "network"),
    [
        (None, b"000", None),
        ("", b"000", None),
        ("0", b"000", None),
        ("69", b"069", b"\x03\x00\x45"),
        ("069", b"069", b"\x03\x00\x45"),
        ("1234", b"999", b"\x03\x04\xd2"),
        ("65536", b"999", None),
        ("0x00000001", b"999", None),
        ("a b", b"999", None),
        ("٣", b"999", None),
    ],
)
def test_an_error_code_keeps_to_its_three_characters(code: str | None, written: bytes, network: bytes | None) -> None:
    composed = compose("1", MessageState.UNDELIVERABLE, submitted_at=SUBMITTED, done_at=NOW, error_code=code)
    assert b" err:" + written + b" text:" in composed.text
    assert composed.tlvs.network_error_code == network


def test_what_is_no_ascii_is_a_question_mark() -> None:
    assert compose(
        "1", MessageState.DELIVERED, submitted_at=SUBMITTED, done_at=NOW, error_code=None, text="héllo\n世界 €"
    ).text.endswith(b"text:h?llo??? ?")


@pytest.mark.parametrize("state", list(MessageState))
def test_every_state_of_ours_has_a_word_and_a_number_that_say_the_same(state: MessageState) -> None:
    word, number = STATE_WORDS[state]
    assert len(word) == 7
    assert read(f"id:1 stat:{word}").state is read("id:1", ReceiptTlvs(message_state=number)).state


def test_counts_are_those_of_the_messages_parts() -> None:
    assert (
        b" sub:003 dlvrd:003 "
        in compose("1", MessageState.DELIVERED, submitted_at=SUBMITTED, done_at=NOW, parts=3).text
    )
    assert (
        b" sub:003 dlvrd:000 " in compose("1", MessageState.EXPIRED, submitted_at=SUBMITTED, done_at=NOW, parts=3).text
    )
