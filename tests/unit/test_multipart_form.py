"""multipart/form-data: fields are read, whatever else comes is refused within bounds."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import errors, limits
from homing.api.http.multipart_form import TooManyParameters, read
from homing.dialects.lia.bounds import BODY_BYTES_MAX

KIND = "multipart/form-data; boundary=b"


def form(*fields: tuple[str, bytes]) -> bytes:
    parts = [b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (n.encode(), v) for n, v in fields]
    return b"".join(parts) + b"--b--\r\n"


def test_fields_are_read_as_they_are_and_the_first_of_a_name_counts() -> None:
    body = form(("a", b"1"), ("a", b"2"), ("text", "你好\r\n--x".encode()), ("empty", b""))
    assert read(KIND, body) == [("a", "1"), ("text", "你好\r\n--x"), ("empty", "")]


@pytest.mark.parametrize(
    "kind", ['multipart/form-data; boundary="b"', "Multipart/Form-Data; charset=utf-8; Boundary=b", KIND]
)
def test_a_boundary_may_be_quoted_and_stand_behind_others(kind: str) -> None:
    assert read(kind, form(("a", b"1"))) == [("a", "1")]


def test_a_file_is_passed_over() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\nabc\r\n' + form(("a", b"1"))
    assert read(KIND, body) == [("a", "1")]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", form(("a", b"1"))),
        (KIND, b""),
        (KIND, b"a=1&b=2"),
        (KIND, form(("a", b"1"))[:-8]),
        (KIND, b"--b\r\n\r\nno name\r\n--b--"),
        (KIND, b'--b\r\nContent-Disposition: form-data; name="a"\r\n--b--'),
        ("multipart/form-data; boundary=" + "x" * 71, form(("a", b"1"))),
    ],
)
def test_what_is_no_whole_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(errors.BadShape):
        read(kind, body)


def test_as_many_fields_as_a_call_may_have_are_read_and_no_more() -> None:
    fields = [(f"n{n}", b"1") for n in range(limits.HTTP_PARAMETERS_MAX)]
    assert len(read(KIND, form(*fields))) == limits.HTTP_PARAMETERS_MAX
    with pytest.raises(TooManyParameters):
        read(KIND, form(*fields, ("more", b"1")))


def test_the_worst_body_costs_little() -> None:
    """All of it is read before the password is known."""
    worst = (
        b"--b\r\n" * (BODY_BYTES_MAX // 5),
        b"--b\r\n" + b"content-disposition:" * (BODY_BYTES_MAX // 20),
        b"--b\r\nContent-Disposition: form-data" + b'; name="' * (BODY_BYTES_MAX // 8),
        b"--b\r\nContent-Disposition: form-data" + b" " * BODY_BYTES_MAX,
    )
    for body in worst:
        started_s = time.process_time()
        with pytest.raises((errors.BadShape, TooManyParameters)):
            read(KIND, body)
        assert time.process_time() - started_s < 0.1


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(errors.BadShape, TooManyParameters):
        read(KIND, b"--b\r\n" + body)
