"""Rates, effects and priors: what all cells together say of each carrier in each. Pure.

docs/internals/learning.md, section 2, has the formulas.
"""

from collections.abc import Mapping

from homing.learning.effects import BaseRates, CarrierEffects
from homing.learning.late_evidence import LateEvidence
from homing.learning.learned_cell import AppKey, LearnedCell
from homing.learning.memory import CHANNELS, CONVERSIONS, RECEIPTS, REPEATS, CarrierMemory
from homing.learning.policy import LearningPolicy
from homing.learning.reporting import REPORTING, AppReporting
from homing.learning.trust import ReceiptTrust
from homing.model import GENERAL
from homing.routing.cells import CellKey


class CarrierEstimates:
    """Recalculated in each update of the learner, whose own `cells` and `apps` are given. By channel: `rates`,
    `effects`.
    """

    def __init__(
        self,
        policy: LearningPolicy,
        *,
        cells: Mapping[CellKey, LearnedCell],
        apps: Mapping[AppKey, AppReporting],
        late: LateEvidence,
    ) -> None:
        self._policy = policy
        self._cells = cells
        self._apps = apps
        self._late = late
        self.rates = (
            BaseRates(policy.base_rate, policy.base_strength),
            BaseRates(policy.base_delivered, policy.base_strength),
            BaseRates(policy.base_repeats, policy.base_strength),
        )
        self.reported_rates = BaseRates(policy.base_rate, policy.base_strength)  # of the apps whose repeats count
        cap = policy.account_cap  # receipts come from carriers: no customer can invent them
        self.effects = (
            CarrierEffects(policy, cap),
            CarrierEffects(policy, float("inf")),
            CarrierEffects(policy, cap),
        )
        self.trust = ReceiptTrust(policy)
        self._prior_means: dict[tuple[CellKey, int, int], tuple[float, float]] = {}  # cache of `_prior_mean`
        self._strengths = [policy.homogeneity for _channel in CHANNELS]

    def derive(self, now_s: float) -> None:
        """Rates with the last effects, then effects with these rates. Receipts first: they are the prior of the effects
        on conversions, as far as they are trusted.
        """
        for channel in (RECEIPTS, REPEATS):
            self._derive_rates(channel)
            self._derive_effects(channel, {})
        self._derive_rates(CONVERSIONS)
        self._derive_reported_rates()
        self._classify_apps(now_s)
        self._derive_trust()
        priors = {
            carrier_id: 1.0
            + self.trust.trust(GENERAL, carrier_id) * (self.effects[RECEIPTS].effect(GENERAL, "", "", carrier_id) - 1.0)
            for carrier_id in self.trust.carriers()
        }
        self._derive_effects(CONVERSIONS, priors)
        self._prior_means.clear()
        for channel in CHANNELS:
            self._derive_strength(channel)

    def counts(self, key: CellKey, channel: int) -> bool:
        """Whether a cell's data of a channel is evidence."""
        if channel == RECEIPTS:
            return True
        app_key = key.account_id, key.app_id
        if channel == REPEATS:
            return app_key in self._late.from_minute
        app = self._apps[app_key]
        return app.status == REPORTING or app.stopped or self._late.is_known(app_key)

    def _derive_rates(self, channel: int) -> None:
        rates, effects = self.rates[channel], self.effects[channel]
        rates.begin()
        cells: list[tuple[CellKey, float, float]] = []
        all_trials = all_standardised = 0.0
        for key, cell in self._cells.items():
            if not self.counts(key, channel):
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
        effects = self.effects[channel]
        effects.begin(priors)
        for key, cell in self._cells.items():
            if not self.counts(key, channel):
                continue
            rate = self.rate(key, channel)
            for carrier_id, memory in cell.memories.items():
                sums = memory.sums[channel]
                expected = sums.trials * rate
                effects.add(key.account_id, key.country, key.network, carrier_id, sums.successes, expected)
        effects.finish()

    def rate(self, key: CellKey, channel: int) -> float:
        return self.rates[channel].rate(key.account_id, key.app_id, key.country, key.network)

    def expected_now(self, key: CellKey, carrier_id: int) -> float:
        """The conversion rate of a carrier's messages, as reported: of an app that never did, what is assumed without
        any data.
        """
        app = self._apps.get((key.account_id, key.app_id))
        rate = self._policy.base_rate
        if app is not None and app.reported_s is not None:
            if self.has_repeats(key):
                return self.reported_rates.rate(key.account_id, key.app_id, key.country, key.network)
            rate = self.rate(key, CONVERSIONS)
        return rate * self.effects[CONVERSIONS].effect(key.account_id, key.country, key.network, carrier_id)

    def has_repeats(self, key: CellKey) -> bool:
        """Whether effects on conversions rest on what repeats say sooner, and not on what was reported alone."""
        return self._late.is_known((key.account_id, key.app_id))

    def _derive_reported_rates(self) -> None:
        """Without effects. These follow repeats at once while reports come late: what was reported, divided by them,
        would be no rate, and multiplies from round to round.
        """
        self.reported_rates.begin()
        for key, cell in self._cells.items():
            if self.has_repeats(key) and self._apps[key.account_id, key.app_id].reported_s is not None:
                successes = sum([memory.reported.successes for memory in cell.memories.values()])
                trials = sum([memory.reported.trials for memory in cell.memories.values()])
                self.reported_rates.add(key.account_id, key.app_id, key.country, key.network, successes, trials)

    def _classify_apps(self, now_s: float) -> None:
        totals: dict[tuple[int, str], list[float]] = {app_key: [0.0, 0.0] for app_key in self._apps}
        for key, cell in self._cells.items():
            pair = totals[key.account_id, key.app_id]
            for memory in cell.memories.values():
                pair[0] += memory.reported.successes
                pair[1] += memory.reported.trials
        for app_key, (successes, trials) in totals.items():
            self._apps[app_key].classify(now_s, successes, trials)

    def _derive_trust(self) -> None:
        trust = self.trust
        trust.begin()
        for key, cell in self._cells.items():
            trust.add_carriers(cell.memories)
            if self.counts(key, CONVERSIONS):
                sums = {carrier_id: memory.sums[CONVERSIONS] for carrier_id, memory in cell.memories.items()}
                trust.add(key.account_id, sums)
        trust.finish({account_id for account_id, _app_id in self._apps})

    def prior(self, key: CellKey, carrier_id: int, memory: CarrierMemory | None, channel: int) -> tuple[float, float]:
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
        rate = self.rate(key, channel)
        sums = memory.sums[channel] if memory is not None else None
        successes, expected = (sums.successes, sums.trials * rate) if sums is not None else (0.0, 0.0)
        effect, support = self.effects[channel].effect_without(
            key.account_id, key.country, key.network, carrier_id, successes, expected
        )
        mean = rate * effect
        if memory is not None and channel == CONVERSIONS:
            mean *= memory.prior_factor
        elif memory is not None and channel == REPEATS and memory.prior_factor != 1.0:
            share = self._late.share(key)
            mean = share * (1.0 - max(0.0, 1.0 - mean / share) * memory.prior_factor)
        return min(0.98, max(0.0005, mean)), support + self._policy.effect_strength

    def _derive_strength(self, channel: int) -> None:
        """How much cells differ beyond sampling noise: the strength of the Beta-binomial, by moments."""
        weight = self._policy.homogeneity_weight
        excess = weight / self._policy.homogeneity
        for key, cell in self._cells.items():
            if not self.counts(key, channel):
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

    def forget_priors(self, key: CellKey, carrier_id: int) -> None:
        """After a carrier's memory in a cell was cut."""
        for channel in CHANNELS:
            self._prior_means.pop((key, carrier_id, channel), None)
