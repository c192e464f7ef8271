"""What is remembered of a range of numbers, a network or a country: messages by the minute of their submit. Pure."""

from collections.abc import Sequence

from homing import limits

N, C, V, W, H, E = range(6)
"""Of a cohort: messages, conversions, messages up to the limit, voting messages, voting conversions, and, once it is
old, messages whose silence counts: what was known then of how conversions fared.
"""


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
            found = self.minutes[minute] = [0.0] * 6
        return found

    def fold(self, now_minute: int, long_min: int, says: Sequence[float], decay: float) -> float:
        """Puts old minutes together. Gives the messages, up to the limit, that have become history. `says`: how much a
        message's silence says, by its age in minutes, and beyond its end 1; `decay`: what is left of earlier history.
        """
        self.kept_n *= decay
        self.kept_e *= decay
        self.kept_c *= decay
        if not self.minutes:
            return 0.0
        fine, oldest = now_minute - limits.GUARD_FINE_MINUTES, now_minute - long_min
        passed = 0.0
        for minute in [minute for minute in self.minutes if minute < fine]:
            counts = self.minutes[minute]
            if not counts[E]:
                age = now_minute - minute
                counts[E] = counts[N] * (says[age] if age < len(says) else 1.0)
            if minute < oldest:
                del self.minutes[minute]
                passed += counts[V]
                self.kept_n += counts[N]
                self.kept_e += counts[E]
                self.kept_c += counts[C]
            elif minute % limits.GUARD_COARSE_MINUTES:
                del self.minutes[minute]
                coarse = self.minutes.get(minute - minute % limits.GUARD_COARSE_MINUTES)
                if coarse is None:
                    self.minutes[minute - minute % limits.GUARD_COARSE_MINUTES] = counts
                else:
                    for column, count in enumerate(counts):
                        coarse[column] += count
        return passed

    def since(self, minute: int, column: int = N) -> float:
        return sum([cohort[column] for at, cohort in self.minutes.items() if at >= minute])

    def last_s(self, since_s: float) -> float:
        """The end of the last minute with messages, or an earlier moment."""
        return max([since_s, *(at * 60.0 + 60.0 for at, counts in self.minutes.items() if counts[N] > 0)])

    def exposed(self, now_minute: int, says: Sequence[float], after: int = 0) -> tuple[float, float]:
        """(messages whose silence counts, conversions) of what is not history yet, submitted after a minute."""
        exposed = converted = 0.0
        for at, counts in self.minutes.items():
            if at > after:
                converted += counts[C]
                if counts[E]:
                    exposed += counts[E]
                elif counts[N] > 0:
                    age = max(0, now_minute - at)
                    exposed += counts[N] * says[age] if age < len(says) else counts[N]
        return exposed, converted

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

    __slots__ = ("came", "crowd", "digits", "epoch", "epoch_n", "heard_s", "held", "history", "level", "seen", "times")

    def __init__(self, digits: str, level: int) -> None:
        super().__init__()
        self.digits = digits
        self.level = level
        self.epoch = self.times = 0
        self.epoch_n = 0.0
        self.history = self.seen = 0.0  # seen: history and what will be
        self.held = self.came = 0.0  # messages and conversions since the last fold, about: what is worth a look
        self.heard_s = 0.0
        self.crowd = 0.0  # the evidence of one, when it was judged

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

    def count_held(self) -> None:
        """Anew, after old minutes were put away, or a narrower range's messages were taken out."""
        self.held = self.came = 0.0
        for counts in self.minutes.values():
            self.held += counts[N]
            self.came += counts[C]

    def windows(self, short: int, long: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """(messages, of these up to the limit) since two minutes, of which the first is the later one."""
        short_n = short_v = long_n = long_v = 0.0
        for at, counts in self.minutes.items():
            if at >= long:
                long_n += counts[N]
                long_v += counts[V]
                if at >= short:
                    short_n += counts[N]
                    short_v += counts[V]
        return (short_n, short_v), (long_n, long_v)

    def history_before(self, minute: int) -> float:
        """Messages, up to the limit, of before a minute: those that were put away and those that only wait for it."""
        step = limits.GUARD_COARSE_MINUTES
        return self.history + sum([counts[V] for at, counts in self.minutes.items() if at - at % step < minute])
