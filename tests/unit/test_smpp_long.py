"""Parts of long messages: when a set is whole, and the message it makes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from homing.accounts.profile import Profile
from homing.api.smpp import multipart
from homing.api.smpp.multipart import MessagePart, complete_sets, part_of, submission_of
from homing.api.smpp.statuses import RequestRejected, VendorStatus
from homing.api.smpp.submit import read_submit
from homing.dialects.laaffic.number import NUMBER as LAAFFIC
from homing.model import App, Recipient
from homing.smpp import concatenation, tlvs, udh
from homing.smpp.pdus import SubmitSm
from homing.states import MessageState
from homing.text.gsm7 import encode
from homing.text.segments import TextEncoding

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
ACCOUNT = Profile(7, "acme", False, (), 20, False, "ACME", frozenset({"ACME"}), {"a": App("a", "a", None, None)}, ())


def part(number: int, octets: bytes, total: int = 2, reference: int = 9, **more: Any) -> MessagePart:
    values: dict[str, Any] = {"registered_delivery": 1, **more}
    pdu = SubmitSm(
        source_addr="ACME",
        destination_addr="447700900123",
        esm_class=udh.UDHI,
        short_message=concatenation.build_header(reference, total, number) + octets,
        **values,
    )
    return part_of(
        read_submit(ACCOUNT, pdu, NOW),
        ACCOUNT,
        100 + number,
        dialect=LAAFFIC,
        key="key",
        app_id="a",
        request_id=f"b/{number}",
    )


def test_a_set_is_whole_when_every_part_is_there_in_whatever_order() -> None:
    first, second, other = part(1, b"one "), part(2, b"two"), part(2, b"x", reference=10)
    assert complete_sets([second, other]) == []
    assert complete_sets([second, other, first]) == [[first, second]]
    assert complete_sets([first, first]) == []


def test_the_message_is_the_parts_joined_and_names_their_ids() -> None:
    parts = [
        part(1, b"one ", registered_delivery=0, service_type="OTP"),
        part(2, b"two", tlvs=(tlvs.USER_MESSAGE_REFERENCE.make(5),)),
    ]
    made = submission_of(parts, ACCOUNT)
    (group,) = made.groups
    assert group.text == "one two"
    assert group.recipients == (Recipient("447700900123", "447700900123", "5"),)
    assert group.notes == {"service_type": "OTP", "parts": [(101, 0), (102, 1)]}
    assert made.registered == 1
    assert made.request_id == "b/1"


@pytest.mark.parametrize(
    ("octets", "data_coding", "text", "encoding"),
    [
        ((encode("5€")[:-1], encode("5€")[-1:]), 0, "5€", None),
        (("😀".encode("utf-16-be")[:2], "😀".encode("utf-16-be")[2:]), 8, "😀", TextEncoding.UCS2),
        ((b"caf", b"\xe9"), 3, "café", None),
    ],
)
def test_a_character_that_was_cut_in_two_is_whole_again(
    octets: tuple[bytes, bytes], data_coding: int, text: str, encoding: TextEncoding | None
) -> None:
    parts = [part(n, one, data_coding=data_coding) for n, one in enumerate(octets, 1)]
    (group,) = submission_of(parts, ACCOUNT).groups
    assert (group.text, group.encoding) == (text, encoding)


def test_parts_of_two_codings_make_one_text() -> None:
    parts = [part(1, b"ok "), part(2, "你好".encode("utf-16-be"), data_coding=8)]
    (group,) = submission_of(parts, ACCOUNT).groups
    assert (group.text, group.encoding) == ("ok 你好", TextEncoding.UCS2)


def test_a_part_that_can_never_be_text_is_refused_when_it_comes_and_half_a_character_when_all_are_there() -> None:
    with pytest.raises(RequestRejected):
        part(1, b"\x80")
    with pytest.raises(RequestRejected):
        part(1, b"x", data_coding=4)
    with pytest.raises(RequestRejected) as refused:
        submission_of([part(1, b"\xd8\x3d", data_coding=8), part(2, b"\0a", data_coding=8)], ACCOUNT)
    assert refused.value.status == VendorStatus.UNSUPPORTED_CONTENT


def test_a_form_is_stored_and_read_back() -> None:
    form = part(1, b"x", data_coding=0xF0).form
    assert multipart.decode(multipart.encode(form)) == form


def test_a_receipt_of_a_part_without_a_message() -> None:
    receipt = multipart.receipt_of(part(1, b"x"), MessageState.EXPIRED, 1, 2)
    assert (receipt.message_id, receipt.number, receipt.sender, receipt.state) == (
        "101",
        "447700900123",
        "ACME",
        MessageState.EXPIRED,
    )
