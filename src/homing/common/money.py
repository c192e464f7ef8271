"""Amounts as integer micro-units (10^-6 of the currency), and as text. Never a float."""

import re
from typing import Final

MICRO: Final = 1_000_000
DECIMALS: Final = 6
PLAIN: Final = re.compile(r"([+-]?)(?=\.?\d)(\d{0,12})(?:\.(\d{0,40}))?", re.ASCII)
AMOUNT_MICRO_MAX: Final = 10**15  # a billion units: above any account, far below BIGINT


def parse(text: str) -> int:
    """Micro-units of a decimal amount such as `0.031` or `-12`.

    Raises ValueError when the text is no plain decimal, has more than six decimals or is beyond a billion.
    """
    match = PLAIN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not an amount")
    sign, units, fraction = match.groups(default="")
    fraction = fraction.rstrip("0")
    if len(fraction) > DECIMALS:
        raise ValueError(f"{text[:40]!r} has more than six decimals")
    micro = int(units or 0) * MICRO + int(fraction.ljust(DECIMALS, "0"))
    if micro > AMOUNT_MICRO_MAX:
        raise ValueError(f"{text[:40]!r} is out of range")
    return -micro if sign == "-" else micro


def fixed(micro: int, decimals: int = 6) -> str:
    """With exactly so many decimals (0..6), cut towards zero: `99.990000`."""
    sign = "-" if micro < 0 else ""
    units, fraction = divmod(abs(micro), MICRO)
    return f"{sign}{units}.{fraction:06d}"[: len(sign) + len(str(units)) + 1 + decimals].rstrip(".")


def trimmed(micro: int) -> str:
    """The shortest exact form: `0`, `0.031`, `-1.5`."""
    return fixed(micro).rstrip("0").rstrip(".")
