"""The interval of a Poisson mean."""

from math import sqrt
from typing import Final

from homing.common.confidence import Z_95

NONE_SEEN_MAX: Final = 3.688879
"""-ln 0.025: the upper bound where nothing was counted."""


def poisson_interval(count: int) -> tuple[float, float]:
    """The bounds of the mean's 95 % interval after `count` events, by Byar's approximation (Breslow and Day,
    *Statistical Methods in Cancer Research* II, 1987), within 0.02 of the exact ones.
    """
    if count == 0:
        return 0.0, NONE_SEEN_MAX
    after = count + 1
    low = count * (1.0 - 1.0 / (9 * count) - Z_95 / (3 * sqrt(count))) ** 3
    high = after * (1.0 - 1.0 / (9 * after) + Z_95 / (3 * sqrt(after))) ** 3
    return low, high
