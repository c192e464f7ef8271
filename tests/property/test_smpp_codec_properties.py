"""Properties of the codec over PDUs of every kind and over octets of no kind."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homing import limits
from homing.smpp import pdus
from homing.smpp.codec import DecodedPdu, PduDecoder, PduFault, encode
from homing.smpp.fields import CountedOctetsLayout, CStringLayout, IntegerLayout, ListLayout, field_layouts
from homing.smpp.pdus import GenericNack, Pdu, RequestPdu, ResponsePdu
from homing.smpp.session import SmppSession
from homing.smpp.states import SessionRole
from homing.smpp.statuses import CommandStatus

OCTETS = st.characters(min_codepoint=1, max_codepoint=255)
TLVS = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=4).map(tuple)
SEQUENCES = st.integers(0, 0xFFFFFFFF)


def value(mark: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this kind can carry."""
    match mark:
        case CStringLayout(octets_max, _, fixed):
            least = octets_max - 1 if fixed else 0
            return st.just("") | st.text(OCTETS, min_size=least, max_size=octets_max - 1)
        case IntegerLayout(octets):
            return st.integers(0, 256**octets - 1)
        case CountedOctetsLayout(octets_max):
            return st.binary(max_size=octets_max)
        case ListLayout(kinds):
            return st.lists(st.one_of([struct(kind) for kind in kinds.values()]), max_size=5).map(tuple)
    raise AssertionError(f"no values for {mark}")


def struct(kind: type[Any], **further: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{name: value(mark) for name, mark in field_layouts(kind)}, **further)


REQUESTS = st.one_of([struct(kind, tlvs=TLVS) for kind in pdus.REQUESTS])
RESPONSES = st.one_of([struct(kind, tlvs=TLVS, status=SEQUENCES) for kind in pdus.RESPONSES])
PDUS = REQUESTS | RESPONSES


def decode_in(pieces: list[bytes]) -> list[DecodedPdu]:
    decoder = PduDecoder()
    return [found for piece in pieces for found in decoder.feed(piece)]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(PDUS, SEQUENCES)
def test_what_is_encoded_is_decoded_to_the_same(pdu: Pdu, sequence: int) -> None:
    assert PduDecoder().feed(encode(pdu, sequence)) == [(sequence, pdu)]


@given(st.lists(st.tuples(PDUS, SEQUENCES), max_size=5), st.lists(st.integers(0, 10_000), max_size=8))
def test_how_a_stream_is_cut_changes_nothing(sent: list[tuple[Pdu, int]], places: list[int]) -> None:
    stream = b"".join(encode(pdu, sequence) for pdu, sequence in sent)
    assert decode_in(cut(stream, places)) == [(sequence, pdu) for pdu, sequence in sent]


def check(decoded: list[DecodedPdu]) -> None:
    """Every answer is of the class that the specification calls for."""
    for place, (sequence, body) in enumerate(decoded):
        if not isinstance(body, PduFault):
            continue
        assert body.sequence == sequence
        if body.fatal:
            assert place == len(decoded) - 1
            assert body.answer == GenericNack(status=CommandStatus.RINVCMDLEN)
            assert sequence == 0
        elif body.answer is not None:
            assert body.answer.status != CommandStatus.ROK
            assert not isinstance(body.answer, GenericNack) or body.answer.status in set(CommandStatus)


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=5))
def test_random_octets_are_answered_the_same_however_they_are_cut(data: bytes, places: list[int]) -> None:
    decoded = PduDecoder().feed(data)
    check(decoded)
    assert decode_in(cut(data, places)) == decoded


COMMANDS = st.sampled_from([kind.command_id for kind in (*pdus.REQUESTS, *pdus.RESPONSES)]) | SEQUENCES
FRAMES = st.builds(
    lambda command_id, status, sequence, body: (
        b"".join(number.to_bytes(4, "big") for number in (16 + len(body), command_id, status, sequence)) + body
    ),
    *(COMMANDS, st.just(0) | SEQUENCES, SEQUENCES, st.binary(max_size=80)),
)
BY_ID = {kind.command_id: kind for kind in (*pdus.REQUESTS, *pdus.RESPONSES)}


@given(FRAMES)
def test_a_random_body_is_read_or_refused_by_its_own_response(frame: bytes) -> None:
    [(sequence, body)] = PduDecoder().feed(frame)
    assert sequence == int.from_bytes(frame[12:16], "big")
    kind = BY_ID.get(int.from_bytes(frame[4:8], "big"))
    if not isinstance(body, PduFault):
        assert type(body) is kind
    elif kind is None:
        is_response = frame[4] & 0x80
        assert body.answer == (None if is_response else GenericNack(status=CommandStatus.RINVCMDID))
    else:
        assert issubclass(kind, RequestPdu)
        assert body.answer is not None
        assert type(body.answer) is pdus.RESPONSE_OF.get(kind, GenericNack)
        assert body.answer.status != CommandStatus.ROK
    check([(sequence, body)])


@given(PDUS, st.integers(0, 10_000), st.integers(0, 255), st.sampled_from(["change", "drop", "double"]))
def test_a_damaged_pdu_never_raises(pdu: Pdu, place: int, octet: int, how: str) -> None:
    data = bytearray(encode(pdu, 7))
    place %= len(data)
    if how == "change":
        data[place] = octet
    elif how == "drop":
        del data[place]
    else:
        data[place:place] = data[place : place + 1]
    check(PduDecoder().feed(bytes(data)))


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(0, 10_000), max_size=6), st.sampled_from(list(SessionRole)))
def test_a_session_takes_any_stream_and_writes_only_whole_pdus(
    frames: list[bytes], places: list[int], role: SessionRole
) -> None:
    session: SmppSession[None] = SmppSession(role=role, now_s=0.0)
    for piece in cut(b"".join(frames), places):
        requests, answers = session.receive(piece, 0.0)
        assert answers == []
        for sequence, request in requests:
            session.respond(sequence, CommandStatus.RSYSERR if type(request) in pdus.RESPONSE_OF else 0)
    replies = PduDecoder().feed(session.take())
    assert all(isinstance(reply, ResponsePdu) for _sequence, reply in replies)
    assert len(replies) <= len(frames)


@given(st.binary(min_size=1, max_size=64))
def test_a_decoder_keeps_no_more_than_one_pdu(data: bytes) -> None:
    decoder = PduDecoder()
    for _ in range(3):
        decoder.feed(data)
    assert len(decoder._rest) < limits.SMPP_PDU_BYTES_MAX


def refuses(write: Callable[[], bytes]) -> bool:
    try:
        write()
    except ValueError:
        return True
    return False


@given(struct(pdus.SubmitSm), st.text(max_size=30), st.integers(-5, 300))
def test_a_field_is_sent_exactly_if_it_can_be_read_back(pdu: pdus.SubmitSm, address: str, coding: int) -> None:
    changed = pdus.SubmitSm(source_addr=address, data_coding=coding, short_message=pdu.short_message)
    fits = len(address) <= 20 and all(0 < ord(c) < 256 for c in address) and 0 <= coding < 256
    assert refuses(lambda: encode(changed, 1)) == (not fits)
    if fits:
        assert PduDecoder().feed(encode(changed, 1)) == [(1, changed)]
