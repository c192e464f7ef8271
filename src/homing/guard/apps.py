"""What is known of an app as a whole: how soon its people come back, and whether they still do. Pure."""

from collections.abc import Mapping
from typing import Final

from homing import limits
from homing.kit import histogram

USUAL: Final = (0.0, 0.0, 0.2, 0.8, 2.5, 5.0, 6.0, 3.0, 1.2, 0.6, 0.3, 0.2, 0.1, 0.05, 0.05, 0.0, 0.0)
"""Times to conversion where an app's own are not known: twenty messages' worth, a median of about 35 s."""
HALVE_AT: Final = 20_000.0
CLOSE_MIN: Final = 2  # minutes about one that tell how conversions fared then
STEADY: Final = 4.0  # expected conversions by which a minute's luck is pulled to "as usual"
FARED_MIN: Final = 0.02


class Votes:
    """One or two messages of each range, by minute: so that a range with many has no more to say than others."""

    __slots__ = ("_fared", "minutes", "turns")

    def __init__(self) -> None:
        self.minutes: dict[int, list[float]] = {}  # minute -> messages x rate, conversions, messages
        self._fared: dict[int, float] = {}
        self.turns = 0

    def add(self, minute: int, messages: float, conversions: float, rate: float) -> None:
        votes = self.minutes.get(minute)
        if votes is None:
            votes = self.minutes[minute] = [0.0, 0.0, 0.0]
        votes[0] += messages * rate
        votes[1] += conversions
        votes[2] += messages

    def read(self, now_minute: int, curve: "Curve") -> None:
        """Works out how each late minute fared."""
        first = now_minute - limits.GUARD_FINE_MINUTES
        settled = {
            at: fared for at, fared in self._fared.items() if now_minute - limits.GUARD_SAYS_MINUTES < at < first
        }
        for minute in [minute for minute in self.minutes if minute < first]:
            del self.minutes[minute]
        self._fared = {}
        self.turns += 1
        expected, came = [0.0] * CLOSE_MIN, [0.0] * CLOSE_MIN
        span = range(first - CLOSE_MIN, now_minute + 1)
        none = (0.0, 0.0, 0.0)
        for minute in span:
            votes = self.minutes.get(minute, none)
            expected.append(votes[0] * curve.by(now_minute - minute))
            came.append(votes[1])
        expected += [0.0] * CLOSE_MIN
        came += [0.0] * CLOSE_MIN
        width = 2 * CLOSE_MIN + 1
        due, seen = sum(expected[: width - 1]), sum(came[: width - 1])
        for at, minute in enumerate(span):
            due += expected[at + width - 1]
            seen += came[at + width - 1]
            if due > 0.1:
                self._fared[minute] = min(1.0, max(FARED_MIN, (seen + STEADY) / (due + STEADY)))
            due -= expected[at]
            seen -= came[at]
        self._fared.update(settled)

    def fared(self, minute: int) -> float:
        """How many conversions came of those that were due in a minute (0..1); 1 where nothing is known."""
        return self._fared.get(minute, 1.0)


class Curve:
    """How many of the conversions that will come have come, by the age in minutes."""

    def __init__(self) -> None:
        self._counts = list(USUAL)
        self._shares: list[float] = []

    def hear(self, bucket: int, conversions: int) -> None:
        self._counts[bucket] += conversions

    def think(self) -> None:
        total = sum(self._counts)
        if total > HALVE_AT:
            self._counts = [count / 2 for count in self._counts]
        self._shares = [
            histogram.share_by(self._counts, minute * 60.0) or 0.0 for minute in range(limits.GUARD_FINE_MINUTES + 1)
        ]

    def by(self, age_min: int) -> float:
        """Of messages that were submitted in the minute so long ago, whose middle is half a minute younger."""
        if age_min <= 0:
            return 0.0
        if age_min >= len(self._shares):
            return 1.0
        return (self._shares[age_min] + self._shares[age_min - 1]) / 2

    def share_below(self, seconds: float) -> float:
        return histogram.share_by(self._counts, seconds) or 0.0


class AppMind:
    """An app's curve and votes."""

    __slots__ = ("curve", "sure", "votes")

    def __init__(self) -> None:
        self.curve = Curve()
        self.curve.think()
        self.votes = Votes()
        self.sure = False


Apps = Mapping[tuple[int, str], AppMind]
