"""Properties of the GSM 7 bit codec, with gsm0338 as the oracle."""

from gsm0338 import Codec
from hypothesis import given
from hypothesis import strategies as st

from homing.text import gsm7

GSM_CHARACTERS = "".join(c for c in gsm7.DEFAULT_ALPHABET if c != gsm7.ESCAPE) + "".join(gsm7.EXTENSION)
gsm_texts = st.text(GSM_CHARACTERS, max_size=400)
septets = st.lists(st.integers(0, 127), max_size=200).map(bytes)
ORACLE = Codec()


@given(gsm_texts)
def test_a_gsm_text_is_encoded_as_the_oracle_does_and_decoded_back(text: str) -> None:
    data = gsm7.encode(text)
    assert data == ORACLE.encode(text)[0]
    assert gsm7.decode(data) == text
    assert gsm7.septets(text) == len(data) == len(gsm7.mark(text))


@given(st.text() | st.text(st.characters(max_codepoint=0x17F)))
def test_a_text_is_gsm_when_the_oracle_can_encode_it(text: str) -> None:
    try:
        encodable = gsm7.ESCAPE not in text and ORACLE.encode(text) is not None
    except UnicodeEncodeError:
        encodable = False
    assert gsm7.is_gsm(text) == encodable


@given(st.binary())
def test_decoding_gives_text_or_refuses_an_octet_above_seven_bits(data: bytes) -> None:
    try:
        text = gsm7.decode(data)
    except ValueError:
        assert max(data) > 0x7F
    else:
        assert gsm7.is_gsm(text)


@given(septets, st.integers(0, 6))
def test_septets_survive_packing(data: bytes, fill: int) -> None:
    packed = gsm7.pack(data, fill)
    assert len(packed) == (len(data) * 7 + fill + 7) // 8
    assert gsm7.unpack(packed, len(data), fill) == data


@given(septets, st.integers(0, 6))
def test_packing_is_the_little_endian_number_of_its_septets(data: bytes, fill: int) -> None:
    value = sum(septet << 7 * i for i, septet in enumerate(data)) << fill
    assert int.from_bytes(gsm7.pack(data, fill), "little") == value
