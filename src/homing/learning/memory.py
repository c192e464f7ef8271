"""The memory of one carrier in one cell: cohorts by minute of submit, and a decayed sum of older ones. Pure.

There are three channels: conversions, receipts, and repeats (another message that the same number requested within
minutes, repeats.py). In each, a cohort has successes and an exposure: its messages, each weighted by the share of
results that has come by its age (`DelayCurve`). A message whose code has left again in another one is withdrawn from
its cohort, and leaves the exposure that it had by then (superseded.py).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from homing import limits
from homing.learning.delays import DelayBounds
from homing.learning.repeats import RepeatTerms

LEARN_FINE_MINUTES: Final = 17  # latest minutes, each of which is a cohort
LEARN_COARSE_MINUTES: Final = 10  # length of an older cohort
LEARN_COHORTS_S_MAX: Final = 21_600.0  # an older cohort counts in full, whatever its delays

CONVERSIONS: Final = 0
RECEIPTS: Final = 1
REPEATS: Final = 2
CHANNELS: Final = (CONVERSIONS, RECEIPTS, REPEATS)
WINDOWS_MIN: Final = (1, 2, 4, 8, 16)
"""Lengths of the windows in which a change is looked for: minutes back, the current one included."""
CUT_RETAINED: Final = 0.02
"""The part of older data that stays after a cut."""
CUT_RETAINED_MAX: Final = 5.0  # messages

COMPLETE_SHARE: Final = 0.98
"""What the curve says is believed from here on, whatever the reports of the same minutes say."""
FRESH_MIN: Final = 3  # minutes of which it matters when within the minute a message was sent
Cohort = list[float]
"""Sent, converted, delivered, withdrawn and settled (of conversions' exposure alone), repeated."""
SENT, CONVERTED, DELIVERED, WITHDRAWN, SETTLED, REPEATED = range(6)
SUCCESSES: Final = (CONVERTED, DELIVERED, REPEATED)
"""By channel: the index of its successes in a cohort."""
Progress = Mapping[int, float]
"""By LEARN_COARSE_MINUTES minutes: the share of an app's conversions that have come."""
NO_PROGRESS: Final[Progress] = {}
Segment = tuple[float, float, float]
"""Sent from, until (unix seconds), and how many messages."""
WindowSums = tuple[float, float, float, float]
"""Successes, trials, and the lower and upper bound of the trials."""


class ChannelSums(msgspec.Struct, gc=False):
    """One channel's `successes` of an exposure of `trials`, and the same for each of WINDOWS_MIN with bounds of the
    exposure, since it is not known how delays lie inside a bucket.

    `claimed`: the part of the trials that the carrier's receipts report as delivered.
    """

    successes: float = 0.0
    trials: float = 0.0
    windows: tuple[WindowSums, ...] = ()
    claimed: float = 0.0


class _PastSums(msgspec.Struct, gc=False):
    """The decayed sum of one channel's mature cohorts."""

    successes: float = 0.0
    trials: float = 0.0
    claimed: float = 0.0

    def scale(self, factor: float) -> None:
        self.successes *= factor
        self.trials *= factor
        self.claimed *= factor


class CarrierMemory:
    """One carrier in one cell. `prior_factor` multiplies the prior mean after a change, and decays towards 1.

    `sums` are by channel. Those of conversions include what repeats say in their place; `reported` are conversions as
    customers report them.
    """

    __slots__ = (
        "_coarse",
        "_fine",
        "_past",
        "_progress",
        "_repeats_from",
        "_segments",
        "_unplaced",
        "_updated_s",
        "cut_from",
        "factor_s",
        "prior_factor",
        "reported",
        "sums",
    )

    def __init__(self, now_s: float) -> None:
        self._fine: dict[int, Cohort] = {}  # by minute
        self._coarse: dict[int, Cohort] = {}  # by LEARN_COARSE_MINUTES minutes
        self._past = (_PastSums(), _PastSums(), _PastSums())  # by channel
        self._progress: Progress = NO_PROGRESS
        self._repeats_from: int | None = None  # the minute since which repeats are observed; None: they are not
        self._unplaced: dict[int, float] = {}  # messages sent since the last update, by minute
        self._segments: dict[int, list[Segment]] = {}  # of the latest minutes: when messages were sent
        self._updated_s = now_s
        self.cut_from = [0, 0, 0]  # by channel: cohorts before this minute are forgotten but for CUT_RETAINED
        self.prior_factor = 1.0
        self.factor_s = now_s
        self.sums = (ChannelSums(), ChannelSums(), ChannelSums())
        self.reported = self.sums[CONVERSIONS]

    def observe(
        self,
        minute: int,
        now_minute: int,
        sent: int,
        converted: int,
        delivered: int,
        repeated: int = 0,
        *,
        past_weight: float,
        past_exposure: float,
    ) -> None:
        """Counts events of a minute's cohort.

        Where the cohort is part of the decayed sum already, events count with `past_weight`, and sent messages with
        `past_exposure`: 0 while the app was not reporting.
        """
        age = now_minute - minute
        if age < LEARN_FINE_MINUTES:
            cohorts, key = self._fine, minute
        elif age * 60 < LEARN_COHORTS_S_MAX:
            cohorts, key = self._coarse, minute // LEARN_COARSE_MINUTES
        else:
            self._add_to_past(minute, [sent, converted, delivered, 0.0, 0.0, repeated], past_weight, past_exposure)
            return
        cohort = cohorts.get(key)
        if cohort is None:
            cohort = cohorts[key] = _new_cohort()
        cohort[SENT] += sent
        if sent and age < FRESH_MIN:
            self._unplaced[minute] = self._unplaced.get(minute, 0.0) + sent
        cohort[CONVERTED] += converted
        cohort[DELIVERED] += delivered
        cohort[REPEATED] += repeated

    def withdraw(self, minute: int, now_minute: int, withdrawn: float, settled: float, *, past_weight: float) -> None:
        """Takes `withdrawn` messages out of the exposure to conversions of a minute's cohort, and leaves `settled` of
        it. Where the cohort is part of the decayed sum already, with `past_weight`.
        """
        age = now_minute - minute
        if age < LEARN_FINE_MINUTES:
            cohort = self._fine.setdefault(minute, _new_cohort())
        elif age * 60 < LEARN_COHORTS_S_MAX:
            cohort = self._coarse.setdefault(minute // LEARN_COARSE_MINUTES, _new_cohort())
        else:
            past = self._past[CONVERSIONS]
            retained = past_weight if minute >= self.cut_from[CONVERSIONS] else past_weight * CUT_RETAINED
            past.trials = max(0.0, past.trials - (withdrawn - settled) * retained)
            return
        cohort[WITHDRAWN] += withdrawn
        cohort[SETTLED] += settled

    def _add_to_past(self, minute: int, cohort: Cohort, weight: float, exposure: float) -> None:
        """`exposure`: 0..1, of the cohort's messages in the channel of conversions."""
        sent, converted, delivered = cohort[SENT], cohort[CONVERTED], cohort[DELIVERED]
        conversions, receipts, repeats = self._past
        retained = weight if minute >= self.cut_from[CONVERSIONS] else weight * CUT_RETAINED
        trials = _exposure_of(cohort, exposure)
        conversions.successes += converted * retained
        conversions.trials += trials * retained
        conversions.claimed += delivered * retained * (trials / sent if sent > 0 else exposure)
        retained = weight if minute >= self.cut_from[RECEIPTS] else weight * CUT_RETAINED
        receipts.successes += delivered * retained
        receipts.trials += sent * retained
        if self._repeats_from is not None and minute >= self._repeats_from:
            retained = weight if minute >= self.cut_from[REPEATS] else weight * CUT_RETAINED
            repeats.successes += cohort[REPEATED] * retained
            repeats.trials += sent * retained
            repeats.claimed += delivered * retained

    def update(
        self,
        now_s: float,
        reported_until_s: float,
        conversion_delays: DelayBounds,
        receipt_delays: DelayBounds,
        repeat_terms: RepeatTerms | None,
        half_life_s: float,
        progress: Progress = NO_PROGRESS,
    ) -> None:
        """Ages the cohorts and calculates `sums`. Conversions are complete up to `reported_until_s`, receipts and
        repeats up to `now_s`. `repeat_terms` None: the app's repeats are not observed. `progress`: the shares of
        conversions that have come, in place of the curve.
        """
        self._progress = progress
        self._repeats_from = None if repeat_terms is None else repeat_terms.from_minute
        if repeat_terms is None:
            self._past[REPEATS].scale(0.0)
        self._place(now_s)
        self._age(now_s, reported_until_s, conversion_delays, receipt_delays, half_life_s)
        now_minute = int(now_s // 60)
        self.reported = conversions = self._sum(CONVERSIONS, conversion_delays, reported_until_s, now_minute)
        repeats = ChannelSums()
        if repeat_terms is not None:
            repeats = self._sum(REPEATS, repeat_terms.curves, now_s, now_minute)
            if repeat_terms.scale is None:
                conversions = _arrivals(repeats, repeat_terms.share)
            elif repeat_terms.share > 0.0:
                conversions = self._with_repeats(
                    conversions, conversion_delays, reported_until_s, repeat_terms, repeat_terms.scale, now_s
                )
        self.sums = conversions, self._sum(RECEIPTS, receipt_delays, now_s, now_minute), repeats

    def _with_repeats(
        self,
        conversions: ChannelSums,
        conversion_delays: DelayBounds,
        reported_until_s: float,
        terms: RepeatTerms,
        scale: float,
        now_s: float,
    ) -> ChannelSums:
        """Conversions, and of the part of each cohort whose conversions have not come yet what its repeats say."""
        since = max(self.cut_from[CONVERSIONS], self.cut_from[REPEATS], terms.from_minute)
        successes, trials, claimed = conversions.successes, conversions.trials, conversions.claimed
        for minute, minutes, cohort in self.cohorts():
            sent = cohort[SENT]
            if minute < since or sent <= 0:
                continue
            start_s, width_s = minute * 60.0, minutes * 60.0
            oldest_s = reported_until_s - start_s
            reported = conversion_delays.mean_between(oldest_s - width_s, oldest_s)[0]
            open_share = 1.0 - self._come(minute, reported)
            if open_share <= 0.0:
                continue
            oldest_s = now_s - start_s
            weight = open_share * terms.share * terms.curves.mean_between(oldest_s - width_s, oldest_s)[0]
            trials += weight * sent
            successes += (weight * sent - open_share * cohort[REPEATED]) * scale
            claimed += weight * cohort[DELIVERED]
        return ChannelSums(successes, trials, conversions.windows, claimed)

    def _come(self, minute: int, share: float) -> float:
        """The share of conversions that has come of a minute's messages. `share`: by the curve."""
        if share >= COMPLETE_SHARE:
            return share
        return self._progress.get(minute // LEARN_COARSE_MINUTES, share)

    def cohorts(self) -> Iterator[tuple[int, int, Cohort]]:
        """The first minute of each, its length in minutes, and the cohort."""
        for minute, cohort in self._fine.items():
            yield minute, 1, cohort
        for block, cohort in self._coarse.items():
            yield block * LEARN_COARSE_MINUTES, LEARN_COARSE_MINUTES, cohort

    def _sum(self, channel: int, curves: DelayBounds, until_s: float, now_minute: int) -> ChannelSums:
        since, index = self.cut_from[channel], SUCCESSES[channel]
        if channel == REPEATS:
            since = max(since, self._repeats_from or 0)
        complete_s = curves.lower.complete_s
        cohorts: list[tuple[int, float, float, float, float]] = []
        claimed = 0.0
        for minute, cohort in self._fine.items():
            if minute < since:
                continue
            sent = cohort[SENT]
            if until_s - minute * 60.0 - 60.0 >= complete_s:
                likely = lower = upper = sent
            else:
                likely, lower, upper = self._exposures(minute, sent, curves, until_s)
            if channel == CONVERSIONS and self._progress:
                come = self._come(minute, likely / sent if sent > 0 else 1.0) * sent
                likely, lower, upper = come, min(lower, come), max(upper, come)
            if channel == CONVERSIONS and cohort[WITHDRAWN] and sent > 0:
                likely, lower, upper = (_exposure_of(cohort, total / sent) for total in (likely, lower, upper))
                lower, upper = min(lower, likely), max(likely, upper)
            cohorts.append((now_minute - minute if minute < now_minute else 0, cohort[index], likely, lower, upper))
            if sent > 0:
                claimed += cohort[DELIVERED] * likely / sent
        cohorts.sort()
        successes = trials = trials_min = trials_max = 0.0
        windows: list[WindowSums] = []
        n, count = 0, len(cohorts)
        for length in WINDOWS_MIN:
            while n < count and cohorts[n][0] < length:
                _age, cohort_successes, likely, lower, upper = cohorts[n]
                successes += cohort_successes
                trials += likely
                trials_min += lower
                trials_max += upper
                n += 1
            windows.append((successes, trials, trials_min, trials_max))
        for older in cohorts[n:]:
            successes += older[1]
            trials += older[2]
        width_s = LEARN_COARSE_MINUTES * 60.0
        for block, cohort in self._coarse.items():
            if block * LEARN_COARSE_MINUTES >= since:
                age_s = until_s - block * width_s
                successes += cohort[index]
                share = curves.likely.mean_between(age_s - width_s, age_s)
                if channel == CONVERSIONS and self._progress:
                    share = self._come(block * LEARN_COARSE_MINUTES, share)
                exposed = _exposure_of(cohort, share) if channel == CONVERSIONS else cohort[SENT] * share
                trials += exposed
                if cohort[SENT] > 0:
                    claimed += cohort[DELIVERED] * exposed / cohort[SENT]
        past = self._past[channel]
        return ChannelSums(
            successes + past.successes,
            trials + past.trials,
            tuple(windows),
            claimed + past.claimed,
        )

    def _exposures(self, minute: int, sent: float, curves: DelayBounds, until_s: float) -> tuple[float, float, float]:
        """The exposure of a minute's messages: likely, lower and upper bound."""
        start_s = minute * 60.0
        likely = lower = upper = 0.0
        for first_s, last_s, count in self._segments.get(minute) or ((start_s, start_s + 60.0, sent),):
            share, share_lower, share_upper = curves.mean_between(until_s - last_s, until_s - first_s)
            likely += count * share
            lower += count * share_lower
            upper += count * share_upper
        return likely, lower, upper

    def _place(self, now_s: float) -> None:
        """Messages observed since the last update were sent since then, or else at the end of their minute: traffic
        that jumps from one carrier to another is not spread over its minute.
        """
        for minute, sent in self._unplaced.items():
            start_s, end_s = minute * 60.0, minute * 60.0 + 60.0
            last_s = min(max(now_s, start_s + 1.0), end_s)
            first_s = min(max(self._updated_s, start_s), last_s - limits.LEARN_S) if last_s > start_s else start_s
            segments = self._segments.setdefault(minute, [])
            segment = (max(start_s, first_s), last_s, sent)
            if segments and _have_equal_rates(segments[-1], segment):
                segment = (segments[-1][0], last_s, segments.pop()[2] + sent)
            segments.append(segment)
        self._unplaced.clear()
        oldest = int(now_s // 60) - FRESH_MIN
        if self._segments and min(self._segments) <= oldest:
            self._segments = {minute: segments for minute, segments in self._segments.items() if minute > oldest}

    def _age(
        self,
        now_s: float,
        reported_until_s: float,
        conversion_delays: DelayBounds,
        receipt_delays: DelayBounds,
        half_life_s: float,
    ) -> None:
        """Moves cohorts to coarser ones, and complete (or too old) ones into the decayed sum."""
        decay = 0.5 ** (max(0.0, now_s - self._updated_s) / half_life_s)
        self._updated_s = now_s
        for past in self._past:
            past.scale(decay)
        now_minute = int(now_s // 60)
        for minute in [minute for minute in self._fine if now_minute - minute >= LEARN_FINE_MINUTES]:
            cohort = self._fine.pop(minute)
            coarse = self._coarse.setdefault(minute // LEARN_COARSE_MINUTES, _new_cohort())
            for index, value in enumerate(cohort):
                coarse[index] += value
        complete_s = min(reported_until_s - conversion_delays.lower.complete_s, now_s - receipt_delays.lower.complete_s)
        if self._repeats_from is not None:
            complete_s = 0.0  # reports are late: what they will be of has to be known
        complete_s = max(complete_s, now_s - LEARN_COHORTS_S_MAX)
        width_s = LEARN_COARSE_MINUTES * 60.0
        for block in [block for block in self._coarse if (block + 1) * width_s <= complete_s]:
            age_s = reported_until_s - block * width_s
            exposure = (
                1.0 if reported_until_s >= now_s else conversion_delays.likely.mean_between(age_s - width_s, age_s)
            )
            self._add_to_past(block * LEARN_COARSE_MINUTES, self._coarse.pop(block), 1.0, exposure)

    def cut(self, channel: int, from_minute: int) -> None:
        """Forgets what is older than a minute, but for a small part."""
        self.cut_from[channel] = from_minute
        past = self._past[channel]
        past.scale(min(CUT_RETAINED, CUT_RETAINED_MAX / past.trials) if past.trials > 0 else 0.0)


def _new_cohort() -> Cohort:
    return [0.0] * 6


def _arrivals(repeats: ChannelSums, share: float) -> ChannelSums:
    """Arrivals in place of conversions: each message counts `share`, and one less where it was repeated."""
    trials = repeats.trials * share
    return ChannelSums(max(0.0, trials - repeats.successes), trials, (), repeats.claimed * share)


def _exposure_of(cohort: Cohort, share: float) -> float:
    """To conversions, of which a share has come by the cohort's age. What was withdrawn had no more exposure than that
    when it was (a customer may have stopped reporting since).
    """
    withdrawn = cohort[WITHDRAWN]
    if not withdrawn:
        return cohort[SENT] * share
    return max(0.0, (cohort[SENT] - withdrawn) * share + min(cohort[SETTLED], withdrawn * share))


def _have_equal_rates(before: Segment, segment: Segment) -> bool:
    """Whether traffic continued at about the same rate, so that the two segments can be merged."""
    seconds_before, seconds = max(1.0, before[1] - before[0]), max(1.0, segment[1] - segment[0])
    rate = before[2] / seconds_before
    return abs(segment[2] / seconds - rate) <= 0.5 * rate + 2.0 / seconds
