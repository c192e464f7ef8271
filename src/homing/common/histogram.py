"""Histograms of times in fixed buckets, fine for seconds and coarse for hours. Pure; histograms can be added."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

EDGES_S: Final = (1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 900, 1800, 3600, 7200, 21600, 86400, float("inf"))
"""Upper edges, which are inclusive: a time of exactly 2 s is in the second bucket."""
BUCKETS: Final = len(EDGES_S)


def bucket_of(seconds: float) -> int:
    """The bucket of a time in seconds; a negative one (clocks differ) counts as 0."""
    return bisect_left(EDGES_S, seconds)


def edges_of(bucket: int) -> tuple[float, float]:
    """The times of a bucket, in seconds: above the first, up to the second."""
    return EDGES_S[bucket - 1] if bucket else 0.0, EDGES_S[bucket]


def empty() -> list[int]:
    return [0] * BUCKETS


def quantile(counts: Sequence[float], share: float) -> float | None:
    """The time in seconds below which `share` (0..1) of the counts lie, linear inside a bucket; None of no counts.

    In the last bucket, which has no end, it is the bucket's beginning.
    """
    total = sum(counts)
    if total <= 0:
        return None
    target = share * total
    for bucket, (count, until) in enumerate(zip(counts, accumulate(counts), strict=True)):
        if count > 0 and until >= target:
            lower_s, upper_s = edges_of(bucket)
            if bucket == BUCKETS - 1:
                return lower_s
            return lower_s + (upper_s - lower_s) * max(0.0, target - (until - count)) / count
    return edges_of(BUCKETS - 1)[0]


def share_by(counts: Sequence[float], age_s: float) -> float | None:
    """What share (0..1) of the counts lies at or below an age in seconds, linear inside a bucket; None of no counts.

    Counts of the last bucket are included only at an infinite age.
    """
    total = sum(counts)
    if total <= 0:
        return None
    if age_s <= 0:
        return 0.0
    bucket = bucket_of(age_s)
    lower_s, upper_s = edges_of(bucket)
    inside = 0.0 if bucket == BUCKETS - 1 else counts[bucket] * (age_s - lower_s) / (upper_s - lower_s)
    if age_s == float("inf"):
        return 1.0
    return min(1.0, (sum(counts[:bucket]) + inside) / total)
