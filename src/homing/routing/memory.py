"""What is remembered of one carrier in one cell: cohorts by minute of submit, and behind them one decayed sum. Pure.

There are two channels, conversions and receipts. In each a cohort has successes and an exposure: its messages, each
counted by how much its silence says at its age (`Curve`).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from homing import limits
from homing.routing.delays import Curve

CONVERSIONS: Final = 0
RECEIPTS: Final = 1
CHANNELS: Final = (CONVERSIONS, RECEIPTS)
WINDOWS_MIN: Final = (1, 2, 3, 5, 8, 12, 20)
"""Minutes back, the present one included, in which a change is looked for."""
KEPT_OF_CUT: Final = 0.02
KEPT_OF_CUT_MAX: Final = 5.0  # messages

FRESH_MIN: Final = 3  # minutes of which it matters when in the minute a message was sent
Cohort = list[float]  # sent, conversions, delivered
Piece = tuple[float, float, float]  # from, until, sent


class Sums(msgspec.Struct):
    """Of one channel: `successes` of an exposure of `trials`, and the same for each of WINDOWS_MIN."""

    successes: float = 0.0
    trials: float = 0.0
    window_successes: Sequence[float] = ()
    window_trials: Sequence[float] = ()


class Arm:
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
        self._old = [0.0, 0.0, 0.0, 0.0]  # conversions, their trials, delivered, their trials
        self._new: dict[int, float] = {}  # sent, by minute, since the last thought
        self._fresh: dict[int, list[Piece]] = {}  # of the latest minutes, when they were sent
        self._aged_s = now_s
        self.cut_from = [0, 0]  # by channel: cohorts before this minute are as good as forgotten
        self.anchor = 1.0
        self.anchored_s = now_s
        self.seen_s = now_s
        self.sums = (Sums(), Sums())

    def hear(self, minute: int, now_minute: int, sent: int, converted: int, delivered: int, weight_old: float) -> None:
        """Facts about the cohort of a minute; one whose cohort is part of the decayed sum counts with `weight_old`."""
        age = now_minute - minute
        if age < limits.LEARN_FINE_MINUTES:
            cohorts, key = self._fine, minute
        elif age * 60 < limits.LEARN_COHORTS_S_MAX:
            cohorts, key = self._coarse, minute // limits.LEARN_COARSE_MINUTES
        else:
            self._settle(minute, (sent, converted, delivered), weight_old)
            return
        cohort = cohorts.get(key)
        if cohort is None:
            cohort = cohorts[key] = [0.0, 0.0, 0.0]
        cohort[0] += sent
        if sent and age < FRESH_MIN:
            self._new[minute] = self._new.get(minute, 0.0) + sent
        cohort[1] += converted
        cohort[2] += delivered

    def _settle(self, minute: int, cohort: Sequence[float], weight: float) -> None:
        sent, converted, delivered = cohort
        old = self._old
        kept = weight if minute >= self.cut_from[CONVERSIONS] else weight * KEPT_OF_CUT
        old[0] += converted * kept
        old[1] += sent * kept
        kept = weight if minute >= self.cut_from[RECEIPTS] else weight * KEPT_OF_CUT
        old[2] += delivered * kept
        old[3] += sent * kept

    def think(self, now_s: float, until_s: float, converts: Curve, reports: Curve, half_life_s: float) -> None:
        """Ages the cohorts and sums them up. `until_s`: conversions have been heard up to then, receipts up to now."""
        self._place(now_s)
        self._age(now_s, min(until_s - converts.ends_s, now_s - reports.ends_s), half_life_s)
        now_minute = int(now_s // 60)
        fine, (from_converted, from_delivered) = self._fine, self.cut_from
        steps: list[tuple[int, float, float, float, float]] = []
        for minute, (sent, converted, delivered) in fine.items():
            ago = max(0, now_minute - minute)
            start_s = minute * 60.0
            seen = seen_receipts = 0.0
            pieces = self._fresh.get(minute) or ((start_s, start_s + 60.0, sent),)
            if minute >= from_converted:
                for first_s, last_s, count in pieces:
                    seen += count * converts.between(until_s - last_s, until_s - first_s)
            else:
                converted = 0.0
            if minute >= from_delivered:
                for first_s, last_s, count in pieces:
                    seen_receipts += count * reports.between(now_s - last_s, now_s - first_s)
            else:
                delivered = 0.0
            steps.append((ago, converted, seen, delivered, seen_receipts))
        steps.sort()
        totals = [0.0, 0.0, 0.0, 0.0]
        windows: tuple[list[float], ...] = ([], [], [], [])
        at = 0
        for length in WINDOWS_MIN:
            while at < len(steps) and steps[at][0] < length:
                step = steps[at]
                totals[0] += step[1]
                totals[1] += step[2]
                totals[2] += step[3]
                totals[3] += step[4]
                at += 1
            for sums, total in zip(windows, totals, strict=True):
                sums.append(total)
        for step in steps[at:]:
            totals[0] += step[1]
            totals[1] += step[2]
            totals[2] += step[3]
            totals[3] += step[4]
        width_s = limits.LEARN_COARSE_MINUTES * 60.0
        for block, (sent, converted, delivered) in self._coarse.items():
            minute, start_s = block * limits.LEARN_COARSE_MINUTES, block * width_s
            if minute >= from_converted:
                totals[0] += converted
                totals[1] += sent * converts.between(until_s - start_s - width_s, until_s - start_s)
            if minute >= from_delivered:
                totals[2] += delivered
                totals[3] += sent * reports.between(now_s - start_s - width_s, now_s - start_s)
        old = self._old
        self.sums = (
            Sums(totals[0] + old[0], totals[1] + old[1], windows[0], windows[1]),
            Sums(totals[2] + old[2], totals[3] + old[3], windows[2], windows[3]),
        )

    def _place(self, now_s: float) -> None:
        """What was heard since the last thought was sent since then, or else at the end of its minute: traffic that
        leaps from one carrier to another is not spread over its minute.
        """
        for minute, sent in self._new.items():
            start_s, end_s = minute * 60.0, minute * 60.0 + 60.0
            last_s = min(max(now_s, start_s + 1.0), end_s)
            first_s = min(max(self._aged_s, start_s), last_s - limits.LEARN_S) if last_s > start_s else start_s
            self._fresh.setdefault(minute, []).append((max(start_s, first_s), last_s, sent))
        self._new.clear()
        oldest = int(now_s // 60) - FRESH_MIN
        if self._fresh and min(self._fresh) <= oldest:
            self._fresh = {minute: pieces for minute, pieces in self._fresh.items() if minute > oldest}

    def _age(self, now_s: float, ripe_s: float, half_life_s: float) -> None:
        """Cohorts move on to coarser ones, and those that are ripe (or too old) into the decayed sum."""
        kept = 0.5 ** (max(0.0, now_s - self._aged_s) / half_life_s)
        self._aged_s = now_s
        self._old = [value * kept for value in self._old]
        now_minute = int(now_s // 60)
        for minute in [one for one in self._fine if now_minute - one >= limits.LEARN_FINE_MINUTES]:
            cohort = self._fine.pop(minute)
            block = self._coarse.setdefault(minute // limits.LEARN_COARSE_MINUTES, [0.0, 0.0, 0.0])
            for place, value in enumerate(cohort):
                block[place] += value
        ripe_s = max(ripe_s, now_s - limits.LEARN_COHORTS_S_MAX)
        width_s = limits.LEARN_COARSE_MINUTES * 60.0
        for key in [one for one in self._coarse if (one + 1) * width_s <= ripe_s]:
            self._settle(key * limits.LEARN_COARSE_MINUTES, self._coarse.pop(key), 1.0)

    def cut(self, channel: int, from_minute: int) -> None:
        """Forgets what is older than a minute, as good as all of it."""
        self.cut_from[channel] = from_minute
        successes, trials = self._old[channel * 2], self._old[channel * 2 + 1]
        kept = min(KEPT_OF_CUT, KEPT_OF_CUT_MAX / trials) if trials > 0 else 0.0
        self._old[channel * 2], self._old[channel * 2 + 1] = successes * kept, trials * kept
