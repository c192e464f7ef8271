"""Money as integer micro-units (10^-6 of the currency), and its forms on the wire. Never a float."""

from decimal import Decimal, InvalidOperation
from typing import Final

MICRO: Final = 1_000_000
AMOUNT_MICRO_MAX: Final = 10**15  # a billion units: above any account, far below BIGINT


def parse(text: str) -> int:
    """Micro-units of a decimal amount such as `0.031` or `-12`.

    Raises ValueError when the text is no plain decimal, has more than six decimals or is beyond a billion.
    """
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount") from None
    if not value.is_finite() or abs(value) > AMOUNT_MICRO_MAX // MICRO:
        raise ValueError(f"{text!r} is out of range")
    micro = value * MICRO
    if micro != micro.to_integral_value():
        raise ValueError(f"{text!r} has more than six decimals")
    return int(micro)


def fixed(micro: int, decimals: int = 6) -> str:
    """With exactly so many decimals (0..6), cut towards zero: `99.990000`."""
    sign = "-" if micro < 0 else ""
    whole, part = divmod(abs(micro), MICRO)
    return f"{sign}{whole}.{part:06d}"[: len(sign) + len(str(whole)) + 1 + decimals].rstrip(".")


def trimmed(micro: int) -> str:
    """The shortest exact form: `0`, `0.031`, `-1.5`."""
    return fixed(micro).rstrip("0").rstrip(".")
