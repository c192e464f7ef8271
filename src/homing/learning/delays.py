"""Delays of conversions and receipts: the share that has come by an age, learnt from histograms. Pure."""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Final

from homing.common.histogram import BUCKETS, EDGES_S, empty
from homing.learning.policy import LearningPolicy

LEARN_MEANS_MAX: Final = 1_000  # cached means of one set of curves
Key = tuple[Hashable, ...]
FINITE: Final = BUCKETS - 1  # delays beyond the last edge are no part of the curve
DECAY_S: Final = 600.0
REBUILD_S: Final = 30.0  # how long a curve is used; one of few delays also changes when its key gets a new one
COUNT_MIN: Final = 0.01
STEP_S: Final = 0.01  # width of a step of a curve
NO_COUNTS: Final[Sequence[float]] = (0.0,) * BUCKETS


class DelayCurve:
    """F(t), the share that has come by the age t in seconds: linear between its points, 0 before, 1 after them."""

    __slots__ = ("_ages_s", "_areas", "_shares", "complete_s")

    def __init__(self, points: Iterable[tuple[float, float]], complete_share: float) -> None:
        """`points`: (age in seconds, share 0..1), both rising, from (0, 0) to a share of 1. `complete_s` is the age at
        which F reaches `complete_share`; from then on F is taken as 1.
        """
        listed = list(points)
        self._ages_s = [age_s for age_s, _share in listed]
        self._shares = [share for _age_s, share in listed]
        self._areas = [0.0]
        for (age_s, share), (next_s, next_share) in pairwise(listed):
            self._areas.append(self._areas[-1] + (next_s - age_s) * (share + next_share) / 2)
        self.complete_s = next(age_s for age_s, share in listed if share >= complete_share)

    def _area(self, age_s: float) -> float:
        """The integral of F from 0 to an age."""
        if age_s <= 0.0:
            return 0.0
        ages_s = self._ages_s
        if age_s >= ages_s[-1]:
            return self._areas[-1] + age_s - ages_s[-1]
        after = bisect_left(ages_s, age_s)
        start_s, share = ages_s[after - 1], self._shares[after - 1]
        into_s = age_s - start_s
        slope = (self._shares[after] - share) / (ages_s[after] - start_s)
        return self._areas[after - 1] + into_s * (share + slope * into_s / 2)

    def share_at(self, age_s: float) -> float:
        """F at an age, in seconds."""
        if age_s <= 0.0:
            return 0.0
        ages_s, shares = self._ages_s, self._shares
        if age_s >= ages_s[-1]:
            return 1.0
        after = bisect_left(ages_s, age_s)
        into = (age_s - ages_s[after - 1]) / (ages_s[after] - ages_s[after - 1])
        return shares[after - 1] + into * (shares[after] - shares[after - 1])

    def mean_between(self, youngest_s: float, oldest_s: float) -> float:
        """The mean of F over messages whose ages are spread evenly between two."""
        if oldest_s <= 0.0:
            return 0.0
        if youngest_s >= self.complete_s:
            return 1.0
        youngest_s = max(0.0, youngest_s)
        return (self._area(oldest_s) - self._area(youngest_s)) / max(1e-9, oldest_s - youngest_s)


class DelayBounds:
    """F as estimated, and its lower and upper bound: how delays lie inside a bucket is not known."""

    __slots__ = ("_means", "likely", "lower", "upper")

    def __init__(self, likely: DelayCurve, lower: DelayCurve, upper: DelayCurve) -> None:
        self.likely = likely
        self.lower = lower
        self.upper = upper
        self._means: dict[tuple[float, float], tuple[float, float, float]] = {}

    def mean_between(self, youngest_s: float, oldest_s: float) -> tuple[float, float, float]:
        """The means of likely, lower and upper. Cached: cells of a country and carrier ask for the same ages."""
        ages = youngest_s, oldest_s
        means = self._means.get(ages)
        if means is None:
            if len(self._means) >= LEARN_MEANS_MAX:
                self._means.clear()
            means = self._means[ages] = (
                self.likely.mean_between(youngest_s, oldest_s),
                self.lower.mean_between(youngest_s, oldest_s),
                self.upper.mean_between(youngest_s, oldest_s),
            )
        return means


def step_at(window_s: float, complete_share: float = 1.0) -> DelayBounds:
    """Without data: nothing has come before the end of the window, and everything after it."""
    step = DelayCurve(((0.0, 0.0), (window_s, 0.0), (window_s + 1.0, 1.0)), complete_share)
    return DelayBounds(step, step, step)


def curves_of(own: Sequence[float], borrowed: Sequence[float], complete_share: float = 1.0) -> DelayBounds:
    """The curves of counts by bucket (common/histogram.py): a histogram's own, and those borrowed from its parent. For
    the bounds, borrowed delays may all be the shortest or the longest.
    """
    borrowed_total = sum(borrowed[:FINITE])
    total = sum(own[:FINITE]) + borrowed_total
    likely, lower, upper = [(0.0, 0.0)], [(0.0, 0.0)], [(0.0, 0.0)]
    so_far = so_far_own = start_s = 0.0
    for edge_s, own_count, borrowed_count in zip(EDGES_S[:FINITE], own[:FINITE], borrowed[:FINITE], strict=True):
        before, so_far, so_far_own = so_far_own / total, so_far + own_count + borrowed_count, so_far_own + own_count
        share = 1.0 if so_far >= total * (1 - 1e-9) else so_far / total
        likely.append((float(edge_s), share))
        lower += ((edge_s - STEP_S, before), (float(edge_s), 1.0 if share == 1.0 else so_far_own / total))
        upper += ((start_s + STEP_S, min(1.0, (so_far_own + borrowed_total) / total)), (float(edge_s), share))
        start_s = float(edge_s)
        if share == 1.0:
            break
    upper[-1] = (upper[-1][0], 1.0)
    return DelayBounds(
        DelayCurve(likely, complete_share),
        DelayCurve(lower, complete_share),
        DelayCurve(_rising(upper), complete_share),
    )


