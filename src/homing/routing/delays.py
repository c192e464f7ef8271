"""How long people and receipts take: the share that has come by an age, learnt from times in buckets. Pure."""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Final

from homing.kit.histogram import BUCKETS, EDGES_S, empty
from homing.routing.policy import LearnPolicy

Key = tuple[Hashable, ...]
FINITE: Final = BUCKETS - 1  # what took longer than the last edge is no part of the curve
AGED_EVERY_S: Final = 600.0
NOTHING: Final = 0.01


class Curve:
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


def unknown(window_s: float, ripe_share: float = 1.0) -> Curve:
    """Before anything is known: silence says nothing until the window is over, and then all."""
    return Curve(((0.0, 0.0), (window_s, 0.0), (window_s + 1.0, 1.0)), ripe_share)


def curve_of(counts: Sequence[float], ripe_share: float = 1.0) -> Curve:
    """The curve of counts by bucket (kit/histogram.py)."""
    total = sum(counts[:FINITE])
    points, so_far = [(0.0, 0.0)], 0.0
    for edge_s, count in zip(EDGES_S[:FINITE], counts[:FINITE], strict=True):
        so_far += count
        points.append((float(edge_s), so_far / total))
        if so_far >= total * (1 - 1e-9):
            break
    points[-1] = (points[-1][0], 1.0)
    return Curve(points, ripe_share)


class Delays:
    """Decayed histograms of times, each with a more general one behind it that fills in while it is thin."""

    def __init__(self, policy: LearnPolicy) -> None:
        self._policy = policy
        self._unknown = unknown(policy.window_s)
        self._counts: dict[Key, list[float]] = {}
        self._curves: dict[Key, Curve] = {}
        self._aged_s: float | None = None

    def note(self, keys: Sequence[Key], bucket: int, count: int) -> None:
        """A time under each of its keys, the most general first. A count may take one back."""
        for key in keys:
            counts = self._counts.get(key)
            if counts is None:
                counts = self._counts[key] = [float(none) for none in empty()]
            counts[bucket] = max(0.0, counts[bucket] + count)

    def age(self, now_s: float) -> None:
        """Forgets by the half-life, and lets curves be drawn anew."""
        self._curves.clear()
        if self._aged_s is None:
            self._aged_s = now_s
        elif now_s - self._aged_s >= AGED_EVERY_S:
            kept = 0.5 ** ((now_s - self._aged_s) / self._policy.delays_half_life_s)
            self._aged_s = now_s
            for counts in self._counts.values():
                counts[:] = [count * kept for count in counts]
            self._counts = {key: counts for key, counts in self._counts.items() if sum(counts) > NOTHING}

    def curve(self, keys: Sequence[Key]) -> Curve:
        """The curve of the last key, filled in from the ones before it, the most general first."""
        last = keys[-1]
        found = self._curves.get(last)
        if found is None:
            found = self._curves[last] = self._drawn(keys)
        return found

    def _drawn(self, keys: Sequence[Key]) -> Curve:
        blended, prior = [0.0] * FINITE, self._policy.delays_prior
        for key in keys:
            counts = self._counts.get(key)
            if counts is None:
                continue
            behind = sum(blended)
            weight = prior / behind if behind > prior else 1.0
            blended = [own + weight * general for own, general in zip(counts[:FINITE], blended, strict=True)]
        if sum(blended) < self._policy.delays_min:
            return self._unknown
        return curve_of(blended, self._policy.ripe_share)
