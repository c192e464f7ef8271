"""The error of a number that cannot be sent to."""

from homing import errors
from homing.text.numbers import is_national


def number_refusal(raw: str) -> type[errors.NumbersAbnormal]:
    """The error for a number that `normalise` refuses."""
    return errors.NationalNumber if is_national(raw) else errors.NumbersAbnormal
