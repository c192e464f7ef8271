"""What is remembered of one carrier in one cell: cohorts by minute of submit, and behind them one decayed sum. Pure.

There are two channels, conversions and receipts. In each a cohort has successes and an exposure: its messages, each
counted by how much its silence says at its age (`DelayCurve`).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from homing import limits
from homing.learning.delays import DelayBounds

LEARN_FINE_MINUTES: Final = 17  # minutes of which each is a cohort of its own
LEARN_COARSE_MINUTES: Final = 10  # minutes that older cohorts span
LEARN_COHORTS_S_MAX: Final = 21_600.0  # an older cohort counts in full, whatever its conversions' times


CONVERSIONS: Final = 0
RECEIPTS: Final = 1
CHANNELS: Final = (CONVERSIONS, RECEIPTS)
WINDOWS_MIN: Final = (1, 2, 4, 8, 16)
"""Minutes back, the present one included, in which a change is looked for."""
KEPT_OF_CUT: Final = 0.02
KEPT_OF_CUT_MAX: Final = 5.0  # messages

FRESH_MIN: Final = 3  # minutes of which it matters when in the minute a message was sent
Cohort = list[float]  # sent, conversions, delivered
Piece = tuple[float, float, float]  # from, until, sent
Total = tuple[float, float, float, float]  # successes, trials, and what these are at least and at most


class ChannelSums(msgspec.Struct, gc=False):
    """Of one channel: `successes` of an exposure of `trials`, and the same for each of WINDOWS_MIN, with as few trials
    and as many as there may be: nobody knows how times lie inside a bucket.
    """

    successes: float = 0.0
    trials: float = 0.0
    windows: Sequence[Total] = ()
    told: float = 0.0  # of the conversions' channel: those of the trials that the carrier's receipts call delivered


class CarrierMemory:
    """One carrier in one cell. `anchor` multiplies the prior mean after a change, and fades."""

    __slots__ = (
        "_aged_s",
        "_coarse",
        "_fine",
        "_fresh",
        "_new",
        "_old",
        "anchor",
        "anchored_s",
        "cut_from",
        "seen_s",
        "sums",
    )

    def __init__(self, now_s: float) -> None:
        self._fine: dict[int, Cohort] = {}  # by minute
        self._coarse: dict[int, Cohort] = {}  # by LEARN_COARSE_MINUTES minutes
        self._old = [0.0, 0.0, 0.0, 0.0, 0.0]  # conversions, their trials, delivered, their trials, told
        self._new: dict[int, float] = {}  # sent, by minute, since the last thought
        self._fresh: dict[int, list[Piece]] = {}  # of the latest minutes, when they were sent
        self._aged_s = now_s
        self.cut_from = [0, 0]  # by channel: cohorts before this minute are as good as forgotten
        self.anchor = 1.0
        self.anchored_s = now_s
        self.seen_s = now_s
        self.sums = (ChannelSums(), ChannelSums())

    def hear(
        self, minute: int, now_minute: int, sent: int, converted: int, delivered: int, weight_old: float, seen: float
    ) -> None:
        """Facts about the cohort of a minute; one whose cohort is part of the decayed sum counts with `weight_old`, and
        its silence by the share `seen`: 0 where nobody reported.
        """
        age = now_minute - minute
        if age < LEARN_FINE_MINUTES:
            cohorts, key = self._fine, minute
        elif age * 60 < LEARN_COHORTS_S_MAX:
            cohorts, key = self._coarse, minute // LEARN_COARSE_MINUTES
        else:
            self._settle(minute, (sent, converted, delivered), weight_old, seen)
            return
        cohort = cohorts.get(key)
        if cohort is None:
            cohort = cohorts[key] = [0.0, 0.0, 0.0]
        cohort[0] += sent
        if sent and age < FRESH_MIN:
            self._new[minute] = self._new.get(minute, 0.0) + sent
        cohort[1] += converted
        cohort[2] += delivered

    def _settle(self, minute: int, cohort: Sequence[float], weight: float, seen: float) -> None:
        """`seen`: how far the silence of its messages says something. In full, but where nobody reported."""
        sent, converted, delivered = cohort
        old = self._old
        kept = weight if minute >= self.cut_from[CONVERSIONS] else weight * KEPT_OF_CUT
        old[0] += converted * kept
        old[1] += sent * kept * seen
        old[4] += delivered * kept * seen
        kept = weight if minute >= self.cut_from[RECEIPTS] else weight * KEPT_OF_CUT
        old[2] += delivered * kept
        old[3] += sent * kept

    def think(
        self, now_s: float, until_s: float, converts: DelayBounds, reports: DelayBounds, half_life_s: float
    ) -> None:
        """Ages the cohorts and sums them up. `until_s`: conversions have been heard up to then, receipts up to now."""
        self._place(now_s)
        self._age(now_s, until_s, converts, reports, half_life_s)
        now_minute = int(now_s // 60)
        self.sums = (
            self._sum(CONVERSIONS, converts, until_s, now_minute),
            self._sum(RECEIPTS, reports, now_s, now_minute),
        )

    def _sum(self, channel: int, curves: DelayBounds, until_s: float, now_minute: int) -> ChannelSums:
        since, place = self.cut_from[channel], channel + 1
        ripe_s = curves.least.ends_s
        steps: list[tuple[int, float, float, float, float]] = []
        told = 0.0
        for minute, cohort in self._fine.items():
            if minute < since:
                continue
            sent = cohort[0]
            if until_s - minute * 60.0 - 60.0 >= ripe_s:
                likely = least = most = sent
            else:
                likely, least, most = self._seen(minute, sent, curves, until_s)
            steps.append((now_minute - minute if minute < now_minute else 0, cohort[place], likely, least, most))
            if sent > 0:
                told += cohort[2] * likely / sent
        steps.sort()
        came = trials = least = most = 0.0
        windows: list[Total] = []
        at, count = 0, len(steps)
        for length in WINDOWS_MIN:
            while at < count and steps[at][0] < length:
                _ago, step_came, step_trials, step_least, step_most = steps[at]
                came += step_came
                trials += step_trials
                least += step_least
                most += step_most
                at += 1
            windows.append((came, trials, least, most))
        for step in steps[at:]:
            came += step[1]
            trials += step[2]
        width_s = LEARN_COARSE_MINUTES * 60.0
        for block, cohort in self._coarse.items():
            if block * LEARN_COARSE_MINUTES >= since:
                age_s = until_s - block * width_s
                came += cohort[place]
                share = curves.likely.between(age_s - width_s, age_s)
                trials += cohort[0] * share
                told += cohort[2] * share
        old = self._old
        return ChannelSums(came + old[channel * 2], trials + old[channel * 2 + 1], windows, told + old[4])

    def _seen(self, minute: int, sent: float, curves: DelayBounds, until_s: float) -> tuple[float, float, float]:
        """A minute's messages, each as far as its silence says something: likely, at least and at most."""
        start_s = minute * 60.0
        likely = least = most = 0.0
        for first_s, last_s, count in self._fresh.get(minute) or ((start_s, start_s + 60.0, sent),):
            share, share_least, share_most = curves.between(until_s - last_s, until_s - first_s)
            likely += count * share
            least += count * share_least
            most += count * share_most
        return likely, least, most

    def _place(self, now_s: float) -> None:
        """What was heard since the last thought was sent since then, or else at the end of its minute: traffic that
        leaps from one carrier to another is not spread over its minute.
        """
        for minute, sent in self._new.items():
            start_s, end_s = minute * 60.0, minute * 60.0 + 60.0
            last_s = min(max(now_s, start_s + 1.0), end_s)
            first_s = min(max(self._aged_s, start_s), last_s - limits.LEARN_S) if last_s > start_s else start_s
            pieces = self._fresh.setdefault(minute, [])
            piece = (max(start_s, first_s), last_s, sent)
            if pieces and _is_even(pieces[-1], piece):
                piece = (pieces[-1][0], last_s, pieces.pop()[2] + sent)
            pieces.append(piece)
        self._new.clear()
        oldest = int(now_s // 60) - FRESH_MIN
        if self._fresh and min(self._fresh) <= oldest:
            self._fresh = {minute: pieces for minute, pieces in self._fresh.items() if minute > oldest}

    def _age(
        self, now_s: float, until_s: float, converts: DelayBounds, reports: DelayBounds, half_life_s: float
    ) -> None:
        """Cohorts move on to coarser ones, and those that are ripe (or too old) into the decayed sum."""
        kept = 0.5 ** (max(0.0, now_s - self._aged_s) / half_life_s)
        self._aged_s = now_s
        self._old = [value * kept for value in self._old]
        now_minute = int(now_s // 60)
        for minute in [one for one in self._fine if now_minute - one >= LEARN_FINE_MINUTES]:
            cohort = self._fine.pop(minute)
            block = self._coarse.setdefault(minute // LEARN_COARSE_MINUTES, [0.0, 0.0, 0.0])
            for place, value in enumerate(cohort):
                block[place] += value
        ripe_s = min(until_s - converts.least.ends_s, now_s - reports.least.ends_s)
        ripe_s = max(ripe_s, now_s - LEARN_COHORTS_S_MAX)
        width_s = LEARN_COARSE_MINUTES * 60.0
        for key in [one for one in self._coarse if (one + 1) * width_s <= ripe_s]:
            start_s = key * width_s
            seen = 1.0 if until_s >= now_s else converts.likely.between(until_s - start_s - width_s, until_s - start_s)
            self._settle(key * LEARN_COARSE_MINUTES, self._coarse.pop(key), 1.0, seen)

    def cut(self, channel: int, from_minute: int) -> None:
        """Forgets what is older than a minute, as good as all of it."""
        self.cut_from[channel] = from_minute
        successes, trials = self._old[channel * 2], self._old[channel * 2 + 1]
        kept = min(KEPT_OF_CUT, KEPT_OF_CUT_MAX / trials) if trials > 0 else 0.0
        self._old[channel * 2], self._old[channel * 2 + 1] = successes * kept, trials * kept
        if channel == CONVERSIONS:
            self._old[4] *= kept


def _is_even(before: Piece, piece: Piece) -> bool:
    """Whether traffic went on at about the same pace, so that the two are as good as one."""
    seconds_before, seconds = max(1.0, before[1] - before[0]), max(1.0, piece[1] - piece[0])
    pace = before[2] / seconds_before
    return abs(piece[2] / seconds - pace) <= 0.5 * pace + 2.0 / seconds
