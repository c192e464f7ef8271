"""The routing learner: each carrier's conversion rate in each cell, as posteriors. Pure.

docs/internals/learning.md has the formulas. A cell is an app of an account and a network. The learner observes deltas;
an update ages what it remembers, looks for changes of carriers, and recalculates rates, effects and priors. Deltas and
updates carry their own times, so that it runs on a virtual clock as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Final

import msgspec

from homing.learning.changes import CarrierChange, ChangeSample, samples_of, strongest, window_of
from homing.learning.delays import DelayHistograms, Key
from homing.learning.effects import BaseRates, CarrierEffects
from homing.learning.fake_receipts import ReceiptYield
from homing.learning.memory import (
    CHANNELS,
    CONVERSIONS,
    NO_PROGRESS,
    RECEIPTS,
    REPEATS,
    CarrierMemory,
    ChannelSums,
    Progress,
)
from homing.learning.outlook import AGES_S, REACHED_MAX, TRIALS_MIN, CarrierOutlook, Outlook, willingness
from homing.learning.policy import LearningPolicy
from homing.learning.posterior import Posterior, interval
from homing.learning.repeats import LOST_SOON_BUCKET, REPEAT_LOOKBACK_S, REPEAT_WINDOW_S, AppRepeats, RepeatTerms
from homing.learning.report_progress import ReportProgress
from homing.learning.reporting import REPORTING, SILENT, UNKNOWN, AppReporting
from homing.learning.superseded import withdrawal
from homing.learning.trust import ReceiptTrust
from homing.model import GENERAL, ReceiptState
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

LEARN_CELLS_MAX: Final = 5_000  # in memory
LEARN_ACTIVE_S: Final = 3_600.0  # a cell without traffic for so long gets no shares of its own
PRIOR_FACTOR_MIN: Final = 0.05
PRIOR_FACTOR_MAX: Final = 3.0
RATE_RISE_HALF_LIFE_S: Final = 3_600.0
RATE_FALL_HALF_LIFE_S: Final = 4 * 86_400.0


class _Cell:
    __slots__ = ("block", "key", "last_sent_s", "memories", "sustained_rate")

    def __init__(self, key: CellKey, now_s: float) -> None:
        self.key = key
        self.memories: dict[int, CarrierMemory] = {}  # by carrier id
        self.last_sent_s = now_s
        self.block = ""
        self.sustained_rate: float | None = None  # the rate of genuine messages, which changes slowly


class RoutingLearner:
    """Observes deltas, is updated every limits.LEARN_S, and gives posteriors. Not thread-safe."""

    def __init__(self, policy: LearningPolicy | None = None) -> None:
        self._policy = policy or LearningPolicy()
        self._now_s = 0.0
        self._cells: dict[CellKey, _Cell] = {}
        self._apps: dict[tuple[int, str], AppReporting] = {}
        self._declared: dict[str, bool | None] = {}
        self._conversion_delays = DelayHistograms(self._policy)
        self._receipt_delays = DelayHistograms(self._policy)
        self._repeat_delays = DelayHistograms(msgspec.structs.replace(self._policy, window_s=REPEAT_WINDOW_S))
        self._repeats: dict[tuple[int, str], AppRepeats] = {}
        self._repeats_from: dict[tuple[int, str], int] = {}  # minute, of apps whose repeats are evidence
        self._late: set[tuple[int, str]] = set()  # apps of which most conversions come after people ask again
        self._progress: dict[tuple[int, str], Progress] = {}
        self._best_rates: dict[tuple[int, str], float] = {}  # of any ten minutes, decayed
        self._arrival_scales: dict[tuple[int, str], float] = {}  # conversions for each arrival
        self._rates = (
            BaseRates(self._policy.base_rate, self._policy.base_strength),
            BaseRates(self._policy.base_delivered, self._policy.base_strength),
            BaseRates(self._policy.base_repeats, self._policy.base_strength),
        )
        cap = self._policy.account_cap  # receipts come from carriers: no customer can invent them
        self._effects = (
            CarrierEffects(self._policy, cap),
            CarrierEffects(self._policy, float("inf")),
            CarrierEffects(self._policy, cap),
        )
        self._trust = ReceiptTrust(self._policy)
        self._prior_means: dict[tuple[CellKey, int, int], tuple[float, float]] = {}  # cache of `_prior_mean`
        self._outlooks: dict[CellKey, Outlook | None] = {}  # cache of `outlook`
        self._strengths = [self._policy.homogeneity for _channel in CHANNELS]
        self._sustained_s: float | None = None

    def declare(self, app_id: str, expects: bool | None) -> None:
        """Whether an app reports conversions, as its settings say; None: decided by its traffic."""
        self._declared[app_id] = expects
        for (_account_id, app), reporting in self._apps.items():
            if app == app_id:
                reporting.declared = expects

    def begin_restore(self, now_s: float, reported: Mapping[tuple[int, str], float]) -> None:
        """To be called before `restore`. `now_s`: the end of the past that is restored; `reported`: by (account_id,
        app_id) the end of the last period with conversions. Messages sent after that are no evidence until a conversion
        is reported, or until some time has passed without.
        """
        self._now_s = now_s
        for (account_id, app_id), reported_s in reported.items():
            reporting = self._apps[account_id, app_id] = AppReporting(self._policy, self._declared.get(app_id))
            reporting.restore(min(reported_s, now_s), now_s)
            self._repeats[account_id, app_id] = AppRepeats(self._policy)

    def restore(self, delta: Delta, receipt_delays: Sequence[int], conversion_delays: Sequence[int]) -> None:
        """Observes a period of the past as one delta, with its delays by bucket (common/histogram.py)."""
        self._observe(delta, is_past=True)
        key = CellKey(delta.account_id, delta.app_id, delta.country, delta.network)
        decay = 0.5 ** (max(0.0, self._now_s - delta.minute * 60.0) / self._policy.delays_half_life_s)
        for bucket, count in enumerate(receipt_delays):
            if count:
                self._receipt_delays.add(_receipt_keys(delta.carrier_id, delta.country), bucket, count * decay)
        for bucket, count in enumerate(conversion_delays):
            if count:
                self._conversion_delays.add(_conversion_keys(key, delta.carrier_id), bucket, count * decay)

    def observe(self, deltas: Iterable[Delta]) -> None:
        """Takes deltas in. Their minutes may be old; a minute ahead of the clock counts as the current one."""
        for delta in deltas:
            self._observe(delta)

    def _observe(self, delta: Delta, is_past: bool = False) -> None:
        start_s = delta.minute * 60.0
        if self._now_s == 0.0:
            self._now_s = start_s
        now_minute = int(self._now_s // 60)
        minute = min(delta.minute, now_minute + 1)
        key = CellKey(delta.account_id, delta.app_id, delta.country, delta.network)
        # The app comes first: updates look up the app of every cell, so no cell may exist without one.
        app = self._apps.get((delta.account_id, delta.app_id))
        if app is None:
            app = AppReporting(self._policy, self._declared.get(delta.app_id))
            self._apps[delta.account_id, delta.app_id] = app
            self._repeats[delta.account_id, delta.app_id] = AppRepeats(self._policy)
        if delta.resent:
            # Few are left who would answer; an answer shows that the app reports, and nothing of a carrier.
            app.observe(minute, 0, 0 if is_past else delta.converted)
            return
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = _Cell(key, start_s)
        memory = cell.memories.get(delta.carrier_id)
        if memory is None:
            if not (delta.sent or delta.converted or delta.delivered):
                return
            memory = cell.memories[delta.carrier_id] = CarrierMemory(self._now_s)
        if delta.sent > 0:
            cell.block = delta.block
            cell.last_sent_s = max(cell.last_sent_s, start_s)
        past_weight = 0.5 ** (max(0.0, self._now_s - start_s) / self._policy.half_life_s)
        if delta.superseded:
            self._withdraw(key, delta, memory, minute, past_weight)
        memory.observe(
            minute,
            now_minute,
            delta.sent,
            delta.converted,
            delta.delivered,
            delta.repeated,
            past_weight=past_weight,
            past_exposure=1.0 if app.reported_s is None or start_s < app.reported_s or delta.converted else 0.0,
        )
        app.observe(minute, delta.sent, 0 if is_past else delta.converted)
        if delta.converted and delta.conversion_bucket >= 0:
            self._conversion_delays.add(
                _conversion_keys(key, delta.carrier_id), delta.conversion_bucket, delta.converted, minute
            )
        if delta.receipt_bucket >= 0:
            receipts = delta.delivered + delta.undelivered
            self._receipt_delays.add(
                _receipt_keys(delta.carrier_id, delta.country), delta.receipt_bucket, receipts, minute
            )
        lost = delta.undelivered if 0 <= delta.receipt_bucket <= LOST_SOON_BUCKET else 0
        if lost or delta.repeated:
            self._repeats[delta.account_id, delta.app_id].observe(minute, lost, delta.repeated_lost)
        if delta.repeated and delta.repeat_bucket >= 0:
            self._repeat_delays.add(_repeat_keys(key), delta.repeat_bucket, delta.repeated, minute)

    def _withdraw(self, key: CellKey, delta: Delta, memory: CarrierMemory, minute: int, past_weight: float) -> None:
        """Of messages whose code has left again: their exposure ends, and the answers that can no longer be told from
        another's are expected with the delays that they would have had.
        """
        if key not in self._outlooks:
            self._outlooks[key] = self.outlook(key)
        each = withdrawal(
            self._outlooks[key],
            carrier_id=delta.carrier_id,
            age_s=delta.superseded_age_s,
            receipt=ReceiptState(delta.superseded_receipt),
        )
        count = delta.superseded
        memory.withdraw(
            minute, int(self._now_s // 60), count * each.withdrawn, count * each.settled, past_weight=past_weight
        )
        for bucket, share in enumerate(each.unseen):
            if share > 0:
                self._conversion_delays.add(_conversion_keys(key, delta.carrier_id), bucket, count * share, minute)

    def update(self, now_s: float) -> None:
        """Ages the memory, looks for changes, and recalculates everything. To be called every limits.LEARN_S."""
        step_s = max(0.0, now_s - self._now_s)
        self._now_s = now_s
        self._outlooks.clear()
        self._drop_idle_cells()
        self._conversion_delays.advance(now_s)
        self._receipt_delays.advance(now_s)
        self._repeat_delays.advance(now_s)
        for (account_id, app_id), app in self._apps.items():
            curves = self._conversion_delays.curves((("",), (account_id, app_id)))
            app.update(now_s, self._rates[CONVERSIONS].rate(account_id, app_id), curves.lower)
        self._update_repeats()
        self._update_progress(step_s)
        for cell in self._cells.values():
            for carrier_id, memory in cell.memories.items():
                self._age(cell.key, carrier_id, memory)
        self._derive()
        if self._cut_changed():
            self._derive()
        self._update_sustained_rates(now_s)

    def _update_repeats(self) -> None:
        """Whose repeats are evidence: those of apps that do not report conversions, or so late that people without a
        code have asked again long before.
        """
        highest = self._highest_repeats()
        for app_key, app in self._apps.items():
            self._repeats[app_key].update(self._now_s, highest.get(app_key, 0.0))
            curves = self._conversion_delays.curves((("",), app_key))
            is_late = curves.likely.share_at(REPEAT_WINDOW_S) < self._policy.late_share
            if is_late:
                self._late.add(app_key)
            else:
                self._late.discard(app_key)
            if app.status != REPORTING or app.stopped or is_late:
                self._repeats_from.setdefault(app_key, int((self._now_s - REPEAT_LOOKBACK_S) // 60))
            else:
                self._repeats_from.pop(app_key, None)

    def _update_progress(self, step_s: float) -> None:
        """Of apps that report late or have stopped: how much has come of the conversions of each ten minutes, and how
        many conversions an arrival stands for, which is of the same messages.
        """
        sums: dict[tuple[int, str], ReportProgress] = {}
        for key, cell in self._cells.items():
            app_key = key.account_id, key.app_id
            app, terms = self._apps[app_key], self._repeat_terms(key)
            if terms is None or app.reported_s is None:
                continue
            progress = sums.setdefault(app_key, ReportProgress())
            curve = self._conversion_delays.curves((("",), app_key))
            known = self._progress.get(app_key, NO_PROGRESS)
            for memory in cell.memories.values():
                progress.add(memory, curve, terms, app.complete_until_s(self._now_s), self._now_s, known)
        self._progress.clear()
        strength = self._policy.effect_strength
        decay = 0.5 ** (step_s / self._policy.half_life_s)
        for app_key, progress in sums.items():
            best_rate = max(progress.best_rate(strength), decay * self._best_rates.get(app_key, self._policy.base_rate))
            self._best_rates[app_key] = best_rate
            if app_key in self._late:
                self._progress[app_key] = progress.shares(best_rate, strength)
            before = self._arrival_scales.get(app_key, self._rates[CONVERSIONS].rate(*app_key))
            self._arrival_scales[app_key] = progress.scale(before, strength)

    def _highest_repeats(self) -> Mapping[tuple[int, str], float]:
        """By app, the largest share of a carrier's messages that is repeated."""
        sums: dict[tuple[int, str, int], list[float]] = {}
        for key, cell in self._cells.items():
            if (key.account_id, key.app_id) in self._repeats_from:
                for carrier_id, memory in cell.memories.items():
                    pair = sums.setdefault((key.account_id, key.app_id, carrier_id), [0.0, 0.0])
                    pair[0] += memory.sums[REPEATS].successes
                    pair[1] += memory.sums[REPEATS].trials
        highest: dict[tuple[int, str], float] = {}
        for (account_id, app_id, _carrier_id), (repeated, trials) in sums.items():
            share = repeated / (trials + self._policy.repeat_strength)
            highest[account_id, app_id] = max(share, highest.get((account_id, app_id), 0.0))
        return highest

    def _repeat_terms(self, key: CellKey) -> RepeatTerms | None:
        app_key = key.account_id, key.app_id
        from_minute = self._repeats_from.get(app_key)
        if from_minute is None:
            return None
        repeats = self._repeats[app_key]
        return RepeatTerms(
            self._repeat_delays.curves(_repeat_keys(key)),
            from_minute,
            repeats.share if repeats.is_known else 0.0,
            None if self._apps[app_key].reported_s is None else self._arrival_scales.get(app_key, 1.0),
        )

    def _drop_idle_cells(self) -> None:
        """Keeps at most LEARN_CELLS_MAX cells; those without traffic for the longest time go."""
        excess = len(self._cells) - LEARN_CELLS_MAX
        if excess > 0:
            for cell in sorted(self._cells.values(), key=lambda cell: cell.last_sent_s)[:excess]:
                del self._cells[cell.key]

    def _age(self, key: CellKey, carrier_id: int, memory: CarrierMemory) -> None:
        app = self._apps[key.account_id, key.app_id]
        memory.update(
            self._now_s,
            app.complete_until_s(self._now_s),
            self._conversion_delays.curves(self._curve_keys(key, carrier_id)),
            self._receipt_delays.curves(_receipt_keys(carrier_id, key.country)),
            self._repeat_terms(key),
            self._policy.half_life_s,
            self._progress.get((key.account_id, key.app_id), NO_PROGRESS),
        )
        decay = 0.5 ** ((self._now_s - memory.factor_s) / self._policy.factor_half_life_s)
        memory.prior_factor, memory.factor_s = memory.prior_factor**decay, self._now_s

    def _curve_keys(self, key: CellKey, carrier_id: int) -> tuple[Key, ...]:
        """Where conversions are reported late it is the customer that is slow, with all carriers alike: a curve of each
        carrier would follow its traffic, since of a carrier that has just grown the short delays come first.
        """
        keys = _conversion_keys(key, carrier_id)
        return keys[:2] if (key.account_id, key.app_id) in self._late else keys

    # ---- rates, effects, priors

    def _derive(self) -> None:
        """Rates with the last effects, then effects with these rates. Receipts first: they are the prior of the effects
        on conversions, as far as they are trusted.
        """
        for channel in (RECEIPTS, REPEATS):
            self._derive_rates(channel)
            self._derive_effects(channel, {})
        self._derive_rates(CONVERSIONS)
        self._classify_apps()
        self._derive_trust()
        priors = {
            carrier_id: 1.0
            + self._trust.trust(GENERAL, carrier_id)
            * (self._effects[RECEIPTS].effect(GENERAL, "", "", carrier_id) - 1.0)
            for carrier_id in self._trust.carriers()
        }
        self._derive_effects(CONVERSIONS, priors)
        self._prior_means.clear()
        for channel in CHANNELS:
            self._derive_strength(channel)

    def _counts(self, key: CellKey, channel: int) -> bool:
        """Whether a cell's data of a channel is evidence."""
        if channel == RECEIPTS:
            return True
        app_key = key.account_id, key.app_id
        if channel == REPEATS:
            return app_key in self._repeats_from
        app = self._apps[app_key]
        return app.status == REPORTING or app.stopped or self._is_by_repeats(app_key)

    def _is_by_repeats(self, app_key: tuple[int, str]) -> bool:
        """Whether repeats are evidence of an app's carriers, since its people are known to ask again."""
        return app_key in self._repeats_from and self._repeats[app_key].is_known

    def _shows_changes(self, key: CellKey, channel: int) -> bool:
        """Whether a cell's recent results are evidence of changes of carriers."""
        if channel == RECEIPTS:
            return True
        app_key = key.account_id, key.app_id
        if channel == REPEATS:
            return self._is_by_repeats(app_key)
        app = self._apps[app_key]
        return app.status == REPORTING and not app.stopped and self._now_s >= app.in_bulk_until_s

    def _derive_rates(self, channel: int) -> None:
        rates, effects = self._rates[channel], self._effects[channel]
        rates.begin()
        cells: list[tuple[CellKey, float, float]] = []
        all_trials = all_standardised = 0.0
        for key, cell in self._cells.items():
            if not self._counts(key, channel):
                continue
            successes = standardised = 0.0
            is_reported = channel == CONVERSIONS and self._apps[key.account_id, key.app_id].reported_s is not None
            for carrier_id, memory in cell.memories.items():
                sums = memory.reported if is_reported else memory.sums[channel]
                successes += sums.successes
                all_trials += sums.trials
                standardised += sums.trials * effects.effect(key.account_id, key.country, key.network, carrier_id)
            all_standardised += standardised
            cells.append((key, successes, standardised))
        # Only the product of rates and effects is determined: the mean effect is held at 1, or the two would drift.
        scale = all_trials / all_standardised if all_standardised > 0 else 1.0
        for key, successes, standardised in cells:
            rates.add(key.account_id, key.app_id, key.country, key.network, successes, standardised * scale)

    def _derive_effects(self, channel: int, priors: Mapping[int, float]) -> None:
        effects = self._effects[channel]
        effects.begin(priors)
        for key, cell in self._cells.items():
            if not self._counts(key, channel):
                continue
            rate = self._rate(key, channel)
            for carrier_id, memory in cell.memories.items():
                sums = memory.sums[channel]
                expected = sums.trials * rate
                effects.add(key.account_id, key.country, key.network, carrier_id, sums.successes, expected)
        effects.finish()

    def _rate(self, key: CellKey, channel: int) -> float:
        return self._rates[channel].rate(key.account_id, key.app_id, key.country, key.network)

    def _conversion_rate(self, key: CellKey) -> float:
        """As reported: of an app that never did, what is assumed without any data."""
        if self._apps[key.account_id, key.app_id].reported_s is None:
            return self._policy.base_rate
        return self._rate(key, CONVERSIONS)

    def _classify_apps(self) -> None:
        totals: dict[tuple[int, str], list[float]] = {app_key: [0.0, 0.0] for app_key in self._apps}
        for key, cell in self._cells.items():
            pair = totals[key.account_id, key.app_id]
            for memory in cell.memories.values():
                pair[0] += memory.reported.successes
                pair[1] += memory.reported.trials
        for app_key, (successes, trials) in totals.items():
            self._apps[app_key].classify(self._now_s, successes, trials)

    def _derive_trust(self) -> None:
        trust = self._trust
        trust.begin()
        for key, cell in self._cells.items():
            trust.add_carriers(cell.memories)
            if self._counts(key, CONVERSIONS):
                sums = {carrier_id: memory.sums[CONVERSIONS] for carrier_id, memory in cell.memories.items()}
                trust.add(key.account_id, sums)
        trust.finish({account_id for account_id, _app_id in self._apps})

    def _prior(self, key: CellKey, carrier_id: int, memory: CarrierMemory | None, channel: int) -> tuple[float, float]:
        """A carrier's prior in a cell, from all data but the cell's own of this carrier: its mean, and its strength in
        messages. The strength is lower the more cells differ and the less data there is.
        """
        mean, support = self._prior_mean(key, carrier_id, memory, channel)
        odds = (1.0 - mean) / mean
        return mean, odds / (odds / self._strengths[channel] + 1.0 / support)

    def _prior_mean(
        self, key: CellKey, carrier_id: int, memory: CarrierMemory | None, channel: int
    ) -> tuple[float, float]:
        """A prior's mean, and the expected successes that it is based on. Cached until the next derivation, or until
        the carrier's memory is cut.
        """
        prior_key = (key, carrier_id, channel)
        prior = self._prior_means.get(prior_key)
        if prior is None:
            prior = self._prior_means[prior_key] = self._calculate_prior_mean(key, carrier_id, memory, channel)
        return prior

    def _calculate_prior_mean(
        self, key: CellKey, carrier_id: int, memory: CarrierMemory | None, channel: int
    ) -> tuple[float, float]:
        rate = self._rate(key, channel)
        sums = memory.sums[channel] if memory is not None else None
        successes, expected = (sums.successes, sums.trials * rate) if sums is not None else (0.0, 0.0)
        effect, support = self._effects[channel].effect_without(
            key.account_id, key.country, key.network, carrier_id, successes, expected
        )
        mean = rate * effect
        if memory is not None and channel == CONVERSIONS:
            mean *= memory.prior_factor
        elif memory is not None and channel == REPEATS and memory.prior_factor != 1.0:
            share = self._repeats[key.account_id, key.app_id].share
            mean = share * (1.0 - max(0.0, 1.0 - mean / share) * memory.prior_factor)
        return min(0.98, max(0.0005, mean)), support + self._policy.effect_strength

    def _derive_strength(self, channel: int) -> None:
        """How much cells differ beyond sampling noise: the strength of the Beta-binomial, by moments."""
        weight = self._policy.homogeneity_weight
        excess = weight / self._policy.homogeneity
        for key, cell in self._cells.items():
            if not self._counts(key, channel):
                continue
            for carrier_id, memory in cell.memories.items():
                sums = memory.sums[channel]
                if sums.trials < 2.0 or not 0.9 < memory.prior_factor < 1.1:
                    continue
                mean, _support = self._prior_mean(key, carrier_id, memory, channel)
                deviation = sums.successes - mean * sums.trials
                excess += deviation * deviation / (mean * (1.0 - mean) * sums.trials) - 1.0
                weight += sums.trials - 1.0
        variance = max(1e-9, excess / weight)
        self._strengths[channel] = min(self._policy.strength_max, max(self._policy.strength_min, 1.0 / variance))

    # ---- changes of carriers

    def _cut_changed(self) -> bool:
        """Cuts the memory of carriers that have changed; whether there was any."""
        now_minute = int(self._now_s // 60)
        any_cut = False
        for channel in (RECEIPTS, REPEATS, CONVERSIONS):
            examined: list[tuple[_Cell, int, CarrierMemory, list[ChangeSample]]] = []
            groups: dict[tuple[int, str, int], list[list[ChangeSample]]] = {}
            for key, cell in self._cells.items():
                if not self._shows_changes(key, channel):
                    continue
                account_id = 0 if channel == RECEIPTS else key.account_id
                carriers = [
                    (memory, *self._prior(key, carrier_id, memory, channel))
                    for carrier_id, memory in cell.memories.items()
                ]
                by_carrier = samples_of(carriers, channel)
                for (carrier_id, memory), samples in zip(cell.memories.items(), by_carrier, strict=True):
                    if samples is None:
                        continue
                    examined.append((cell, carrier_id, memory, samples))
                    for group in ((account_id, key.country, carrier_id), (account_id, "", carrier_id)):
                        groups.setdefault(group, []).append(samples)
            drift, limit = self._drift_strength(channel), self._policy.change_evidence_min
            group_changes = {
                group: strongest(members, now_minute, 0, drift, limit) for group, members in groups.items()
            }
            for cell, carrier_id, memory, samples in examined:
                account_id = 0 if channel == RECEIPTS else cell.key.account_id
                change = self._change_of(
                    samples,
                    strongest([samples], now_minute, memory.cut_from[channel], drift, limit),
                    (
                        group_changes[account_id, cell.key.country, carrier_id],
                        group_changes[account_id, "", carrier_id],
                    ),
                    drift,
                )
                if change is not None:
                    any_cut = self._cut(cell.key, carrier_id, memory, channel, change) or any_cut
        return any_cut

    def _drift_strength(self, channel: int) -> float:
        return self._policy.drift_repeats if channel == REPEATS else self._policy.drift_strength

    def _change_of(
        self,
        samples: list[ChangeSample],
        own: CarrierChange | None,
        wider: Iterable[CarrierChange | None],
        drift_strength: float,
    ) -> CarrierChange | None:
        """A change in the cell itself, or else a wider one that the cell's own data does not contradict."""
        if own is not None:
            return own
        for change in wider:
            if change is None:
                continue
            window = window_of([samples[change.window]])
            evidence = window.evidence(drift_strength)
            if window.expected < 2.0 or evidence * change.evidence > 0:
                return change
        return None

    def _cut(self, key: CellKey, carrier_id: int, memory: CarrierMemory, channel: int, change: CarrierChange) -> bool:
        """Forgets what was before a change; False when it was cut there already. Where conversions are reported, a
        change of trusted receipts cuts the memory of conversions too, unless conversions contradict it. Elsewhere
        receipts decide alone, and what past conversions showed of their honesty stays.
        """
        if memory.cut_from[channel] >= change.from_minute:
            return False
        factor = change.factor if channel != REPEATS else self._arrival_factor(key, carrier_id, memory, change)
        memory.cut(channel, change.from_minute)
        if channel == CONVERSIONS:
            self._change_prior(memory, factor)
        elif (
            self._has_arrivals(key)
            and (channel == REPEATS or self.trust(key.account_id, carrier_id) >= self._policy.trust_min)
            and not self._is_contradicted(memory, change.window, factor)
        ):
            memory.cut(CONVERSIONS, change.from_minute)
            memory.cut(REPEATS, change.from_minute)
            self._change_prior(memory, factor)
        self._age(key, carrier_id, memory)
        for each in CHANNELS:
            self._prior_means.pop((key, carrier_id, each), None)
        return True

    def _has_arrivals(self, key: CellKey) -> bool:
        """Whether conversions or repeats show what arrives, so that a change of receipts is not the last word."""
        app_key = key.account_id, key.app_id
        return self.reporting(*app_key) == REPORTING or self._is_by_repeats(app_key)

    def _arrival_factor(self, key: CellKey, carrier_id: int, memory: CarrierMemory, change: CarrierChange) -> float:
        """The change of what arrives that a change of repeats stands for: 1 - q/a after it over that before."""
        share = self._repeats[key.account_id, key.app_id].share
        before, _strength = self._prior(key, carrier_id, memory, REPEATS)
        arrived = max(PRIOR_FACTOR_MIN, 1.0 - before / share)
        return max(PRIOR_FACTOR_MIN, 1.0 - before * change.factor / share) / arrived

    def _change_prior(self, memory: CarrierMemory, factor: float) -> None:
        memory.prior_factor = min(PRIOR_FACTOR_MAX, max(PRIOR_FACTOR_MIN, memory.prior_factor * factor))

    def _is_contradicted(self, memory: CarrierMemory, window: int, factor: float) -> bool:
        """Whether the conversions of the same minutes show that nothing has changed."""
        sums = memory.reported
        successes, trials, _trials_min, _trials_max = sums.windows[window]
        trials_before = sums.trials - trials
        if trials_before <= 0:
            return False
        expected = trials * max(0.0, sums.successes - successes) / trials_before
        return successes * log(factor) - expected * (factor - 1.0) < -2.0

    def _update_sustained_rates(self, now_s: float) -> None:
        """A cell's rate of genuine messages follows a rise within the hour and a fall within days: the messages of an
        attack, which do not convert, must not lower it.
        """
        step_s = 0.0 if self._sustained_s is None else max(0.0, now_s - self._sustained_s)
        self._sustained_s = now_s
        for key, cell in self._cells.items():
            rate = self._conversion_rate(key)
            if cell.sustained_rate is None:
                cell.sustained_rate = rate
            else:
                half_life_s = RATE_RISE_HALF_LIFE_S if rate > cell.sustained_rate else RATE_FALL_HALF_LIFE_S
                cell.sustained_rate += (rate - cell.sustained_rate) * (1.0 - 0.5 ** (step_s / half_life_s))

    # ---- results

    def posteriors(self, key: CellKey, carriers: Sequence[int]) -> Sequence[Posterior]:
        """The posterior of each of these carriers in a cell; also in one without any data."""
        cell = self._cells.get(key)
        app_key = key.account_id, key.app_id
        by_receipts = self.reporting(*app_key) in (SILENT, UNKNOWN) and not self._is_by_repeats(app_key)
        return [
            self._posterior(key, carrier_id, None if cell is None else cell.memories.get(carrier_id), by_receipts)
            for carrier_id in carriers
        ]

    def _posterior(self, key: CellKey, carrier_id: int, memory: CarrierMemory | None, by_receipts: bool) -> Posterior:
        conversions = trials = delivered = reports = 0.0
        if memory is not None:
            conversions = max(0.0, memory.reported.successes)
            trials = max(0.0, memory.reported.trials)
            delivered = max(0.0, memory.sums[RECEIPTS].successes)
            reports = max(0.0, memory.sums[RECEIPTS].trials)
        if by_receipts:
            honesty = self._trust.honesty(key.account_id, carrier_id)
            prior, strength = self._prior(key, carrier_id, memory, RECEIPTS)
            weight = strength + reports
            mean = min(0.995, (prior * strength + delivered) / weight * honesty)
            alpha, beta = mean * weight, (1.0 - mean) * weight
            source = "receipts" if reports >= 1.0 else "prior"
        else:
            prior, strength = self._prior(key, carrier_id, memory, CONVERSIONS)
            arrivals = memory.sums[CONVERSIONS] if memory is not None else ChannelSums()
            successes, exposure = max(0.0, arrivals.successes), max(0.0, arrivals.trials)
            alpha = prior * strength + successes
            beta = (1.0 - prior) * strength + max(0.0, exposure - successes)
            is_reported = self.reporting(key.account_id, key.app_id) == REPORTING
            source = "conversions" if is_reported else "repeats"
            if exposure < 1.0 and successes < 1.0:
                source = "prior"
        low, high = interval(alpha, beta)
        return Posterior(
            carrier_id=carrier_id,
            trials=trials,
            conversions=conversions,
            mean=alpha / (alpha + beta),
            low=low,
            high=high,
            alpha=alpha,
            beta=beta,
            delivered_rate=min(1.0, delivered / reports) if reports >= 1.0 else None,
            source=source,
        )

    def repeating_apps(self) -> Mapping[tuple[int, str], float]:
        """By (account_id, app_id) the apps whose repeats are evidence, and since when they are (unix seconds)."""
        return {app_key: minute * 60.0 for app_key, minute in self._repeats_from.items()}

    def active_cells(self) -> Sequence[CellKey]:
        """Cells with traffic in the last LEARN_ACTIVE_S."""
        since_s = self._now_s - LEARN_ACTIVE_S
        return [key for key, cell in self._cells.items() if cell.last_sent_s >= since_s]

    def block(self, key: CellKey) -> str:
        """A block of a thousand numbers in a cell, to look costs up by prefix. '' where none is known."""
        cell = self._cells.get(key)
        return "" if cell is None else cell.block

    def receipt_yields(self) -> Sequence[ReceiptYield]:
        """Of each carrier, the conversions of messages that it reports as delivered, beside its peers' in the same
        cells.
        """
        totals: dict[int, list[float]] = {}
        for key, cell in self._cells.items():
            if not self._counts(key, CONVERSIONS):
                continue
            carriers = []
            for carrier_id, memory in cell.memories.items():
                sums = memory.reported
                if sums.trials > 0:
                    carriers.append((carrier_id, max(0.0, sums.successes), max(0.0, sums.claimed), sums.trials))
            for carrier_id, conversions, claimed, trials in carriers:
                peer_conversions = sum(carrier[1] for carrier in carriers if carrier[0] != carrier_id)
                peer_claimed = sum(carrier[2] for carrier in carriers if carrier[0] != carrier_id)
                if peer_claimed < 1.0:
                    continue
                expected = claimed * peer_conversions / peer_claimed
                total = totals.setdefault(carrier_id, [0.0, 0.0, 0.0, 0.0, 0.0])
                for n, value in enumerate((conversions, expected, peer_conversions, claimed, trials)):
                    total[n] += value
        return [
            ReceiptYield(
                carrier_id=carrier_id,
                delivered_rate=claimed / trials if trials > 0 else 0.0,
                conversions=conversions,
                expected=expected,
                peer_conversions=peer_conversions,
                delays=self._receipt_delays.counts((carrier_id,)),
            )
            for carrier_id, (conversions, expected, peer_conversions, claimed, trials) in totals.items()
        ]

    def outlook(self, key: CellKey) -> Outlook | None:
        """What becomes of messages of the carriers that have had a cell's traffic; None: the app does not report
        conversions, or too few have come to know their delays.
        """
        cell = self._cells.get(key)
        if cell is None or self.reporting(key.account_id, key.app_id) != REPORTING:
            return None
        answers = {
            carrier_id: self._conversion_delays.known(self._curve_keys(key, carrier_id)) for carrier_id in cell.memories
        }
        posteriors = self.posteriors(key, sorted(cell.memories))
        rates = {posterior.carrier_id: posterior.mean for posterior in posteriors}
        trusts = {carrier_id: self.trust(key.account_id, carrier_id) for carrier_id in rates}
        delivered = {
            posterior.carrier_id: posterior.delivered_rate
            for posterior in posteriors
            if posterior.delivered_rate is not None
            and posterior.trials >= TRIALS_MIN
            and trusts[posterior.carrier_id] >= self._policy.trust_min
        }
        if not rates:
            return None
        willing = willingness(rates, delivered)
        carriers = []
        for posterior in posteriors:
            curves = answers[posterior.carrier_id]
            if curves is None:
                return None
            reached = min(REACHED_MAX, posterior.mean / willing)
            receipts = self._receipt_delays.known(_receipt_keys(posterior.carrier_id, key.country))
            carriers.append(
                CarrierOutlook(
                    carrier_id=posterior.carrier_id,
                    reached=reached,
                    trust=trusts[posterior.carrier_id],
                    receipted=min(1.0, (posterior.delivered_rate or 0.0) / reached),
                    answers=[curves.likely.share_at(age_s) for age_s in AGES_S],
                    receipts=[0.0 if receipts is None else receipts.likely.share_at(age_s) for age_s in AGES_S],
                )
            )
        return Outlook(willing, carriers)

    def expected_rate(self, key: CellKey, carrier_id: int) -> float:
        """The probability (0..1) that a genuine message converts: the messages of an attack hardly lower it."""
        cell = self._cells.get(key)
        app = self._apps.get((key.account_id, key.app_id))
        rate = self._policy.base_rate if app is None else self._conversion_rate(key)
        if cell is not None and cell.sustained_rate is not None:
            rate = max(rate, cell.sustained_rate)
        effect = self._effects[CONVERSIONS].effect(key.account_id, key.country, key.network, carrier_id)
        return min(0.995, rate * effect)

    def trust(self, account_id: int, carrier_id: int) -> float:
        """0..1: how far a carrier's receipts are trusted, by the conversions of its messages."""
        return self._trust.trust(account_id, carrier_id)

    def reporting(self, account_id: int, app_id: str) -> str:
        """Whether an app reports conversions: "reporting", "silent" (stopped or never) or "unknown"."""
        app = self._apps.get((account_id, app_id))
        return UNKNOWN if app is None else app.status


def _conversion_keys(key: CellKey, carrier_id: int) -> tuple[Key, ...]:
    app = key.account_id, key.app_id
    return ("",), app, (*app, carrier_id), (*app, carrier_id, key.country)


def _repeat_keys(key: CellKey) -> tuple[Key, ...]:
    return ("",), (key.account_id, key.app_id)


def _receipt_keys(carrier_id: int, country: str) -> tuple[Key, ...]:
    return ("",), (carrier_id,), (carrier_id, country)
