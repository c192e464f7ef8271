"""What is believed of each carrier in each cell: the chance that a message it takes brings the person back. Pure.

docs/internals/learning.md has the formulas. A cell is an app of an account and a network. Facts come as deltas; a
thought ages what is remembered, looks for changes, and derives rates, effects and beliefs anew. Facts and thoughts
carry their own times, so that a virtual clock does as well as the wall's.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import exp, log, sqrt
from typing import Final

from homing.common.confidence import Z_95
from homing.learning.changes import CarrierChange, ChangeSample, strongest, window_of, windows_of
from homing.learning.delays import Delays, Key
from homing.learning.effects import BaseRates, CarrierEffects
from homing.learning.fake_receipts import ReceiptYield
from homing.learning.memory import CHANNELS, CONVERSIONS, RECEIPTS, CarrierMemory
from homing.learning.policy import LearningPolicy
from homing.learning.reporting import REPORTING, SILENT, UNKNOWN, AppReporting
from homing.learning.trust import ReceiptTrust
from homing.model import GENERAL
from homing.routing.cells import CellKey, Posterior
from homing.statistics.delta import Delta

LEARN_CELLS_MAX: Final = 5_000  # kept in memory; the longest idle are let go
LEARN_ACTIVE_S: Final = 3_600.0  # a cell without traffic for so long gets no shares of its own


NETWORK_UNKNOWN: Final = "-1-1"


class _Cell:
    __slots__ = ("arms", "block", "key", "seen_s", "sustained")

    def __init__(self, key: CellKey, now_s: float) -> None:
        self.key = key
        self.arms: dict[int, CarrierMemory] = {}
        self.seen_s = now_s
        self.block = ""
        self.sustained: float | None = None  # a rate that holds for long: of genuine messages


class RoutingLearner:
    """Hears deltas, thinks, and tells beliefs. Not safe for several threads."""

    def __init__(self, policy: LearningPolicy | None = None) -> None:
        self._policy = policy or LearningPolicy()
        self._now_s = 0.0
        self._cells: dict[CellKey, _Cell] = {}
        self._apps: dict[tuple[int, str], AppReporting] = {}
        self._declared: dict[str, bool | None] = {}
        self._conversion_times = Delays(self._policy)
        self._receipt_times = Delays(self._policy)
        self._rates = (
            BaseRates(self._policy.base_rate, self._policy.base_strength),
            BaseRates(self._policy.base_delivered, self._policy.base_strength),
        )
        cap = self._policy.account_cap  # receipts come from carriers: no customer can invent them
        self._effects = (CarrierEffects(self._policy, cap), CarrierEffects(self._policy, float("inf")))
        self._trust = ReceiptTrust(self._policy)
        self._priors: dict[tuple[CellKey, int, int], tuple[float, float]] = {}  # as `_prior_mean` has it
        self._strengths = [self._policy.alike, self._policy.alike]
        self._sustained_s: float | None = None

    def declare(self, app_id: str, expects: bool | None) -> None:
        """What an app's settings say of its reporting conversions; None: it is to be found out."""
        self._declared[app_id] = expects
        for (_account_id, app), watch in self._apps.items():
            if app == app_id:
                watch.declared = expects

    def begin(self, now_s: float, reported: Mapping[tuple[int, str], float]) -> None:
        """Before `recall`: the time from which the past is looked back at, and by (account_id, app_id) the end of the
        last period of which conversions were reported. What was sent after it says nothing until one is heard, or
        some time has passed without.
        """
        self._now_s = now_s
        for (account_id, app_id), at_s in reported.items():
            watch = self._apps[account_id, app_id] = AppReporting(self._policy, self._declared.get(app_id))
            watch.recall(min(at_s, now_s), now_s)

    def recall(self, delta: Delta, receipt_times: Sequence[int], conversion_times: Sequence[int]) -> None:
        """A period of the past as one delta, with its times by bucket (common/histogram.py)."""
        self._hear(delta, is_past=True)
        key = CellKey(delta.account_id, delta.app_id, delta.country, delta.network)
        kept = 0.5 ** (max(0.0, self._now_s - delta.minute * 60.0) / self._policy.delays_half_life_s)
        for bucket, count in enumerate(receipt_times):
            if count:
                self._receipt_times.note(_receipts(delta.carrier_id, delta.country), bucket, count * kept)
        for bucket, count in enumerate(conversion_times):
            if count:
                self._conversion_times.note(_times(key, delta.carrier_id), bucket, count * kept)

    def hear(self, deltas: Iterable[Delta]) -> None:
        """Takes facts in. Their minutes may be old; one that lies ahead of the clock counts as now."""
        for delta in deltas:
            self._hear(delta)

    def _hear(self, delta: Delta, is_past: bool = False) -> None:
        start_s = delta.minute * 60.0
        if self._now_s == 0.0:
            self._now_s = start_s
        now_minute = int(self._now_s // 60)
        minute = min(delta.minute, now_minute + 1)
        key = CellKey(delta.account_id, delta.app_id, delta.country, delta.network)
        # The app first: whatever is made below is looked up with it, so nothing may be left behind without one.
        app = self._apps.get((delta.account_id, delta.app_id))
        if app is None:
            app = AppReporting(self._policy, self._declared.get(delta.app_id))
            self._apps[delta.account_id, delta.app_id] = app
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = _Cell(key, start_s)
        arm = cell.arms.get(delta.carrier_id)
        if arm is None:
            if not (delta.sent or delta.converted or delta.delivered):
                return
            arm = cell.arms[delta.carrier_id] = CarrierMemory(self._now_s)
        if delta.sent > 0:
            cell.block = delta.block
            cell.seen_s = max(cell.seen_s, start_s)
            arm.seen_s = max(arm.seen_s, start_s)
        weight_old = 0.5 ** (max(0.0, self._now_s - start_s) / self._policy.half_life_s)
        seen = 1.0 if app.heard_s is None or start_s < app.heard_s or delta.converted else 0.0
        arm.hear(minute, now_minute, delta.sent, delta.converted, delta.delivered, weight_old, seen)
        app.hear(minute, delta.sent, 0 if is_past else delta.converted)
        if delta.converted and delta.conversion_bucket >= 0:
            self._conversion_times.note(_times(key, delta.carrier_id), delta.conversion_bucket, delta.converted, minute)
        if delta.receipt_bucket >= 0:
            finals = delta.delivered + delta.undelivered
            self._receipt_times.note(_receipts(delta.carrier_id, delta.country), delta.receipt_bucket, finals, minute)

    def think(self, now_s: float) -> None:
        """Ages, decays, looks for changes, and derives all anew. Called every limits.LEARN_S."""
        self._now_s = now_s
        self._forget(now_s)
        self._conversion_times.age(now_s)
        self._receipt_times.age(now_s)
        for (account_id, app_id), watch in self._apps.items():
            curve = self._conversion_times.curves((("",), (account_id, app_id)))
            watch.think(now_s, self._rates[CONVERSIONS].rate(account_id, app_id), curve.least)
        for cell in self._cells.values():
            for carrier_id, arm in cell.arms.items():
                self._age(cell.key, carrier_id, arm)
        self._derive()
        if self._adapt():
            self._derive()
        self._sustain(now_s)

    def _forget(self, now_s: float) -> None:
        """Of too many cells the longest idle are let go."""
        over = len(self._cells) - LEARN_CELLS_MAX
        if over > 0:
            for cell in sorted(self._cells.values(), key=lambda one: one.seen_s)[:over]:
                del self._cells[cell.key]

    def _age(self, key: CellKey, carrier_id: int, arm: CarrierMemory) -> None:
        app = self._apps[key.account_id, key.app_id]
        converts = self._conversion_times.curves(_times(key, carrier_id))
        reports = self._receipt_times.curves(_receipts(carrier_id, key.country))
        arm.think(self._now_s, app.until_s(self._now_s), converts, reports, self._policy.half_life_s)
        faded = 0.5 ** ((self._now_s - arm.anchored_s) / self._policy.anchor_half_life_s)
        arm.anchor, arm.anchored_s = arm.anchor**faded, self._now_s

    def _derive(self) -> None:
        """Rates by the effects as they were, then effects by these rates; receipts first, since they lead."""
        self._derive_rates(RECEIPTS)
        self._derive_effects(RECEIPTS, {})
        self._derive_rates(CONVERSIONS)
        self._judge_apps()
        self._derive_trust()
        centres = {
            carrier_id: 1.0
            + self._trust.of(GENERAL, carrier_id) * (self._effects[RECEIPTS].effect(GENERAL, "", "", carrier_id) - 1.0)
            for carrier_id in self._trust.carriers()
        }
        self._derive_effects(CONVERSIONS, centres)
        self._priors.clear()
        for channel in CHANNELS:
            self._derive_strength(channel)

    def _counted(self, key: CellKey, channel: int) -> bool:
        if channel == RECEIPTS:
            return True
        watch = self._apps[key.account_id, key.app_id]
        return watch.word == REPORTING or watch.stopped

    def _tells_changes(self, key: CellKey) -> bool:
        watch = self._apps[key.account_id, key.app_id]
        return watch.word == REPORTING and not watch.stopped and self._now_s >= watch.in_bulk_until_s

    def _derive_rates(self, channel: int) -> None:
        rates, effects = self._rates[channel], self._effects[channel]
        rates.begin()
        found: list[tuple[CellKey, float, float]] = []
        all_trials = all_standardised = 0.0
        for key, cell in self._cells.items():
            if not self._counted(key, channel):
                continue
            successes = standardised = 0.0
            for carrier_id, arm in cell.arms.items():
                sums = arm.sums[channel]
                successes += sums.successes
                all_trials += sums.trials
                standardised += sums.trials * effects.effect(key.account_id, key.country, key.network, carrier_id)
            all_standardised += standardised
            found.append((key, successes, standardised))
        # Rates times effects are what counts, and without an anchor the two would drift apart: the mean effect is 1.
        scale = all_trials / all_standardised if all_standardised > 0 else 1.0
        for key, successes, standardised in found:
            rates.add(key.account_id, key.app_id, key.country, key.network, successes, standardised * scale)

    def _derive_effects(self, channel: int, centres: Mapping[int, float]) -> None:
        effects = self._effects[channel]
        effects.begin(centres)
        for key, cell in self._cells.items():
            if not self._counted(key, channel):
                continue
            rate = self._rate(key, channel)
            for carrier_id, arm in cell.arms.items():
                sums = arm.sums[channel]
                expected = sums.trials * rate
                effects.add(key.account_id, key.country, key.network, carrier_id, sums.successes, expected)
        effects.ready()

    def _rate(self, key: CellKey, channel: int) -> float:
        return self._rates[channel].rate(key.account_id, key.app_id, key.country, key.network)

    def _judge_apps(self) -> None:
        totals: dict[tuple[int, str], list[float]] = {app: [0.0, 0.0] for app in self._apps}
        for key, cell in self._cells.items():
            pair = totals[key.account_id, key.app_id]
            for arm in cell.arms.values():
                pair[0] += arm.sums[CONVERSIONS].successes
                pair[1] += arm.sums[CONVERSIONS].trials
        for app, (successes, trials) in totals.items():
            self._apps[app].judge(self._now_s, successes, trials)

    def _derive_trust(self) -> None:
        """Conversions against what a carrier's receipts promise, by its cells' own yield of a delivered message."""
        trust = self._trust
        trust.begin()
        for key, cell in self._cells.items():
            trust.see(cell.arms)
            if self._counted(key, CONVERSIONS):
                trust.add(key.account_id, {carrier_id: arm.sums[CONVERSIONS] for carrier_id, arm in cell.arms.items()})
        trust.conclude({account_id for account_id, _app_id in self._apps})

    def _adapt(self) -> bool:
        """Cuts the memory of carriers that have changed; whether any has."""
        now_minute = int(self._now_s // 60)
        any_cut = False
        for channel in (RECEIPTS, CONVERSIONS):
            listed: list[tuple[_Cell, int, CarrierMemory, list[ChangeSample]]] = []
            groups: dict[tuple[int, str, int], list[list[ChangeSample]]] = {}
            for key, cell in self._cells.items():
                if channel == CONVERSIONS and not self._tells_changes(key):
                    continue
                account_id = key.account_id if channel == CONVERSIONS else 0
                arms = [(arm, *self._prior(key, carrier_id, arm, channel)) for carrier_id, arm in cell.arms.items()]
                found = windows_of(arms, channel)
                for (carrier_id, arm), parts in zip(cell.arms.items(), found, strict=True):
                    if parts is None:
                        continue
                    listed.append((cell, carrier_id, arm, parts))
                    for group in ((account_id, key.country, carrier_id), (account_id, "", carrier_id)):
                        groups.setdefault(group, []).append(parts)
            drift, limit = self._policy.drift_strength, self._policy.contradiction
            changed = {group: strongest(members, now_minute, 0, drift, limit) for group, members in groups.items()}
            for cell, carrier_id, arm, parts in listed:
                account_id = cell.key.account_id if channel == CONVERSIONS else 0
                change = self._verdict(
                    parts,
                    strongest([parts], now_minute, arm.cut_from[channel], drift, limit),
                    (changed[account_id, cell.key.country, carrier_id], changed[account_id, "", carrier_id]),
                )
                if change is not None:
                    any_cut = self._cut(cell.key, carrier_id, arm, channel, change) or any_cut
        return any_cut

    def _verdict(
        self, parts: list[ChangeSample], own: CarrierChange | None, groups: Iterable[CarrierChange | None]
    ) -> CarrierChange | None:
        """A cell's own contradiction, or a wider one that the cell's own facts do not speak against."""
        if own is not None:
            return own
        for change in groups:
            if change is None:
                continue
            window = window_of([parts[change.length]])
            spoken = window.evidence(self._policy.drift_strength)
            if window.expected < 2.0 or spoken * change.evidence > 0:
                return change
        return None

    def _cut(self, key: CellKey, carrier_id: int, arm: CarrierMemory, channel: int, change: CarrierChange) -> bool:
        if arm.cut_from[channel] >= change.from_minute:
            return False
        arm.cut(channel, change.from_minute)
        if channel == CONVERSIONS:
            self._anchor(arm, change.factor)
        elif self.reporting(key.account_id, key.app_id) != REPORTING:
            pass  # receipts decide here; what conversions once taught of their honesty stays
        elif self.trust(key.account_id, carrier_id) >= self._policy.trust_min and not self._overruled(arm, change):
            arm.cut(CONVERSIONS, change.from_minute)
            self._anchor(arm, change.factor)
        self._age(key, carrier_id, arm)
        for each in CHANNELS:
            self._priors.pop((key, carrier_id, each), None)
        return True

    def _anchor(self, arm: CarrierMemory, factor: float) -> None:
        arm.anchor = min(3.0, max(0.05, arm.anchor * factor))

    def _overruled(self, arm: CarrierMemory, change: CarrierChange) -> bool:
        """Whether the conversions of the same minutes say that nothing has changed."""
        sums = arm.sums[CONVERSIONS]
        came, trials, _least, _most = sums.windows[change.length]
        before = sums.trials - trials
        if before <= 0:
            return False
        expected = trials * max(0.0, sums.successes - came) / before
        return came * log(change.factor) - expected * (change.factor - 1.0) < -2.0

    def _sustain(self, now_s: float) -> None:
        """A cell's genuine rate follows a rise within the hour and a fall within days: an attack is not people."""
        step_s = 0.0 if self._sustained_s is None else max(0.0, now_s - self._sustained_s)
        self._sustained_s = now_s
        for key, cell in self._cells.items():
            rate = self._rate(key, CONVERSIONS)
            if cell.sustained is None:
                cell.sustained = rate
            else:
                half_life_s = 3_600.0 if rate > cell.sustained else 4 * 86_400.0
                cell.sustained += (rate - cell.sustained) * (1.0 - 0.5 ** (step_s / half_life_s))

    def trust(self, account_id: int, carrier_id: int) -> float:
        """0..1: how far a carrier's receipts are believed, by what its conversions say."""
        return self._trust.of(account_id, carrier_id)

    def _prior(self, key: CellKey, carrier_id: int, arm: CarrierMemory | None, channel: int) -> tuple[float, float]:
        """The mean that everything but the cell's own count of this carrier leads to expect, and the messages that it
        weighs: the fewer, the more cells differ and the less there is to tell of.
        """
        mean, rests_on = self._prior_mean(key, carrier_id, arm, channel)
        odds = (1.0 - mean) / mean
        return mean, odds / (odds / self._strengths[channel] + 1.0 / rests_on)

    def _prior_mean(
        self, key: CellKey, carrier_id: int, arm: CarrierMemory | None, channel: int
    ) -> tuple[float, float]:
        """A prior's mean, and the expected successes that it rests on. The same from a derivation on until the next,
        but for an arm that is cut.
        """
        place = (key, carrier_id, channel)
        known = self._priors.get(place)
        if known is None:
            known = self._priors[place] = self._fresh_prior_mean(key, carrier_id, arm, channel)
        return known

    def _fresh_prior_mean(
        self, key: CellKey, carrier_id: int, arm: CarrierMemory | None, channel: int
    ) -> tuple[float, float]:
        rate = self._rate(key, channel)
        sums = arm.sums[channel] if arm is not None else None
        came, expected = (sums.successes, sums.trials * rate) if sums is not None else (0.0, 0.0)
        effect, rests_on = self._effects[channel].outside(
            key.account_id, key.country, key.network, carrier_id, came, expected
        )
        anchor = arm.anchor if arm is not None and channel == CONVERSIONS else 1.0
        return min(0.98, max(0.0005, rate * effect * anchor)), rests_on + self._policy.effect_strength

    def _derive_strength(self, channel: int) -> None:
        """How much cells differ beyond chance: the Beta-binomial's strength, by moments."""
        excess, weight = self._policy.alike_weight / self._policy.alike, self._policy.alike_weight
        for key, cell in self._cells.items():
            if not self._counted(key, channel):
                continue
            for carrier_id, arm in cell.arms.items():
                sums = arm.sums[channel]
                if sums.trials < 2.0 or not 0.9 < arm.anchor < 1.1:
                    continue
                mean, _rests_on = self._prior_mean(key, carrier_id, arm, channel)
                off = sums.successes - mean * sums.trials
                excess += off * off / (mean * (1.0 - mean) * sums.trials) - 1.0
                weight += sums.trials - 1.0
        differ = max(1e-9, excess / weight)
        self._strengths[channel] = min(self._policy.strength_max, max(self._policy.strength_min, 1.0 / differ))

    def beliefs(self, cell: CellKey, carriers: Sequence[int]) -> Sequence[Posterior]:
        """What is believed of each carrier in a cell, also in one never heard of."""
        known = self._cells.get(cell)
        by_receipts = self.reporting(cell.account_id, cell.app_id) in (SILENT, UNKNOWN)
        return [
            self._belief(cell, carrier_id, None if known is None else known.arms.get(carrier_id), by_receipts)
            for carrier_id in carriers
        ]

    def _belief(self, key: CellKey, carrier_id: int, arm: CarrierMemory | None, by_receipts: bool) -> Posterior:
        conversions = trials = delivered = reports = 0.0
        if arm is not None:
            conversions, trials = max(0.0, arm.sums[CONVERSIONS].successes), max(0.0, arm.sums[CONVERSIONS].trials)
            delivered, reports = max(0.0, arm.sums[RECEIPTS].successes), max(0.0, arm.sums[RECEIPTS].trials)
        if by_receipts:
            honest = self._trust.honest(key.account_id, carrier_id)
            prior, strength = self._prior(key, carrier_id, arm, RECEIPTS)
            weight = strength + reports
            mean = min(0.995, (prior * strength + delivered) / weight * honest)
            alpha, beta = mean * weight, (1.0 - mean) * weight
            source = "receipts" if reports >= 1.0 else "prior"
        else:
            prior, strength = self._prior(key, carrier_id, arm, CONVERSIONS)
            alpha = prior * strength + conversions
            beta = (1.0 - prior) * strength + max(0.0, trials - conversions)
            source = "conversions" if trials >= 1.0 or conversions >= 1.0 else "prior"
        low, high = interval(alpha, beta)
        return Posterior(
            carrier_id,
            trials,
            conversions,
            alpha / (alpha + beta),
            low,
            high,
            alpha,
            beta,
            min(1.0, delivered / reports) if reports >= 1.0 else None,
            source,
        )

    def active(self) -> Sequence[CellKey]:
        """Cells with traffic lately."""
        since_s = self._now_s - LEARN_ACTIVE_S
        return [key for key, cell in self._cells.items() if cell.seen_s >= since_s]

    def block(self, cell: CellKey) -> str:
        """A range of a thousand numbers in a cell: for costs, which go by prefix. '' where none is known."""
        known = self._cells.get(cell)
        return "" if known is None else known.block

    def yields(self) -> Sequence[ReceiptYield]:
        """Of each carrier, what became of what its receipts call delivered, beside its peers in the same cells."""
        found: dict[int, list[float]] = {}
        for key, cell in self._cells.items():
            if not self._counted(key, CONVERSIONS):
                continue
            listed = []
            for carrier_id, arm in cell.arms.items():
                known = arm.sums[CONVERSIONS]
                if known.trials > 0:
                    listed.append((carrier_id, max(0.0, known.successes), max(0.0, known.told), known.trials))
            for carrier_id, converted, told, trials in listed:
                peers = sum(one[1] for one in listed if one[0] != carrier_id)
                peers_told = sum(one[2] for one in listed if one[0] != carrier_id)
                if peers_told < 1.0:
                    continue
                sums = found.setdefault(carrier_id, [0.0, 0.0, 0.0, 0.0, 0.0])
                for place, value in enumerate((converted, told * peers / peers_told, peers, told, trials)):
                    sums[place] += value
        return [
            ReceiptYield(
                carrier_id,
                told / trials if trials > 0 else 0.0,
                converted,
                promised,
                peers,
                self._receipt_times.counts((carrier_id,)),
            )
            for carrier_id, (converted, promised, peers, told, trials) in found.items()
        ]

    def expected_rate(self, cell: CellKey, carrier_id: int) -> float:
        """The chance (0..1) that a genuine message converts: an attack's silence hardly lowers it."""
        known = self._cells.get(cell)
        rate = self._rate(cell, CONVERSIONS)
        if known is not None and known.sustained is not None:
            rate = max(rate, known.sustained)
        effect = self._effects[CONVERSIONS].effect(cell.account_id, cell.country, cell.network, carrier_id)
        return min(0.995, rate * effect)

    def reporting(self, account_id: int, app_id: str) -> str:
        """ "reporting", "silent" (stopped or never) or "unknown"."""
        watch = self._apps.get((account_id, app_id))
        return UNKNOWN if watch is None else watch.word


def interval(alpha: float, beta: float) -> tuple[float, float]:
    """About the middle 95 % of a Beta, by the normal on the logit."""
    middle = log(alpha / beta)
    spread = Z_95 * sqrt(1.0 / alpha + 1.0 / beta)
    return 1.0 / (1.0 + exp(spread - middle)), 1.0 / (1.0 + exp(-spread - middle))


def _times(key: CellKey, carrier_id: int) -> tuple[Key, ...]:
    app = key.account_id, key.app_id
    return ("",), app, (*app, carrier_id), (*app, carrier_id, key.country)


def _receipts(carrier_id: int, country: str) -> tuple[Key, ...]:
    return ("",), (carrier_id,), (carrier_id, country)
