"""The laaffic dialect's codes of refusals in the calls of verification codes (otp contract, sections 1 and 4)."""

from typing import Final

from homing import errors
from homing.dialects.error_codes import ErrorCodes
from homing.dialects.laaffic import refusals
from homing.dialects.laaffic.codes import ABNORMAL_PARAMETER, CODES

NO_PRICE: Final = "-26"

OTP_CODES: Final = ErrorCodes(
    {
        **{kind: CODES.of(kind) for kind in CODES},
        errors.NumbersAbnormal: ABNORMAL_PARAMETER,
        errors.NationalNumber: ABNORMAL_PARAMETER,
        errors.ContentEmpty: ABNORMAL_PARAMETER,
        errors.ContentTooLong: ABNORMAL_PARAMETER,
        errors.TemplateMismatch: ABNORMAL_PARAMETER,
        errors.TemplateMissing: ABNORMAL_PARAMETER,
        errors.NoRoute: NO_PRICE,
        errors.FlashNotCarried: NO_PRICE,
        errors.DestinationBlocked: NO_PRICE,
        errors.SensitiveWords: "-29",
        errors.QuotaReached: "-27",
        refusals.NameInUse: "-20",
    }
)
"""Those of the other calls, but for what has a code of its own here or none."""
