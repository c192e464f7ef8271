"""When an app's conversions come, and whether they still do. Pure."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final

from homing.common import histogram
from homing.guard.cohorts import GUARD_FINE_MINUTES

GUARD_WEIGHT_MINUTES: Final = 150  # of exposure weights: until every range's cohorts were merged
PRIOR_DELAY_COUNTS: Final = (0.0, 0.0, 0.2, 0.8, 2.5, 5.0, 6.0, 3.0, 1.2, 0.6, 0.3, 0.2, 0.1, 0.05, 0.05, 0.0, 0.0)
"""Conversions by time from submit, by bucket of the histogram: worth twenty, with a median of about 35 s."""
DELAY_COUNT_MAX: Final = 20_000.0  # beyond it all counts are halved, so that recent ones count more
RATIO_SPAN_MIN: Final = 2  # minutes on either side that a minute's conversion ratio is averaged over
RATIO_BLOCK_MIN: Final = 10  # minutes in which it is compared what networks usually have of an app
RATIO_PSEUDO_COUNT: Final = 4.0  # expected conversions that pull the ratio of a network towards 1


Votes = tuple[float, float]
"""Conversions that are expected of voting messages, and those that came."""


class ConversionDelays:
    """What share of the conversions that will come has come, by a message's age."""

    def __init__(self) -> None:
        self._counts = list(PRIOR_DELAY_COUNTS)
        self._shares: list[float] = []
        self.update()

    def observe(self, bucket: int, conversions: int) -> None:
        """`bucket`: of the seconds from submit to conversion (common/histogram.py)."""
        self._counts[bucket] += conversions

    def update(self) -> None:
        """Brings what `share_by` gives up to date."""
        total = sum(self._counts)
        if total > DELAY_COUNT_MAX:
            self._counts = [count / 2 for count in self._counts]
        self._shares = [
            histogram.share_by(self._counts, minute * 60.0) or 0.0 for minute in range(GUARD_FINE_MINUTES + 1)
        ]

    def share_by(self, age_min: int) -> float:
        """For messages that were submitted in the minute so long ago: on average half a minute later."""
        if age_min <= 0:
            return 0.0
        if age_min >= len(self._shares):
            return 1.0
        return (self._shares[age_min] + self._shares[age_min - 1]) / 2

    def share_below(self, seconds: float) -> float:
        return histogram.share_by(self._counts, seconds) or 0.0


class _MinuteVotes:
    __slots__ = ("conversions", "expected")

    def __init__(self) -> None:
        self.expected = 0.0  # conversions, by the genuine rate
        self.conversions = 0.0


