"""Means over seeds with 95 % confidence intervals (Student's t)."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from homing.common.confidence import Z_95

T_975: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""The 97.5 % quantile for 1 to 30 degrees of freedom."""


class Mean(msgspec.Struct, frozen=True):
    """A mean with its 95 % confidence interval; `low` and `high` are None for fewer than two values."""

    mean: float
    low: float | None
    high: float | None
    count: int


def mean_of(values: Sequence[float]) -> Mean | None:
    """None without values."""
    count = len(values)
    if not count:
        return None
    mean = math.fsum(values) / count
    if count == 1:
        return Mean(mean, None, None, 1)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    margin = _t(count - 1) * deviation / math.sqrt(count)
    return Mean(mean, mean - margin, mean + margin, count)


def _t(freedom: int) -> float:
    return T_975[freedom - 1] if freedom <= len(T_975) else Z_95 + 2.4 / freedom
