"""Guards in common use, for comparison: a budget of unverified codes, and hourly thresholds.

Both are given an ordinary history: as if 14 days like the scenario's own, without attacks and events, had been before.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from homing.lab.event_queue import START_MINUTE
from homing.lab.world import World
from homing.statistics.delta import Delta

DAY_MIN: Final = 1440
HOUR_MIN: Final = 60


class GuardBaseline:
    """A guard by country. `allows` is called for every message before it is accepted and counts those that pass."""

    def allows(self, country: str, minute: int) -> bool:
        raise NotImplementedError

    def observe(self, deltas: Sequence[Delta]) -> None:
        pass


class UnverifiedBudget(GuardBaseline):
    """Per country, codes sent and not verified are at most: in 24 hours max(20, 0.3 x the 14-day peak of verified codes
    a day, 0.3 x verified in 24 h); in an hour max(3, peak / 6 x 0.2, verified in 1 h x 0.2). Windows roll by minutes.
    """

    def __init__(self, world: World) -> None:
        self._peaks = ordinary_day(world)
        self._unverified: defaultdict[str, _Window] = defaultdict(_Window)
        self._verified: defaultdict[str, _Window] = defaultdict(_Window)

    def observe(self, deltas: Sequence[Delta]) -> None:
        for delta in deltas:
            if delta.converted:
                self._verified[delta.country].add(delta.minute - START_MINUTE, delta.converted)

    def allows(self, country: str, minute: int) -> bool:
        sent, verified = self._unverified[country], self._verified[country]
        peak = self._peaks.get(country, 0.0)
        day, hour = verified.last(minute, DAY_MIN), verified.last(minute, HOUR_MIN)
        if sent.last(minute, DAY_MIN) - day >= max(20, 0.3 * peak, 0.3 * day):
            return False
        if sent.last(minute, HOUR_MIN) - hour >= max(3, peak / 6 * 0.2, hour * 0.2):
            return False
        sent.add(minute, 1)
        return True


class HourlyThreshold(GuardBaseline):
    """Per country at most so many messages in a clock hour: one and a half times the busiest hour of ordinary days, and
    at least `LEAST`.
    """

    LEAST: Final = 100
    FACTOR: Final = 1.5

    def __init__(self, world: World) -> None:
        scenario = world.scenario
        busiest = (1 + scenario.rate_swing) / 24
        share = 1.0 / float(np.mean([app.conversion for app in scenario.apps]))
        self._limits: dict[str, float] = {
            country: max(float(self.LEAST), verified * share * busiest * self.FACTOR)
            for country, verified in ordinary_day(world).items()
        }
        self._counts: defaultdict[tuple[str, int], int] = defaultdict(int)

    def allows(self, country: str, minute: int) -> bool:
        key = country, minute // HOUR_MIN
        if self._counts[key] >= self._limits.get(country, self.LEAST):
            return False
        self._counts[key] += 1
        return True


def ordinary_day(world: World) -> Mapping[str, float]:
    """Verified codes by country of a day without attacks or events: a customer's own past, which is no secret."""
    scenario = world.scenario
    total = sum(country.share for country in scenario.countries)
    conversion = float(
        np.average([app.conversion for app in scenario.apps], weights=[app.share for app in scenario.apps])
    )
    return {
        country.code: scenario.rate_per_s * 86_400 * country.share / total * conversion
        for country in scenario.countries
    }


class _Window:
    """Counts by minute; sums of the last day and hour, kept as time goes on."""

    def __init__(self) -> None:
        self._counts: defaultdict[int, int] = defaultdict(int)
        self._sums: dict[int, int] = {DAY_MIN: 0, HOUR_MIN: 0}
        self._at = 0

    def add(self, minute: int, count: int) -> None:
        """Of a minute that is not after the latest one asked about by more than the present."""
        self._counts[minute] += count
        for length in self._sums:
            if minute > self._at - length:
                self._sums[length] += count

    def last(self, minute: int, length: int) -> int:
        while self._at < minute:
            self._at += 1
            for one in self._sums:
                self._sums[one] -= self._counts.get(self._at - one, 0)
        return self._sums[length]


Makes = Callable[[World], GuardBaseline]