def _rising(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    highest, risen = 0.0, []
    for age_s, share in points:
        highest = max(highest, share)
        risen.append((age_s, highest))
    return risen


class DelayHistograms:
    """Decayed histograms of delays by key. While a histogram is thin, it borrows from a more general one.

    A delay counts once its cohort is mature: when a carrier's traffic grows suddenly, the short delays come first and
    would bias the curve. Until a histogram has enough mature delays, it uses the fresh ones as well.
    """

    def __init__(self, policy: LearningPolicy) -> None:
        self._policy = policy
        self._default = step_at(policy.window_s)
        self._mature: dict[Key, list[float]] = {}
        self._fresh: dict[int, dict[Key, list[float]]] = {}  # by minute of the cohort
        self._fresh_sums: dict[Key, list[float]] = {}
        self._curves: dict[Key, tuple[float, bool, DelayBounds]] = {}  # expiry, whether of many delays, curves
        self._changed: set[Key] = set()  # keys with new delays since their curves were built
        self._now_s = 0.0
        self._decayed_s: float | None = None

    def add(self, keys: Sequence[Key], bucket: int, count: float, minute: int | None = None) -> None:
        """Counts a delay under each of its keys. `minute`: of its cohort; None: the cohort is mature. A negative count
        takes delays back.
        """
        self._changed.update(keys)
        if minute is None:
            for key in keys:
                _add(self._mature, key, bucket, count)
            return
        fresh = self._fresh.setdefault(minute, {})
        for key in keys:
            _add(fresh, key, bucket, count)
            _add(self._fresh_sums, key, bucket, count)

    def advance(self, now_s: float) -> None:
        """Takes in the delays of cohorts that have become mature, and decays the histograms."""
        self._now_s = now_s
        mature_minute = int((now_s - self._policy.delays_mature_s) // 60)
        for minute in [minute for minute in self._fresh if minute <= mature_minute]:
            for key, counts in self._fresh.pop(minute).items():
                self._changed.add(key)
                sums = self._fresh_sums.get(key)  # those of almost nothing are dropped
                for bucket, count in enumerate(counts):
                    if count:
                        _add(self._mature, key, bucket, count)
                        if sums is not None:
                            sums[bucket] = max(0.0, sums[bucket] - count)
        if self._decayed_s is None:
            self._decayed_s = now_s
        elif now_s - self._decayed_s >= DECAY_S:
            decay = 0.5 ** ((now_s - self._decayed_s) / self._policy.delays_half_life_s)
            self._decayed_s = now_s
            for counts in self._mature.values():
                counts[:] = [count * decay for count in counts]
            self._mature = {key: counts for key, counts in self._mature.items() if sum(counts) > COUNT_MIN}
            self._fresh_sums = {key: counts for key, counts in self._fresh_sums.items() if sum(counts) > COUNT_MIN}
            self._changed.intersection_update(self._curves)

    def counts(self, key: Key) -> Sequence[float]:
        """A key's own delays by bucket: the mature ones, and the fresh ones while those are few."""
        mature, fresh = self._mature.get(key, NO_COUNTS), self._fresh_sums.get(key, NO_COUNTS)
        if fresh is NO_COUNTS or sum(mature) >= min(sum(fresh), self._policy.delays_known):
            return mature
        return [old + new for old, new in zip(mature, fresh, strict=True)]

    def curves(self, keys: Sequence[Key]) -> DelayBounds:
        """The curves of the last key. The keys before it, from the most general on, are what it borrows from."""
        last = keys[-1]
        cached = self._curves.get(last)
        if cached is not None:
            until_s, is_known, curves = cached
            if self._now_s < until_s and (is_known or (last not in self._changed and curves is not self._default)):
                return curves
        is_known = sum(self.counts(last)) >= self._policy.delays_known
        curves = self._build(keys)
        self._curves[last] = (self._now_s + REBUILD_S, is_known, curves)
        self._changed.discard(last)
        return curves

    def known(self, keys: Sequence[Key]) -> DelayBounds | None:
        """As `curves`; None while there are too few delays for one."""
        curves = self.curves(keys)
        return None if curves is self._default else curves

    def _build(self, keys: Sequence[Key]) -> DelayBounds:
        prior = self._policy.delays_prior
        own: Sequence[float] = NO_COUNTS
        borrowed = blended = [0.0] * FINITE
        is_known = False
        for key in keys:
            parent_total = sum(blended)
            weight = prior / parent_total if parent_total > prior else 1.0
            own, borrowed = self.counts(key), [weight * count for count in blended]
            blended = [
                own_count + borrowed_count for own_count, borrowed_count in zip(own[:FINITE], borrowed, strict=True)
            ]
            is_known = is_known or sum(blended) >= self._policy.delays_min
        if not is_known:
            return self._default
        return curves_of(own, borrowed, self._policy.complete_share)


def _add(histograms: dict[Key, list[float]], key: Key, bucket: int, count: float) -> None:
    counts = histograms.get(key)
    if counts is None:
        counts = histograms[key] = [float(zero) for zero in empty()]
    counts[bucket] = max(0.0, counts[bucket] + count)
