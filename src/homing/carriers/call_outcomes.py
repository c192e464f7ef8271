"""What a client's error means for the messages of the call: did they go, and may they come again?"""

from typing import Final

from homing.model import Answer, Outcome
from homing.reasons import Reason, ReasonCode
from homing.smpp.statuses import INVALID_DESTINATION
from homing_clients import errors

ABOUT_THE_MESSAGE: Final = (400, 406, 409, 413, 415, 422)
"""HTTP statuses that speak of what was sent; other ones of 4xx speak of who sends, or where to."""

ABOUT_US: Final = (errors.NotSent, errors.AccessRefused, errors.NumbersTooMany, errors.Redirected)
"""Certainly not gone, and not for anything in the message: a password, an address, a bound of ours."""

NO_FLASH: Final = Answer(Outcome.REFUSED, None, "flash", reason=Reason.of(ReasonCode.ATTEMPT_NO_FLASH))


def answer_of(error: errors.ClientError) -> Answer:
    """UNKNOWN where the vendor may have taken them; DEFERRED where it did not and others, or it later, may; else
    REFUSED.
    """
    code, text = error.code or type(error).__name__, error.words or error.message()
    if error.in_doubt:
        return Answer(Outcome.UNKNOWN, None, code, text)
    if isinstance(error, errors.NumbersInvalid):
        return Answer(Outcome.REFUSED, None, INVALID_DESTINATION, text)
    if isinstance(error, ABOUT_US) or (isinstance(error, errors.Refused) and error.retryable):
        return Answer(Outcome.DEFERRED, None, code, text)
    if isinstance(error, errors.HttpRefused) and error.http_status not in ABOUT_THE_MESSAGE:
        return Answer(Outcome.DEFERRED, None, code, text)
    if isinstance(error, errors.Refused):
        return Answer(Outcome.REFUSED, None, code, text)
    return Answer(Outcome.UNKNOWN, None, code, text)
