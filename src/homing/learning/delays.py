"""How long people and receipts take: the share that has come by an age, learnt from times in buckets. Pure."""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Final

from homing.common.histogram import BUCKETS, EDGES_S, empty
from homing.learning.policy import LearningPolicy

LEARN_MEANS_MAX: Final = 1_000  # of one set of curves, remembered


Key = tuple[Hashable, ...]
FINITE: Final = BUCKETS - 1  # what took longer than the last edge is no part of the curve
AGED_EVERY_S: Final = 600.0
DRAWN_EVERY_S: Final = 30.0  # a curve; one of few times also when one of its own has come
NOTHING: Final = 0.01
STEP_S: Final = 0.01  # of time in which a curve's step rises
NONE: Final[Sequence[float]] = (0.0,) * BUCKETS


class DelayCurve:
    """F(t), the share that has come by the age t in seconds: straight between its points, 0 before, 1 after them."""

    __slots__ = ("_ages_s", "_areas", "_shares", "ends_s")

    def __init__(self, points: Iterable[tuple[float, float]], ripe_share: float) -> None:
        """`points`: (age in seconds, share 0..1), both rising, from (0, 0) to a share of 1. `ends_s` is the age from
        which the rest (above `ripe_share`) is taken for nothing.
        """
        listed = list(points)
        self._ages_s = [age_s for age_s, _share in listed]
        self._shares = [share for _age_s, share in listed]
        self._areas = [0.0]
        for (age_s, share), (next_s, next_share) in pairwise(listed):
            self._areas.append(self._areas[-1] + (next_s - age_s) * (share + next_share) / 2)
        self.ends_s = next(age_s for age_s, share in listed if share >= ripe_share)

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

    def between(self, youngest_s: float, oldest_s: float) -> float:
        """The mean of F over messages whose ages are spread evenly between two."""
        if oldest_s <= 0.0:
            return 0.0
        if youngest_s >= self.ends_s:
            return 1.0
        youngest_s = max(0.0, youngest_s)
        return (self._area(oldest_s) - self._area(youngest_s)) / max(1e-9, oldest_s - youngest_s)


class DelayBounds:
    """F as well as it is known, and what it is at least and at most: inside a bucket anything may be."""

    __slots__ = ("_means", "least", "likely", "most")

    def __init__(self, likely: DelayCurve, least: DelayCurve, most: DelayCurve) -> None:
        self.likely = likely
        self.least = least
        self.most = most
        self._means: dict[tuple[float, float], tuple[float, float, float]] = {}

    def between(self, youngest_s: float, oldest_s: float) -> tuple[float, float, float]:
        """Each one's mean between two ages. Remembered: cells of a country and a carrier ask for the same ages."""
        ages = youngest_s, oldest_s
        found = self._means.get(ages)
        if found is None:
            if len(self._means) >= LEARN_MEANS_MAX:
                self._means.clear()
            found = self._means[ages] = (
                self.likely.between(youngest_s, oldest_s),
                self.least.between(youngest_s, oldest_s),
                self.most.between(youngest_s, oldest_s),
            )
        return found


def unknown(window_s: float, ripe_share: float = 1.0) -> DelayBounds:
    """Before anything is known: silence says nothing until the window is over, and then all."""
    step = DelayCurve(((0.0, 0.0), (window_s, 0.0), (window_s + 1.0, 1.0)), ripe_share)
    return DelayBounds(step, step, step)


def curves_of(own: Sequence[float], lent: Sequence[float], ripe_share: float = 1.0) -> DelayBounds:
    """The curves of counts by bucket (common/histogram.py): its own, and those that it is lent while it has few. What
    is lent may as well come first or last.
    """
    lent_total = sum(lent[:FINITE])
    total = sum(own[:FINITE]) + lent_total
    likely, least, most = [(0.0, 0.0)], [(0.0, 0.0)], [(0.0, 0.0)]
    so_far = so_far_own = start_s = 0.0
    for edge_s, mine, other in zip(EDGES_S[:FINITE], own[:FINITE], lent[:FINITE], strict=True):
        before, so_far, so_far_own = so_far_own / total, so_far + mine + other, so_far_own + mine
        share = 1.0 if so_far >= total * (1 - 1e-9) else so_far / total
        likely.append((float(edge_s), share))
        least += ((edge_s - STEP_S, before), (float(edge_s), 1.0 if share == 1.0 else so_far_own / total))
        most += ((start_s + STEP_S, min(1.0, (so_far_own + lent_total) / total)), (float(edge_s), share))
        start_s = float(edge_s)
        if share == 1.0:
            break
    most[-1] = (most[-1][0], 1.0)
    return DelayBounds(
        DelayCurve(likely, ripe_share), DelayCurve(least, ripe_share), DelayCurve(_rising(most), ripe_share)
    )


