"""Retry waits: exponential with jitter, or by a schedule."""

import random
from collections.abc import Sequence


def doubling_s(failures: int, first_s: float, wait_s_max: float, rng: random.Random) -> float:
    """Wait after the n-th failure in a row (1-based), within ±20 % so that peers do not come back in step."""
    wait_s = min(wait_s_max, first_s * 2.0 ** min(failures - 1, 32))
    return wait_s * rng.uniform(0.8, 1.2)


def scheduled_s(failures: int, waits_s: Sequence[int], rng: random.Random) -> float | None:
    """Wait after the n-th failure along a schedule; None when the schedule is used up."""
    if failures > len(waits_s):
        return None
    return waits_s[failures - 1] * rng.uniform(1.0, 1.1)
