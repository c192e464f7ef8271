"""Apps of which conversions say little yet: whose people's repeats stand in for them, and how far reports have come.
Pure.

docs/internals/learning.md, section 4, has the formulas.
"""

from collections.abc import Collection, Mapping

import msgspec

from homing.learning.delays import DelayHistograms, Key
from homing.learning.effects import BaseRates
from homing.learning.learned_cell import AppKey, LearnedCell, app_of, conversion_keys, repeat_keys
from homing.learning.memory import NO_PROGRESS, REPEATS, Progress
from homing.learning.policy import LearningPolicy
from homing.learning.repeats import LOST_SOON_BUCKET, REPEAT_LOOKBACK_S, REPEAT_WINDOW_S, AppRepeats, RepeatTerms
from homing.learning.report_progress import ReportProgress
from homing.learning.reporting import REPORTING, AppReporting
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta


class LateEvidence:
    """By app; recalculated in each update of the learner. `apps` is the learner's own, which grows."""

    def __init__(
        self, policy: LearningPolicy, apps: Mapping[AppKey, AppReporting], conversion_delays: DelayHistograms
    ) -> None:
        self._policy = policy
        self._apps = apps
        self._conversion_delays = conversion_delays
        self._repeat_delays = DelayHistograms(msgspec.structs.replace(policy, window_s=REPEAT_WINDOW_S))
        self._repeats: dict[AppKey, AppRepeats] = {}
        self._late: set[AppKey] = set()  # apps of which most conversions come after people ask again
        self._progress: dict[AppKey, Progress] = {}
        self._best_rates: dict[AppKey, float] = {}  # of any ten minutes, decayed
        self._arrival_scales: dict[AppKey, float] = {}  # conversions for each arrival
        self.from_minute: dict[AppKey, int] = {}
        """Of the apps whose repeats are evidence: since when they are observed."""

    def observe(self, key: CellKey, delta: Delta, minute: int) -> None:
        """`minute`: of the delta, or the current one where that lies ahead."""
        lost = delta.undelivered if 0 <= delta.receipt_bucket <= LOST_SOON_BUCKET else 0
        if lost or delta.repeated:
            self._repeats_of(app_of(key)).observe(minute, lost, delta.repeated_lost)
        if delta.repeated and delta.repeat_bucket >= 0:
            self._repeat_delays.add(repeat_keys(key), delta.repeat_bucket, delta.repeated, minute)

    def _repeats_of(self, app_key: AppKey) -> AppRepeats:
        repeats = self._repeats.get(app_key)
        if repeats is None:
            repeats = self._repeats[app_key] = AppRepeats(self._policy)
        return repeats

    def update(self, now_s: float, step_s: float, cells: Collection[LearnedCell], rates: BaseRates) -> None:
        """`step_s`: since the last update; `rates`: of conversions."""
        self._repeat_delays.advance(now_s)
        self._update_repeats(now_s, cells)
        self._update_progress(now_s, step_s, cells, rates)

    def _update_repeats(self, now_s: float, cells: Collection[LearnedCell]) -> None:
        """Whose repeats are evidence: those of apps that do not report conversions, or so late that people without a
        code have asked again long before.
        """
        highest = self._highest_repeats(cells)
        for app_key, app in self._apps.items():
            self._repeats_of(app_key).update(now_s, highest.get(app_key, 0.0))
            curves = self._conversion_delays.curves((("",), app_key))
            is_late = curves.likely.share_at(REPEAT_WINDOW_S) < self._policy.late_share
            if is_late:
                self._late.add(app_key)
            else:
                self._late.discard(app_key)
            if app.status != REPORTING or app.stopped or is_late:
                self.from_minute.setdefault(app_key, int((now_s - REPEAT_LOOKBACK_S) // 60))
            else:
                self.from_minute.pop(app_key, None)

    def _highest_repeats(self, cells: Collection[LearnedCell]) -> Mapping[AppKey, float]:
        """By app, the largest share of a carrier's messages that is repeated."""
        sums: dict[tuple[AppKey, int], list[float]] = {}
        for cell in cells:
            app_key = app_of(cell.key)
            if app_key in self.from_minute:
                for carrier_id, memory in cell.memories.items():
                    pair = sums.setdefault((app_key, carrier_id), [0.0, 0.0])
                    pair[0] += memory.sums[REPEATS].successes
                    pair[1] += memory.sums[REPEATS].trials
        highest: dict[AppKey, float] = {}
        for (app_key, _carrier_id), (repeated, trials) in sums.items():
            share = repeated / (trials + self._policy.repeat_strength)
            highest[app_key] = max(share, highest.get(app_key, 0.0))
        return highest

    def _update_progress(self, now_s: float, step_s: float, cells: Collection[LearnedCell], rates: BaseRates) -> None:
        """Of apps that report late or have stopped: how much has come of the conversions of each ten minutes, and how
        many conversions an arrival stands for, which is of the same messages.
        """
        sums: dict[AppKey, ReportProgress] = {}
        for cell in cells:
            app_key = app_of(cell.key)
            app, terms = self._apps[app_key], self.terms(cell.key)
            if terms is None or app.reported_s is None:
                continue
            progress = sums.setdefault(app_key, ReportProgress())
            curve = self._conversion_delays.curves((("",), app_key))
            for memory in cell.memories.values():
                progress.add(memory, curve, terms, app.complete_until_s(now_s), now_s, self.progress(cell.key))
        self._progress.clear()
        strength = self._policy.effect_strength
        decay = 0.5 ** (step_s / self._policy.half_life_s)
        for app_key, progress in sums.items():
            best_rate = max(progress.best_rate(strength), decay * self._best_rates.get(app_key, self._policy.base_rate))
            self._best_rates[app_key] = best_rate
            if app_key in self._late:
                self._progress[app_key] = progress.shares(best_rate, strength)
            before = self._arrival_scales.get(app_key, rates.rate(*app_key))
            self._arrival_scales[app_key] = progress.scale(before, strength)

    def terms(self, key: CellKey) -> RepeatTerms | None:
        """How the repeats of a cell's app count; None: they do not."""
        app_key = app_of(key)
        from_minute = self.from_minute.get(app_key)
        if from_minute is None:
            return None
        repeats = self._repeats[app_key]
        return RepeatTerms(
            self._repeat_delays.curves(repeat_keys(key)),
            from_minute,
            repeats.share if repeats.is_known else 0.0,
            None if self._apps[app_key].reported_s is None else self._arrival_scales.get(app_key, 1.0),
        )

    def progress(self, key: CellKey) -> Progress:
        """How far the reports of a cell's app have come, where they are late."""
        return self._progress.get(app_of(key), NO_PROGRESS)

    def is_known(self, app_key: AppKey) -> bool:
        """Whether repeats are evidence of an app's carriers, since its people are known to ask again."""
        return app_key in self.from_minute and self._repeats[app_key].is_known

    def share(self, key: CellKey) -> float:
        """Of people of a cell's app without a code, those who ask again."""
        return self._repeats[app_of(key)].share

    def curve_keys(self, key: CellKey, carrier_id: int) -> tuple[Key, ...]:
        """Where conversions are reported late it is the customer that is slow, with all carriers alike: a curve of each
        carrier would follow its traffic, since of a carrier that has just grown the short delays come first.
        """
        keys = conversion_keys(key, carrier_id)
        return keys[:2] if app_of(key) in self._late else keys
