"""Whatever a bound customer submits is either a text that can be stored or a refusal with a status: nothing else."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from homing.accounts.profile import Profile
from homing.api.smpp import message_text, multipart
from homing.api.smpp.dialect import NUMBER as SMPP
from homing.api.smpp.statuses import RequestRejected
from homing.api.smpp.submit import Submit, read_submit
from homing.model import App
from homing.smpp.pdus import DataSm, SmeAddress, SubmitMulti, SubmitSm
from homing.text.segments import has_lone_surrogate

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
ACCOUNT = Profile(7, "acme", False, (), 20, False, "ACME", frozenset({"ACME"}), {"a": App("a", "a", None, None)}, ())

octet = st.integers(0, 255)
strings = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20)
addresses = st.sampled_from(["447700900123", "+447700900123", "ACME", ""]) | strings
headers = st.sampled_from(
    [
        b"",
        b"\x05\x00\x03\x07\x02\x01",
        b"\x06\x08\x04\x01\x07\x02\x02",
        b"\x05\x00\x03\x07\x02\x03",
        b"\x06\x05\x04\x0b\x84\x23\xf0",
    ]
)
texts = st.builds(
    bytes.__add__,
    headers,
    st.binary(max_size=200) | st.text(max_size=60).map(lambda t: t.encode("utf-16-be", "surrogatepass")),
)
tags = st.sampled_from([0x0017, 0x0204, 0x020C, 0x020E, 0x020F, 0x0424]) | st.integers(0, 0xFFFF)
parameters = st.lists(st.tuples(tags, st.binary(max_size=8) | texts), max_size=5).map(tuple)
times = st.sampled_from(["", "000000001000000R", "261122130000000+", "261122110000000+", "9" * 15 + "R"]) | strings

common = {
    "service_type": st.sampled_from(["", "PROMO", "USSD"]) | strings,
    "source_addr": st.sampled_from(["ACME", ""]) | strings,
    "esm_class": st.sampled_from([0, 0x40]) | octet,
    "registered_delivery": octet,
    "data_coding": st.sampled_from([0, 3, 8]) | octet,
    "tlvs": parameters,
}
messages = common | {
    "priority_flag": st.sampled_from([0, 3]) | octet,
    "schedule_delivery_time": times,
    "validity_period": times,
    "replace_if_present_flag": st.sampled_from([0, 0, 1]),
    "sm_default_msg_id": st.sampled_from([0, 0, 1]),
    "short_message": texts,
}
submits = (
    st.builds(SubmitSm, destination_addr=addresses, **messages)
    | st.builds(
        SubmitMulti,
        dest_addresses=st.lists(st.builds(SmeAddress, octet, octet, addresses), max_size=4).map(tuple),
        **messages,
    )
    | st.builds(DataSm, destination_addr=addresses, **common)
)


@settings(max_examples=400, deadline=None)
@given(submits)
def test_a_submit_is_taken_as_text_or_refused_with_a_status(pdu: Submit) -> None:
    status: int | None = None
    try:
        asked = read_submit(ACCOUNT, pdu, NOW)
        if asked.part is not None:
            part = multipart.part_of(asked, ACCOUNT, 1, dialect=SMPP, key="key", app_id="a", request_id="r")
            assert multipart.decode(multipart.encode(part.form)) == part.form
            return
        text = message_text.decode(asked.octets, asked.data_coding)
    except RequestRejected as refused:
        status = refused.status
    if status is not None:
        assert 0 < status < 0x500
        return
    assert text.text
    assert "\0" not in text.text
    assert not has_lone_surrogate(text.text)
    assert asked.sender == "ACME"
    assert all(recipient.number.isdigit() for recipient in asked.recipients)
    assert 1 <= asked.validity_s <= 172_800
    made = asked.submission(ACCOUNT, "a", "r", text)
    assert made.registered is not None
    assert made.registered & ~0x13 == 0
