"""The laaffic dialect's answers to the calls of verification codes (otp contract, sections 1 to 6)."""

from typing import Final

import msgspec

from homing import errors
from homing.api.http.wire import HttpResponse
from homing.dialects.laaffic.otp_codes import NO_PRICE, OTP_CODES
from homing.dialects.laaffic.send import reason_of

encode: Final = msgspec.json.encode
NO_PRICE_REASON: Final = "getting fee fail"


class OtpFailure(msgspec.Struct):
    status: str
    reason: str


class OtpReply(msgspec.Struct):
    """`data`: a struct of this dialect, or a list of them."""

    status: str
    reason: str
    data: object


def success(data: object) -> HttpResponse:
    return HttpResponse(encode(OtpReply("0", "success", data)))


def otp_refused(error: errors.HomingError) -> HttpResponse:
    code = OTP_CODES.of(type(error))
    reason = NO_PRICE_REASON if code == NO_PRICE else reason_of(error)
    return HttpResponse(encode(OtpFailure(code, reason)))