class ConversionRatios:
    """By minute of submit, conversions over those expected, 0..1. In an outage of delivery or of reporting it falls for
    all ranges alike, and so it does while conversions are reported late, in bulk or in part. Each range has two votes
    in ten minutes at most, so that an attack on few hardly lowers it.

    It is a lower bound: what the count of conversions leaves in doubt is not held against anybody. Where `is_excuse` is
    set it excuses beside another ratio, and few conversions pull it towards 1.
    """

    __slots__ = ("_is_excuse", "_ratios", "_votes", "version")

    def __init__(self, is_excuse: bool = False) -> None:
        self._is_excuse = is_excuse
        self._votes: dict[int, _MinuteVotes] = {}
        self._ratios: dict[int, float] = {}
        self.version = 0  # counts updates

    def add(self, minute: int, messages: float, conversions: float, rate: float) -> None:
        """`rate`: conversions that are expected of each message."""
        votes = self._votes.get(minute)
        if votes is None:
            votes = self._votes[minute] = _MinuteVotes()
        votes.expected += messages * rate
        votes.conversions += conversions

    def votes_by_block(self, now_minute: int) -> Mapping[int, Votes]:
        """Of each `RATIO_BLOCK_MIN` minutes of the last `GUARD_FINE_MINUTES`. What is older is forgotten: `update` does
        so only of networks with traffic.
        """
        self._forget_votes(now_minute - GUARD_FINE_MINUTES)
        blocks: dict[int, Votes] = {}
        for minute, votes in self._votes.items():
            expected, conversions = blocks.get(minute // RATIO_BLOCK_MIN, (0.0, 0.0))
            blocks[minute // RATIO_BLOCK_MIN] = expected + votes.expected, conversions + votes.conversions
        return blocks

    def excuses(self, now_minute: int, delays: ConversionDelays, parts: Mapping[int, float]) -> Mapping[int, float]:
        """By block, conversions over those due, 0..1, where only a part of the messages is counted (1 by default) and
        few conversions pull it towards 1.
        """
        due: dict[int, Votes] = {}
        for minute, votes in self._votes.items():
            block = minute // RATIO_BLOCK_MIN
            expected, conversions = due.get(block, (0.0, 0.0))
            part = parts.get(block, 1.0) * delays.share_by(now_minute - minute)
            due[block] = expected + votes.expected * part, conversions + votes.conversions
        return {
            block: min(1.0, (conversions + RATIO_PSEUDO_COUNT) / (expected + RATIO_PSEUDO_COUNT))
            for block, (expected, conversions) in due.items()
        }

    def update(
        self,
        now_minute: int,
        delays: ConversionDelays,
        surplus: Sequence[tuple["ConversionRatios", Mapping[int, float]]] = (),
    ) -> None:
        """Computes the ratios of the last `GUARD_FINE_MINUTES`; those of the minutes before stay as they are.
        `surplus`: of the votes that others have added here, the shares by block that are left out.
        """
        first = now_minute - GUARD_FINE_MINUTES
        oldest = now_minute - GUARD_WEIGHT_MINUTES
        settled = {minute: ratio for minute, ratio in self._ratios.items() if oldest < minute < first}
        self._forget_votes(first)
        self._ratios = {}
        self.version += 1
        padding = [0.0] * RATIO_SPAN_MIN
        due, conversions = [*padding], [*padding]
        span = range(first - RATIO_SPAN_MIN, now_minute + 1)
        for minute in span:
            votes = self._votes.get(minute)
            if votes is None:
                due.append(0.0)
                conversions.append(0.0)
            else:
                due.append(votes.expected * delays.share_by(now_minute - minute))
                conversions.append(votes.conversions)
        for others, shares in surplus:
            for at, minute in enumerate(span):
                votes, share = others._votes.get(minute), shares.get(minute // RATIO_BLOCK_MIN, 0.0)
                if votes is not None and share > 0:
                    due[len(padding) + at] -= share * votes.expected * delays.share_by(now_minute - minute)
                    conversions[len(padding) + at] -= share * votes.conversions
        due += padding
        conversions += padding
        width = 2 * RATIO_SPAN_MIN + 1
        due_sum, conversions_sum = sum(due[: width - 1]), sum(conversions[: width - 1])
        for at, minute in enumerate(span):
            due_sum += due[at + width - 1]
            conversions_sum += conversions[at + width - 1]
            if due_sum > 0.1:
                self._ratios[minute] = self._ratio_of(conversions_sum, due_sum)
            due_sum -= due[at]
            conversions_sum -= conversions[at]
        self._ratios.update(settled)

    def _forget_votes(self, first_minute: int) -> None:
        for minute in [minute for minute in self._votes if minute < first_minute]:
            del self._votes[minute]

    def _ratio_of(self, conversions: float, due: float) -> float:
        conversions = max(0.0, conversions)  # a running sum of fractions ends a little below 0
        if self._is_excuse:
            return min(1.0, (conversions + RATIO_PSEUDO_COUNT) / (due + RATIO_PSEUDO_COUNT))
        return min(1.0, max(0.0, conversions - sqrt(conversions) - 1.0) / due)

    def ratio(self, minute: int) -> float:
        """Where nothing is known, nothing is due; or, of an excuse, nothing is excused."""
        return self._ratios.get(minute, 1.0 if self._is_excuse else 0.0)
