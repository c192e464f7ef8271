"""How far a customer has come with its reports of conversions, where they are late or in bulk. Pure.

The curve of delays says what has come of messages of an age, as exactly as its buckets are narrow. A report in bulk is
of all ages at once: then more has come of fresh messages. So the reports of all carriers together say how far they are.
"""

from homing.learning.delays import DelayBounds
from homing.learning.memory import CONVERTED, LEARN_COARSE_MINUTES, REPEATED, SENT, CarrierMemory, Progress
from homing.learning.repeats import RepeatTerms


class ReportProgress:
    """Sums over all carriers and cells of an app."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[float]] = {}  # conversions, messages, those the curve expects
        self._reported = 0.0  # conversions of messages whose repeats are observed
        self._arrived = 0.0  # of the same messages, those that arrived and whose reports have come

    def add(
        self,
        memory: CarrierMemory,
        curve: DelayBounds,
        terms: RepeatTerms,
        reported_until_s: float,
        now_s: float,
        known: Progress,
    ) -> None:
        """`curve`: of the app's delays to the conversion. `known`: the last `shares`."""
        for minute, minutes, cohort in memory.cohorts():
            sent, converted, width_s = cohort[SENT], cohort[CONVERTED], minutes * 60.0
            oldest_s = reported_until_s - minute * 60.0
            share = curve.mean_between(oldest_s - width_s, oldest_s)[0]
            block = self._blocks.setdefault(minute // LEARN_COARSE_MINUTES, [0.0, 0.0, 0.0])
            block[0] += converted
            block[1] += sent
            block[2] += sent * share
            if minute >= terms.from_minute and terms.share > 0.0:
                oldest_s = now_s - minute * 60.0
                exposed = terms.share * sent * terms.curves.mean_between(oldest_s - width_s, oldest_s)[0]
                come = max(share, known.get(minute // LEARN_COARSE_MINUTES, 0.0))
                self._reported += converted
                self._arrived += come * (exposed - cohort[REPEATED]) / terms.share

    def best_rate(self, strength: float) -> float:
        """The highest rate of conversions of any block, which is the one that has come furthest; messages without any
        count as `strength`.
        """
        rates = [reported / (sent + strength) for reported, sent, _come in self._blocks.values() if sent >= reported]
        return max(rates, default=0.0)

    def shares(self, rate: float, strength: float) -> Progress:
        """By LEARN_COARSE_MINUTES minutes the share of conversions that has come, 0..1, where a message converts with
        `rate` at last; what the curve says counts as much as `strength` expected conversions.
        """
        return {
            block: min(1.0, (reported + strength * come / sent) / (sent * rate + strength))
            for block, (reported, sent, come) in self._blocks.items()
            if sent > 0.0
        }

    def scale(self, before: float, strength: float) -> float:
        """How many conversions an arrival stands for; `before` counts as much as `strength` arrivals."""
        return (self._reported + strength * before) / (max(0.0, self._arrived) + strength)
