"""Our codec beside two others: `smpp34` for messages and headers, `smpplib` for the PDUs that it lacks.

Each direction on its own: what one writes the other reads to the same fields. The others take strings as ASCII, so
the strings here are. Neither knows the lists of submit_multi, which the vectors in `test_smpp_codec` hold.
"""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from homing import limits
from homing.smpp import pdus
from homing.smpp.codec import PduDecoder, encode
from homing.smpp.fields import CountedOctetsLayout, CStringLayout, IntegerLayout, field_layouts
from homing.smpp.pdus import Pdu

smpp34 = pytest.importorskip("smpp34", reason="smpp34 is not installed: pip install -r requirements-dev.txt")
smpplib = pytest.importorskip("smpplib", reason="smpplib is not installed: pip install -r requirements-dev.txt")
reading = pytest.importorskip("smpplib.smpp")

BIND_CHARS = 8
"""Of binds: we write more than 3.4 allows, and the others do not."""
ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
SEQUENCES = st.integers(1, 0x7FFFFFFF)
TLVS = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=300)), max_size=4).map(tuple)


def value(mark: Any) -> st.SearchStrategy[Any]:
    match mark:
        case CStringLayout(octets_max, _, fixed):
            most = BIND_CHARS if octets_max > limits.SMPP_CREDENTIAL_CHARS_MAX else octets_max - 1
            return st.just("") | st.text(ASCII, min_size=most if fixed else 0, max_size=most)
        case IntegerLayout(octets):
            return st.integers(0, 256**octets - 1)
        case CountedOctetsLayout(octets_max):
            return st.binary(max_size=octets_max)
    raise AssertionError(f"no values for {mark}")


def struct(kind: type[Any], **further: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: value(mark) for name, mark in field_layouts(kind)}, **further)


MESSAGES = struct(pdus.SubmitSm, tlvs=TLVS) | struct(pdus.DeliverSm, tlvs=TLVS)


# ---- smpp34


@given(MESSAGES, SEQUENCES)
def test_smpp34_reads_the_messages_that_we_write(pdu: Pdu, sequence: int) -> None:
    read = smpp34.decode(encode(pdu, sequence))
    assert type(read).__name__ == type(pdu).__name__
    assert (read.command_id, read.sequence_number) == (pdu.command_id, sequence)
    for name, _mark in field_layouts(type(pdu)):
        assert getattr(read, name) == getattr(pdu, name), name
    assert tuple((tlv.tag, tlv.value) for tlv in read.tlvs) == pdu.tlvs


@given(MESSAGES, SEQUENCES)
def test_we_read_and_write_messages_as_smpp34_writes_them(pdu: Pdu, sequence: int) -> None:
    fields = {name: getattr(pdu, name) for name, _mark in field_layouts(type(pdu))}
    theirs = getattr(smpp34, type(pdu).__name__)(
        **fields, tlvs=[smpp34.Tlv(tag, raw) for tag, raw in pdu.tlvs], sequence_number=sequence
    ).encode()
    assert PduDecoder().feed(theirs) == [(sequence, pdu)]
    assert encode(pdu, sequence) == theirs


OTHERS = st.one_of(
    [struct(kind, tlvs=TLVS) for kind in pdus.REQUESTS if kind not in (pdus.SubmitMulti, pdus.SubmitSm, pdus.DeliverSm)]
    + [
        struct(kind, tlvs=TLVS, status=st.integers(0, 0xFFFFFFFF))
        for kind in pdus.RESPONSES
        if kind is not pdus.SubmitMultiResp
    ]
)


@given(OTHERS, SEQUENCES)
def test_smpp34_frames_every_other_pdu_as_we_do(pdu: Pdu, sequence: int) -> None:
    ours = encode(pdu, sequence)
    read = smpp34.decode(ours)
    assert (read.command_length, read.command_id) == (len(ours), pdu.command_id)
    assert (read.command_status, read.sequence_number) == (getattr(pdu, "status", 0), sequence)
    assert read.body == ours[16:]


# ---- smpplib

BY_THEM = {
    "bind_transmitter": pdus.BindTransmitter,
    "bind_receiver": pdus.BindReceiver,
    "bind_transceiver": pdus.BindTransceiver,
    "bind_transmitter_resp": pdus.BindTransmitterResp,
    "bind_receiver_resp": pdus.BindReceiverResp,
    "bind_transceiver_resp": pdus.BindTransceiverResp,
    "submit_sm": pdus.SubmitSm,
    "submit_sm_resp": pdus.SubmitSmResp,
    "deliver_sm": pdus.DeliverSm,
    "deliver_sm_resp": pdus.DeliverSmResp,
    "data_sm": pdus.DataSm,
    "query_sm": pdus.QuerySm,
    "query_sm_resp": pdus.QuerySmResp,
    "unbind": pdus.Unbind,
    "unbind_resp": pdus.UnbindResp,
    "enquire_link": pdus.EnquireLink,
    "enquire_link_resp": pdus.EnquireLinkResp,
    "generic_nack": pdus.GenericNack,
}


class Numbers:
    """What smpplib takes a PDU's number from."""

    sequence = 1

    def next_sequence(self) -> int:
        return self.sequence


def same(theirs: Any, ours: Any) -> bool:
    """Their strings are bytes, and None where they are empty."""
    if isinstance(ours, str):
        return (theirs or b"").rstrip(b"\0") == ours.encode()
    return bool((theirs or type(ours)()) == ours)


@given(st.one_of([struct(kind) for kind in BY_THEM.values()]), SEQUENCES)
def test_smpplib_reads_what_we_write(pdu: Pdu, sequence: int) -> None:
    read = reading.parse_pdu(encode(pdu, sequence), client=Numbers(), allow_unknown_opt_params=True)
    assert BY_THEM[read.command] is type(pdu)
    assert read.sequence == sequence
    for name, _mark in field_layouts(type(pdu)):
        assert same(getattr(read, name), getattr(pdu, name)), name


@given(st.one_of([struct(kind) for kind in BY_THEM.values()]), SEQUENCES)
def test_we_read_what_smpplib_writes(pdu: Pdu, sequence: int) -> None:
    assume(not isinstance(pdu, pdus.QuerySm) or pdu.message_id)  # it does not ask about no message
    # it cuts data_sm's addresses to 20 characters
    assume(not isinstance(pdu, pdus.DataSm) or max(len(pdu.source_addr), len(pdu.destination_addr)) <= 20)
    name = next(name for name, kind in BY_THEM.items() if kind is type(pdu))
    fields = {field: getattr(pdu, field) for field, _mark in field_layouts(type(pdu))}
    theirs = reading.make_pdu(name, client=Numbers(), **fields)
    theirs.sequence = sequence
    theirs.status = 0
    if hasattr(pdu, "interface_version"):
        theirs.interface_version = pdu.interface_version  # its own is written whatever it was given
    assert PduDecoder().feed(theirs.generate()) == [(sequence, pdu)]
