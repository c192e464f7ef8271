"""What is remembered of a range of numbers, a network or a country: messages by the minute of their submit. Pure."""

from collections.abc import Callable

import msgspec

from homing import limits

N, C, V, W = 0, 1, 2, 3  # of a cohort: messages, conversions, messages up to the limit, voting messages


class Cohorts:
    """Messages by minute, and what came back of them; old minutes are put together, the oldest only weigh as a sum."""

    __slots__ = ("kept_c", "kept_e", "kept_n", "minutes")

    def __init__(self) -> None:
        self.minutes: dict[int, list[float]] = {}
        self.kept_n = self.kept_e = self.kept_c = 0.0

    def cohort(self, minute: int, is_new: bool) -> list[float]:
        """A minute's counts; of what is said about old messages, those that the minute was put together with."""
        found = self.minutes.get(minute)
        if found is None and not is_new:
            found = self.minutes.get(minute - minute % limits.GUARD_COARSE_MINUTES)
        if found is None:
            found = self.minutes[minute] = [0.0, 0.0, 0.0, 0.0]
        return found

    def fold(self, now_minute: int, long_min: int, weigh: Callable[[int], float], decay: float) -> float:
        """Puts old minutes together. Gives the messages, up to the limit, that have become history. `weigh`: how much a
        minute's silence says; `decay`: what is left of what was history before.
        """
        self.kept_n *= decay
        self.kept_e *= decay
        self.kept_c *= decay
        fine, oldest = now_minute - limits.GUARD_FINE_MINUTES, now_minute - long_min
        passed = 0.0
        for minute in [minute for minute in self.minutes if minute < fine]:
            if minute < oldest:
                n, c, v, _w = self.minutes.pop(minute)
                passed += v
                self.kept_n += n
                self.kept_e += n * weigh(minute)
                self.kept_c += c
            elif minute % limits.GUARD_COARSE_MINUTES:
                old = self.minutes.pop(minute)
                coarse = self.minutes.get(minute - minute % limits.GUARD_COARSE_MINUTES)
                if coarse is None:
                    self.minutes[minute - minute % limits.GUARD_COARSE_MINUTES] = old
                else:
                    for column, count in enumerate(old):
                        coarse[column] += count
        return passed

    def since(self, minute: int, column: int = N) -> float:
        return sum([cohort[column] for at, cohort in self.minutes.items() if at >= minute])

    def take(self, other: "Cohorts") -> None:
        """Takes another's messages out of these: they are judged on their own."""
        for minute, counts in other.minutes.items():
            mine = self.minutes.get(minute) or self.minutes.get(minute - minute % limits.GUARD_COARSE_MINUTES)
            if mine is not None:
                for column, count in enumerate(counts):
                    mine[column] = max(0.0, mine[column] - count)
        self.kept_n = max(0.0, self.kept_n - other.kept_n)
        self.kept_e = max(0.0, self.kept_e - other.kept_e)
        self.kept_c = max(0.0, self.kept_c - other.kept_c)


class Range(Cohorts):
    """A range of numbers as one app's messages reach it. `history`: messages older than the long window, of each ten
    minutes no more than the limit; `times`: how often it was judged.
    """

    __slots__ = ("came", "digits", "epoch", "epoch_n", "heard_s", "held", "history", "level", "seen", "times")

    def __init__(self, digits: str, level: int) -> None:
        super().__init__()
        self.digits = digits
        self.level = level
        self.epoch = self.times = 0
        self.epoch_n = 0.0
        self.history = self.seen = 0.0  # seen: history and what will be
        self.held = self.came = 0.0  # messages and conversions since the last fold, about: what is worth a look
        self.heard_s = 0.0

    def count(self, minute: int, submitted: float, limit: int, votes_max: float) -> tuple[float, float]:
        """Counts messages in their ten minutes; of these, those (up to the limit, that vote)."""
        epoch = minute // 10
        if epoch > self.epoch:
            self.epoch, self.epoch_n = epoch, 0.0
        elif epoch < self.epoch:
            return min(submitted, float(limit)), 0.0
        before, after = self.epoch_n, max(0.0, self.epoch_n + submitted)
        self.epoch_n = after
        return min(limit, after) - min(limit, before), min(votes_max, after) - min(votes_max, before)

    def history_before(self, minute: int) -> float:
        """Messages, up to the limit, of before a minute: those that were put away and those that only wait for it."""
        step = limits.GUARD_COARSE_MINUTES
        return self.history + sum([counts[V] for at, counts in self.minutes.items() if at - at % step < minute])

    def keep(self) -> "KeptRange":
        return KeptRange(
            self.digits, self.level, self.history, self.times, self.kept_n, self.kept_e, self.kept_c, dict(self.minutes)
        )

    @classmethod
    def remembered(cls, kept: "KeptRange") -> "Range":
        found = cls(kept.digits, kept.level)
        found.history, found.times = kept.history, kept.times
        found.seen = kept.history + sum(counts[V] for counts in kept.minutes.values())
        found.held = sum(counts[N] for counts in kept.minutes.values())
        found.came = sum(counts[C] for counts in kept.minutes.values())
        found.kept_n, found.kept_e, found.kept_c = kept.kept_n, kept.kept_e, kept.kept_c
        found.minutes = {minute: list(counts) for minute, counts in kept.minutes.items()}
        return found


class KeptRange(msgspec.Struct, frozen=True, array_like=True):
    """A range as it is written down."""

    digits: str
    level: int
    history: float
    times: int
    kept_n: float
    kept_e: float
    kept_c: float
    minutes: dict[int, list[float]]


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A network as it is written down."""

    country: str
    heard: float
    pairs: list[float]
    ranges_then: dict[int, list[float]]
    judged: dict[str, float]
    evened: float
    volumes: dict[int, list[float]]
    ranges: list[KeptRange]
