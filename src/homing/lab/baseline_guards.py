"""Guards in common use, for comparison: a budget of unverified codes, hourly thresholds, and caps by number and range.

Where they need a history they start with an ordinary one: 14 days like the scenario's own, without attacks and events.
`room` multiplies every limit: below 1 a guard is stricter than its rule, above 1 more lenient.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from homing.lab.event_queue import START_MINUTE
from homing.lab.world import BLOCK, World
from homing.statistics.delta import Delta

DAY_MIN: Final = 1440
HOUR_MIN: Final = 60
HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0


class GuardBaseline:
    """`allows` is called for every message before it is accepted and counts those that pass. `at_s`: seconds from the
    scenario's beginning.
    """

    def allows(self, number: int, country: str, at_s: float) -> bool:
        raise NotImplementedError

    def observe(self, deltas: Sequence[Delta]) -> None:
        pass


class UnverifiedBudget(GuardBaseline):
    """Per country, the codes sent but not verified are at most: in 24 hours max(20, 0.3 x the 14-day peak of verified
    codes per day, 0.3 x verified in 24 h); in an hour max(3, peak / 6 x 0.2, verified in 1 h x 0.2). Rolling windows.
    """

    def __init__(self, world: World, room: float = 1.0) -> None:
        self._room = room
        self._peaks = ordinary_day(world)
        self._unverified: defaultdict[str, _Window] = defaultdict(_Window)
        self._verified: defaultdict[str, _Window] = defaultdict(_Window)

    def observe(self, deltas: Sequence[Delta]) -> None:
        for delta in deltas:
            if delta.converted:
                self._verified[delta.country].add(delta.minute - START_MINUTE, delta.converted)

    def allows(self, number: int, country: str, at_s: float) -> bool:
        minute = int(at_s // 60)
        sent, verified = self._unverified[country], self._verified[country]
        peak = self._peaks.get(country, 0.0)
        day, hour = verified.sum_of_last(minute, DAY_MIN), verified.sum_of_last(minute, HOUR_MIN)
        if sent.sum_of_last(minute, DAY_MIN) - day >= self._room * max(20, 0.3 * peak, 0.3 * day):
            return False
        if sent.sum_of_last(minute, HOUR_MIN) - hour >= self._room * max(3, peak / 6 * 0.2, hour * 0.2):
            return False
        sent.add(minute, 1)
        return True


class HourlyThreshold(GuardBaseline):
    """Per country and clock hour, messages are at most `FACTOR` times those of the busiest ordinary hour, and at least
    `MESSAGES_MIN`.
    """

    MESSAGES_MIN: Final = 100
    FACTOR: Final = 1.5

    def __init__(self, world: World, room: float = 1.0) -> None:
        scenario = world.scenario
        self._least = self.MESSAGES_MIN * room
        busiest = (1 + scenario.rate_swing) / 24
        share = 1.0 / float(np.mean([app.conversion for app in scenario.apps]))
        self._limits: dict[str, float] = {
            country: room * max(float(self.MESSAGES_MIN), verified * share * busiest * self.FACTOR)
            for country, verified in ordinary_day(world).items()
        }
        self._counts: defaultdict[tuple[str, int], int] = defaultdict(int)

    def allows(self, number: int, country: str, at_s: float) -> bool:
        key = country, int(at_s // HOUR_S)
        if self._counts[key] >= self._limits.get(country, self._least):
            return False
        self._counts[key] += 1
        return True


class RangeVelocity(GuardBaseline):
    """To a thousand numbers at most `MESSAGES_MAX` messages in any 60 minutes."""

    MESSAGES_MAX: Final = 5

    def __init__(self, world: World, room: float = 1.0) -> None:
        self._messages_max = max(1, round(self.MESSAGES_MAX * room))
        self._passed: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=self._messages_max))

    def allows(self, number: int, country: str, at_s: float) -> bool:
        passed = self._passed[number // BLOCK]
        if len(passed) == self._messages_max and at_s - passed[0] < HOUR_S:
            return False
        passed.append(at_s)
        return True


class NumberCaps(GuardBaseline):
    """To a number at most one message in any minute, 5 in an hour and 10 in a day; of the account at most `FACTOR`
    times the messages of its busiest ordinary hour in a clock hour.
    """

    CAPS: Final = ((1, 60.0), (5, HOUR_S), (10, DAY_S))
    FACTOR: Final = 3.0

    def __init__(self, world: World, room: float = 1.0) -> None:
        scenario = world.scenario
        self._caps = [(max(1, round(messages * room)), span_s) for messages, span_s in self.CAPS]
        self._kept = self._caps[-1][0]
        self._hour_max = scenario.rate_per_s * HOUR_S * (1 + scenario.rate_swing) * self.FACTOR * room
        self._hours: defaultdict[int, int] = defaultdict(int)
        self._passed: dict[int, list[float]] = {}

    def allows(self, number: int, country: str, at_s: float) -> bool:
        hour = int(at_s // HOUR_S)
        if self._hours[hour] >= self._hour_max:
            return False
        passed = self._passed.get(number, [])
        for messages_max, span_s in self._caps:
            if len(passed) >= messages_max and at_s - passed[-messages_max] < span_s:
                return False
        self._hours[hour] += 1
        self._passed[number] = [*passed, at_s][-self._kept :]
        return True


def ordinary_day(world: World) -> Mapping[str, float]:
    """Verified codes by country in a day without attacks or events, which a customer knows from its own past."""
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
    """Counts by minute, with running sums of the last day and hour."""

    def __init__(self) -> None:
        self._counts: defaultdict[int, int] = defaultdict(int)
        self._sums: dict[int, int] = {DAY_MIN: 0, HOUR_MIN: 0}
        self._minute = 0

    def add(self, minute: int, count: int) -> None:
        """`minute` must not be later than the current one."""
        self._counts[minute] += count
        for length in self._sums:
            if minute > self._minute - length:
                self._sums[length] += count

    def sum_of_last(self, minute: int, length: int) -> int:
        """The sum of `length` minutes (DAY_MIN or HOUR_MIN) up to `minute`, which becomes the current one."""
        while self._minute < minute:
            self._minute += 1
            for each in self._sums:
                self._sums[each] -= self._counts.get(self._minute - each, 0)
        return self._sums[length]
