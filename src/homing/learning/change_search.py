"""Looks for carriers that have changed, and cuts what is remembered of them. Pure.

docs/internals/learning.md, section 3, has the formulas.
"""

from collections.abc import Callable, Iterable, Mapping
from math import log
from typing import Final

from homing.learning.changes import CarrierChange, ChangeSample, samples_of, strongest, window_of
from homing.learning.estimates import CarrierEstimates
from homing.learning.late_evidence import LateEvidence
from homing.learning.learned_cell import AppKey, LearnedCell
from homing.learning.memory import CONVERSIONS, RECEIPTS, REPEATS, CarrierMemory
from homing.learning.policy import LearningPolicy
from homing.learning.reporting import REPORTING, AppReporting
from homing.routing.cells import CellKey

PRIOR_FACTOR_MIN: Final = 0.05
PRIOR_FACTOR_MAX: Final = 3.0


class ChangeSearch:
    """Of the learner's own `cells` and `apps`. `age`: calculates a memory's sums anew."""

    def __init__(
        self,
        policy: LearningPolicy,
        *,
        cells: Mapping[CellKey, LearnedCell],
        apps: Mapping[AppKey, AppReporting],
        late: LateEvidence,
        estimates: CarrierEstimates,
        age: Callable[[CellKey, int, CarrierMemory], None],
    ) -> None:
        self._policy = policy
        self._cells = cells
        self._apps = apps
        self._late = late
        self._estimates = estimates
        self._age = age

    def cut_changed(self, now_s: float) -> bool:
        """Cuts the memory of carriers that have changed; whether there was any."""
        now_minute = int(now_s // 60)
        any_cut = False
        for channel in (RECEIPTS, REPEATS, CONVERSIONS):
            examined: list[tuple[LearnedCell, int, CarrierMemory, list[ChangeSample]]] = []
            groups: dict[tuple[int, str, int], list[list[ChangeSample]]] = {}
            for key, cell in self._cells.items():
                if not self._shows_changes(key, channel, now_s):
                    continue
                account_id = 0 if channel == RECEIPTS else key.account_id
                carriers = [
                    (memory, *self._estimates.prior(key, carrier_id, memory, channel))
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

    def _shows_changes(self, key: CellKey, channel: int, now_s: float) -> bool:
        """Whether a cell's recent results are evidence of changes of carriers."""
        if channel == RECEIPTS:
            return True
        app_key = key.account_id, key.app_id
        if channel == REPEATS:
            return self._late.is_known(app_key)
        app = self._apps[app_key]
        return app.status == REPORTING and not app.stopped and now_s >= app.in_bulk_until_s

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
            and (channel == REPEATS or self._is_trusted(key.account_id, carrier_id))
            and not self._is_contradicted(memory, change.window, factor)
        ):
            memory.cut(CONVERSIONS, change.from_minute)
            memory.cut(REPEATS, change.from_minute)
            self._change_prior(memory, factor)
        self._age(key, carrier_id, memory)
        self._estimates.forget_priors(key, carrier_id)
        return True

    def _is_trusted(self, account_id: int, carrier_id: int) -> bool:
        return self._estimates.trust.trust(account_id, carrier_id) >= self._policy.trust_min

    def _has_arrivals(self, key: CellKey) -> bool:
        """Whether conversions or repeats show what arrives, so that a change of receipts is not the last word."""
        app_key = key.account_id, key.app_id
        return self._apps[app_key].status == REPORTING or self._late.is_known(app_key)

    def _arrival_factor(self, key: CellKey, carrier_id: int, memory: CarrierMemory, change: CarrierChange) -> float:
        """The change of what arrives that a change of repeats stands for: 1 - q/a after it over that before."""
        share = self._late.share(key)
        before, _strength = self._estimates.prior(key, carrier_id, memory, REPEATS)
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
