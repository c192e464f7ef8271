"""Properties of counting and splitting, over texts that crowd the cuts."""

from hypothesis import given
from hypothesis import strategies as st

from homing.text import gsm7
from homing.text.segments import TextEncoding, capacity, count, has_lone_surrogate, split, utf16_units

GSM_CHARACTERS = "".join(c for c in gsm7.DEFAULT_ALPHABET if c != gsm7.ESCAPE) + "".join(gsm7.EXTENSION)

# Long runs of one character put what follows at every place around a cut.
runs = st.builds(lambda c, n: c * n, st.sampled_from(["a", "é", "€", "码", "😀", "\0"]), st.integers(1, 170))
gsm_texts = st.text(GSM_CHARACTERS, max_size=700) | st.lists(
    st.builds(lambda c, n: c * n, st.sampled_from("aé€{\f"), st.integers(1, 170)), max_size=6
).map("".join)
texts = gsm_texts | st.text(max_size=400) | st.lists(runs | st.text(max_size=5), max_size=6).map("".join)
surrogates = st.text(st.sampled_from("\ud83d\ude00码😀"), max_size=300)
headers = st.sampled_from([6, 7, 11, 13])


def units(text: str, encoding: TextEncoding) -> int:
    return gsm7.septets(text) if encoding is TextEncoding.GSM7 else utf16_units(text)


@given(texts, headers)
def test_the_parts_are_as_many_as_counted_and_join_to_the_text(text: str, udh: int) -> None:
    counted, parts = count(text, udh=udh), split(text, udh=udh)
    assert counted.parts == len(parts)
    assert "".join(parts) == text
    assert counted.units == units(text, counted.encoding)


@given(texts, headers)
def test_each_part_fits_and_is_as_full_as_its_next_character_allows(text: str, udh: int) -> None:
    encoding, parts = count(text, udh=udh).encoding, split(text, udh=udh)
    room = capacity(encoding, udh if len(parts) > 1 else 0)
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        assert units(part, encoding) <= room
        assert not has_lone_surrogate(part)
        assert not following or units(part + following[0], encoding) > room


@given(texts)
def test_only_texts_beyond_a_single_part_are_split(text: str) -> None:
    counted = count(text)
    assert (counted.parts == 1) == (counted.units <= capacity(counted.encoding))


@given(texts)
def test_ucs2_can_be_asked_for_any_text(text: str) -> None:
    counted, parts = count(text, TextEncoding.UCS2), split(text, TextEncoding.UCS2)
    assert (counted.encoding, counted.parts, counted.units) == (TextEncoding.UCS2, len(parts), utf16_units(text))
    assert "".join(parts) == text


@given(surrogates)
def test_lone_surrogates_are_counted_and_lose_no_unit(text: str) -> None:
    counted, parts = count(text), split(text)
    assert counted.parts == len(parts)
    assert "".join(parts).encode("utf-16-le", "surrogatepass") == text.encode("utf-16-le", "surrogatepass")
    assert all(utf16_units(part) <= capacity(TextEncoding.UCS2) for part in parts)


@given(st.text())
def test_utf16_units_are_counted_from_the_characters(text: str) -> None:
    assert utf16_units(text) == sum(2 if c > "\uffff" else 1 for c in text)
