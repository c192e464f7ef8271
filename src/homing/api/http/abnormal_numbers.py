"""Why a number that a customer gave cannot be sent to."""

from homing import errors
from homing.text.numbers import is_national


def number_refusal(raw: str) -> type[errors.NumbersAbnormal]:
    """Of a number that `normalise` refuses."""
    return errors.NationalNumber if is_national(raw) else errors.NumbersAbnormal