def _rising(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    highest, risen = 0.0, []
    for age_s, share in points:
        highest = max(highest, share)
        risen.append((age_s, highest))
    return risen


class Delays:
    """Decayed histograms of times, each with a more general one behind it that fills in while it is thin.

    A time is counted once its cohort is old enough for the slow ones to have come too: where a carrier's traffic grows
    of a sudden, the quick ones come first. Until a histogram has enough of such times it makes do with what there is.
    """

    def __init__(self, policy: LearningPolicy) -> None:
        self._policy = policy
        self._unknown = unknown(policy.window_s)
        self._ripe: dict[Key, list[float]] = {}
        self._fresh: dict[int, dict[Key, list[float]]] = {}  # by minute of the cohort
        self._fresh_sums: dict[Key, list[float]] = {}
        self._curves: dict[
            Key, tuple[float, bool, DelayBounds]
        ] = {}  # when each is to be drawn anew, and if it is of many
        self._changed: set[Key] = set()  # whose times are others than when their curves were drawn
        self._now_s = 0.0
        self._aged_s: float | None = None

    def note(self, keys: Sequence[Key], bucket: int, count: float, minute: int | None = None) -> None:
        """A time under each of its keys, the most general first; of a cohort that is fresh, or (None) long past. A
        count may take one back.
        """
        self._changed.update(keys)
        if minute is None:
            for key in keys:
                _add(self._ripe, key, bucket, count)
            return
        fresh = self._fresh.setdefault(minute, {})
        for key in keys:
            _add(fresh, key, bucket, count)
            _add(self._fresh_sums, key, bucket, count)

    def age(self, now_s: float) -> None:
        """Forgets by the half-life, and takes in what has become ripe."""
        self._now_s = now_s
        ripe = int((now_s - self._policy.delays_ripe_s) // 60)
        for minute in [one for one in self._fresh if one <= ripe]:
            for key, counts in self._fresh.pop(minute).items():
                self._changed.add(key)
                sums = self._fresh_sums[key]
                for bucket, count in enumerate(counts):
                    if count:
                        _add(self._ripe, key, bucket, count)
                        sums[bucket] = max(0.0, sums[bucket] - count)
        if self._aged_s is None:
            self._aged_s = now_s
        elif now_s - self._aged_s >= AGED_EVERY_S:
            kept = 0.5 ** ((now_s - self._aged_s) / self._policy.delays_half_life_s)
            self._aged_s = now_s
            for counts in self._ripe.values():
                counts[:] = [count * kept for count in counts]
            self._ripe = {key: counts for key, counts in self._ripe.items() if sum(counts) > NOTHING}
            self._fresh_sums = {key: counts for key, counts in self._fresh_sums.items() if sum(counts) > NOTHING}
            self._changed.intersection_update(self._curves)

    def counts(self, key: Key) -> Sequence[float]:
        """A key's own times by bucket."""
        return self._own(key)

    def _own(self, key: Key) -> Sequence[float]:
        ripe, fresh = self._ripe.get(key, NONE), self._fresh_sums.get(key, NONE)
        if fresh is NONE or sum(ripe) >= min(sum(fresh), self._policy.delays_known):
            return ripe
        return [one + other for one, other in zip(ripe, fresh, strict=True)]

    def curves(self, keys: Sequence[Key]) -> DelayBounds:
        """The curves of the last key, filled in from the ones before it, the most general first."""
        last = keys[-1]
        found = self._curves.get(last)
        if found is not None:
            until_s, is_known, curves = found
            if self._now_s < until_s and (is_known or (last not in self._changed and curves is not self._unknown)):
                return curves
        is_known = sum(self._own(last)) >= self._policy.delays_known
        curves = self._drawn(keys)
        self._curves[last] = (self._now_s + DRAWN_EVERY_S, is_known, curves)
        self._changed.discard(last)
        return curves

    def _drawn(self, keys: Sequence[Key]) -> DelayBounds:
        prior = self._policy.delays_prior
        own: Sequence[float] = NONE
        lent = blended = [0.0] * FINITE
        for key in keys:
            behind = sum(blended)
            weight = prior / behind if behind > prior else 1.0
            own, lent = self._own(key), [weight * count for count in blended]
            blended = [mine + other for mine, other in zip(own[:FINITE], lent, strict=True)]
        if sum(blended) < self._policy.delays_min:
            return self._unknown
        return curves_of(own, lent, self._policy.ripe_share)


def _add(counts: dict[Key, list[float]], key: Key, bucket: int, count: float) -> None:
    found = counts.get(key)
    if found is None:
        found = counts[key] = [float(none) for none in empty()]
    found[bucket] = max(0.0, found[bucket] + count)
