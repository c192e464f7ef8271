"""What is kept of a carrier's unexpected errors."""

import pytest

from homing import errors
from homing.dispatch.dispatcher import shown_error


def test_no_message_is_quoted_by_an_unexpected_error() -> None:
    with pytest.raises(UnicodeEncodeError) as raised:
        "123456 is your c\u00f6de".encode("ascii")
    assert "123456" in repr(raised.value)
    assert shown_error(raised.value) == "UnicodeEncodeError"


def test_what_the_system_says_is_shown() -> None:
    assert shown_error(ConnectionRefusedError(111, "refused")) == "ConnectionRefusedError(111, 'refused')"
    assert shown_error(TimeoutError()) == "TimeoutError()"
    assert "Overloaded" in shown_error(errors.Overloaded())
