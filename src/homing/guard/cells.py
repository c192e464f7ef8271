"""What the mind keeps of an app's messages to a network and to a country. Pure."""

from collections.abc import Sequence
from typing import Final

from homing import limits
from homing.guard.apps import Votes
from homing.guard.book import Verdict
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.ranges import C, Cohorts, N, Range
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

HOUR_MIN: Final = 60
RECENT_MIN: Final = 30


class Area(Cohorts):
    """A network or a country as one app's messages reach it, without the ranges that are judged."""

    __slots__ = ("_recent", "_recent_for", "busiest", "came", "hour", "hour_c", "verdict")

    def __init__(self) -> None:
        super().__init__()
        self.came = 0.0  # conversions ever, decayed with history
        self.busiest = 0.0  # conversions of the busiest hour, decayed
        self.hour, self.hour_c = 0, 0.0
        self.verdict: Verdict | None = None
        self._recent = [0.0, 0.0, 0.0]
        self._recent_for = (0, 0)  # the minute and the short window's first, for which that is kept up to date

    def hear(self, delta: Delta) -> None:
        if delta.minute in self.minutes:
            now, short = self._recent_for
            if now - RECENT_MIN <= delta.minute <= now + 1:
                self._recent[2] += delta.converted
                if delta.minute >= short:
                    self._recent[0] += delta.submitted
                    self._recent[1] += delta.converted
        else:
            self._recent_for = (0, 0)
        cohort = self.cohort(delta.minute, delta.submitted > 0)
        cohort[N] += delta.submitted
        cohort[C] += delta.converted
        if delta.converted:
            hour = delta.minute // HOUR_MIN
            if hour != self.hour:
                self.busiest = max(self.busiest * 0.99, self.hour_c)
                self.hour, self.hour_c = hour, 0.0
            self.hour_c += delta.converted
            self.came += delta.converted

    def recent(self, minute: int, short: int) -> tuple[float, float, float]:
        """(messages, conversions) since the minute `short`, and conversions of `RECENT_MIN`."""
        if self._recent_for != (minute, short):
            self._recent_for = minute, short
            self._recent = [0.0, 0.0, 0.0]
            for at in range(minute - RECENT_MIN, minute + 2):  # clocks differ a little
                counts = self.minutes.get(at)
                if counts is not None:
                    self._recent[2] += counts[C]
                    if at >= short:
                        self._recent[0] += counts[N]
                        self._recent[1] += counts[C]
        counted, came, recent = self._recent
        return counted, came, recent

    def take(self, other: Cohorts) -> None:
        super().take(other)
        self._recent_for = (0, 0)

    def clear(self) -> None:
        """Forgets what is not history yet."""
        self.minutes.clear()
        self._recent_for = (0, 0)


class Cell(Area):
    """An app's messages to a network: its ranges, how they spread, what rate is to be expected."""

    __slots__ = (
        "active_s",
        "carriers",
        "heard",
        "horizon",
        "is_touched",
        "judged",
        "key",
        "limits",
        "limits_for",
        "near",
        "pairs",
        "ranges",
        "ranges_then",
        "rate",
        "says",
        "says_for",
        "volumes",
        "volumes_since",
        "votes",
    )

    def __init__(self, key: CellKey, policy: GuardPolicy) -> None:
        super().__init__()
        self.key = key
        self.carriers: dict[int, float] = {}
        self.votes = Votes()
        self.volumes = Cohorts()  # of each range no more than the limit in ten minutes
        self.horizon = 0  # the minute before which they are history
        self.heard = 0.0  # all of them, decayed
        self.pairs = [0.0] * len(LEVELS)  # of these, by level: pairs of messages to the same range
        self.ranges = list(policy.ranges)  # how many ranges the network effectively has, by level
        self.ranges_then: dict[int, list[float]] = {}  # the same by half hours
        self.judged: dict[str, float] = {}  # digits -> when
        self.near: set[str] = set()  # ranges of a hundred thousand in which one is judged
        self.limits: tuple[int, ...] = (policy.least * 2,) * len(LEVELS)
        self.limits_for = (0.0, 0.0)  # the volume and the evidence needed that they were worked out for
        self.volumes_since: dict[int, float] = {}  # sums of it that were asked for
        self.says: list[
            float
        ] = []  # what a message's silence says, by age (guard/odds.py), and for what it was worked out
        self.says_for: tuple[int, int, int, bool] = (0, 0, 0, False)
        self.rate = 0.0
        self.active_s = 0.0
        self.is_touched = True

    def volume(self, since: int) -> float:
        """Messages since a minute, of each range no more than the limit."""
        found = self.volumes_since.get(since)
        if found is None:
            found = self.volumes_since[since] = self.volumes.since(since)
        return found

    def hear_volume(self, minute: int, volume: float) -> None:
        self.heard += volume
        self.volumes.cohort(minute, True)[N] += volume
        self.volumes_since.clear()

    def fold_all(self, minute: int, long_min: int, says: Sequence[float], decay: float) -> None:
        """Its own messages and their volumes, with all that is worked out by pairs."""
        self.came *= decay
        self.heard *= decay
        self.pairs = [pairs * decay**2 for pairs in self.pairs]
        self.fold(minute, long_min, says, decay)
        self.volumes.fold(minute, long_min, says, decay)
        self.volumes_since.clear()
        self.horizon = minute - long_min

    def forget(self, judged: Range, parents: Sequence[Range]) -> None:
        """Takes a judged range's messages out of those by which ranges are counted; `parents` hold them too."""
        seen, judged.seen = judged.seen, 0.0
        self.heard = max(0.0, self.heard - seen)
        self.pairs[judged.level] = max(0.0, self.pairs[judged.level] - seen * seen)
        for parent in parents:
            before, parent.seen = parent.seen, max(0.0, parent.seen - seen)
            self.pairs[parent.level] = max(0.0, self.pairs[parent.level] - before**2 + parent.seen**2)

    def count_ranges(self, policy: GuardPolicy) -> None:
        """From coincidences; what came of late can only show that there are more."""
        now = self._ranges_now(policy)
        self.ranges = [max(many) for many in zip(now, *self.ranges_then.values(), strict=True)]

    def note_ranges(self, minute: int, policy: GuardPolicy) -> None:
        half_hour = minute - minute % limits.GUARD_COARSE_MINUTES
        if half_hour not in self.ranges_then:
            self.ranges_then[half_hour] = self._ranges_now(policy)
            for at in [at for at in self.ranges_then if at < minute - policy.long_min]:
                del self.ranges_then[at]

    def _ranges_now(self, policy: GuardPolicy) -> list[float]:
        strength = policy.ranges_strength**2
        return [
            max(1.0, (self.heard**2 + strength) / (pairs + strength / ranges))
            for pairs, ranges in zip(self.pairs, policy.ranges, strict=True)
        ]
