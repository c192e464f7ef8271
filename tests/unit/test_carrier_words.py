"""What is kept of a carrier's words about a message."""

from datetime import UTC, datetime

import pytest

from homing.dispatch.answers import AnsweredMessage, carrier_words
from homing.model import Answer, Outbound, Outcome

NOW = datetime(2026, 11, 29, tzinfo=UTC)
CODE = "424242 is your code"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (None, None),
        ("no such number", "no such number"),
        (f"spam: {CODE}", "spam: …"),
        (f"{CODE}|{CODE}", "…|…"),
    ],
)
def test_a_message_that_a_carrier_quotes_is_left_out(said: str | None, kept: str | None) -> None:
    message = Outbound(1, 2, 1, "8613800000001", "HOMING", CODE, 0, 1, NOW)
    answer = Answer(Outcome.REFUSED, error_text=said)
    assert carrier_words(AnsweredMessage(0, message, answer, NOW)) == kept
