"""The routing learner: each carrier's conversion rate in each cell, as posteriors. Pure.

docs/internals/learning.md has the formulas. A cell is an app of an account and a network. The learner observes deltas;
an update ages what it remembers, looks for changes of carriers, and recalculates rates, effects and priors. Deltas and
updates carry their own times, so that it runs on a virtual clock as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from homing.learning.change_search import ChangeSearch
from homing.learning.delays import DelayHistograms
from homing.learning.estimates import CarrierEstimates
from homing.learning.fake_receipts import ReceiptYield
from homing.learning.late_evidence import LateEvidence
from homing.learning.learned_cell import LearnedCell, conversion_keys, receipt_keys
from homing.learning.memory import (
    CONVERSIONS,
    RECEIPTS,
    CarrierMemory,
    ChannelSums,
)
from homing.learning.outlook import AGES_S, REACHED_MAX, TRIALS_MIN, CarrierOutlook, Outlook, willingness
from homing.learning.policy import LearningPolicy
from homing.learning.posterior import Posterior, interval
from homing.learning.reporting import REPORTING, SILENT, UNKNOWN, AppReporting
from homing.learning.superseded import withdrawal
from homing.model import ReceiptState
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

LEARN_CELLS_MAX: Final = 5_000  # in memory
LEARN_ACTIVE_S: Final = 3_600.0  # a cell without traffic for so long gets no shares of its own
RATE_RISE_HALF_LIFE_S: Final = 1_800.0
RATE_FALL_HALF_LIFE_S: Final = 4 * 86_400.0


class RoutingLearner:
    """Observes deltas, is updated every limits.LEARN_S, and gives posteriors. Not thread-safe."""

    def __init__(self, policy: LearningPolicy | None = None) -> None:
        self._policy = policy or LearningPolicy()
        self._now_s = 0.0
        self._cells: dict[CellKey, LearnedCell] = {}
        self._apps: dict[tuple[int, str], AppReporting] = {}
        self._declared: dict[str, bool | None] = {}
        self._conversion_delays = DelayHistograms(self._policy)
        self._receipt_delays = DelayHistograms(self._policy)
        self._late = LateEvidence(self._policy, self._apps, self._conversion_delays)
        self._estimates = CarrierEstimates(self._policy, cells=self._cells, apps=self._apps, late=self._late)
        self._changes = ChangeSearch(
            self._policy,
            cells=self._cells,
            apps=self._apps,
            late=self._late,
            estimates=self._estimates,
            age=self._age,
        )
        self._outlooks: dict[CellKey, Outlook | None] = {}  # cache of `outlook`
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

    def restore(self, delta: Delta, receipt_delays: Sequence[int], conversion_delays: Sequence[int]) -> None:
        """Observes a period of the past as one delta, with its delays by bucket (common/histogram.py)."""
        self._observe(delta, is_past=True)
        key = CellKey(delta.account_id, delta.app_id, delta.country, delta.network)
        decay = 0.5 ** (max(0.0, self._now_s - delta.minute * 60.0) / self._policy.delays_half_life_s)
        for bucket, count in enumerate(receipt_delays):
            if count:
                self._receipt_delays.add(receipt_keys(delta.carrier_id, delta.country), bucket, count * decay)
        for bucket, count in enumerate(conversion_delays):
            if count:
                self._conversion_delays.add(conversion_keys(key, delta.carrier_id), bucket, count * decay)

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
        if delta.resent:
            # Few are left who would answer; an answer shows that the app reports, and nothing of a carrier.
            app.observe(minute, 0, 0 if is_past else delta.converted)
            return
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = LearnedCell(key, start_s)
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
                conversion_keys(key, delta.carrier_id), delta.conversion_bucket, delta.converted, minute
            )
        if delta.receipt_bucket >= 0:
            receipts = delta.delivered + delta.undelivered
            self._receipt_delays.add(
                receipt_keys(delta.carrier_id, delta.country), delta.receipt_bucket, receipts, minute
            )
        self._late.observe(key, delta, minute)

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
                self._conversion_delays.add(conversion_keys(key, delta.carrier_id), bucket, count * share, minute)

    def update(self, now_s: float) -> None:
        """Ages the memory, looks for changes, and recalculates everything. To be called every limits.LEARN_S."""
        step_s = max(0.0, now_s - self._now_s)
        self._now_s = now_s
        self._outlooks.clear()
        self._drop_idle_cells()
        self._conversion_delays.advance(now_s)
        self._receipt_delays.advance(now_s)
        for (account_id, app_id), app in self._apps.items():
            curves = self._conversion_delays.curves((("",), (account_id, app_id)))
            app.update(now_s, self._estimates.rates[CONVERSIONS].rate(account_id, app_id), curves.lower)
        self._late.update(now_s, step_s, self._cells.values(), self._estimates.rates[CONVERSIONS])
        for cell in self._cells.values():
            for carrier_id, memory in cell.memories.items():
                self._age(cell.key, carrier_id, memory)
        self._estimates.derive(now_s)
        if self._changes.cut_changed(now_s):
            self._estimates.derive(now_s)
        self._update_sustained_rates(now_s)

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
            self._conversion_delays.curves(self._late.curve_keys(key, carrier_id)),
            self._receipt_delays.curves(receipt_keys(carrier_id, key.country)),
            self._late.terms(key),
            self._policy.half_life_s,
            self._late.progress(key),
        )
        decay = 0.5 ** ((self._now_s - memory.factor_s) / self._policy.factor_half_life_s)
        memory.prior_factor, memory.factor_s = memory.prior_factor**decay, self._now_s

    def _update_sustained_rates(self, now_s: float) -> None:
        """The rate of genuine messages by a carrier follows a rise within the hour and a fall within days: those of an
        attack, which do not convert, must not lower it.
        """
        step_s = 0.0 if self._sustained_s is None else max(0.0, now_s - self._sustained_s)
        self._sustained_s = now_s
        rise = 1.0 - 0.5 ** (step_s / RATE_RISE_HALF_LIFE_S)
        fall = 1.0 - 0.5 ** (step_s / RATE_FALL_HALF_LIFE_S)
        for key, cell in self._cells.items():
            rates = cell.sustained_rates
            for carrier_id in cell.memories:
                rate = self._estimates.expected_now(key, carrier_id)
                sustained = rates.get(carrier_id, rate)
                rates[carrier_id] = sustained + (rate - sustained) * (rise if rate > sustained else fall)

    # ---- results

    def posteriors(self, key: CellKey, carriers: Sequence[int]) -> Sequence[Posterior]:
        """The posterior of each of these carriers in a cell; also in one without any data."""
        cell = self._cells.get(key)
        app_key = key.account_id, key.app_id
        by_receipts = self.reporting(*app_key) in (SILENT, UNKNOWN) and not self._late.is_known(app_key)
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
            honesty = self._estimates.trust.honesty(key.account_id, carrier_id)
            prior, strength = self._estimates.prior(key, carrier_id, memory, RECEIPTS)
            weight = strength + reports
            mean = min(0.995, (prior * strength + delivered) / weight * honesty)
            alpha, beta = mean * weight, (1.0 - mean) * weight
            source = "receipts" if reports >= 1.0 else "prior"
        else:
            prior, strength = self._estimates.prior(key, carrier_id, memory, CONVERSIONS)
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
        return {app_key: minute * 60.0 for app_key, minute in self._late.from_minute.items()}

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
            if not self._estimates.counts(key, CONVERSIONS):
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
            carrier_id: self._conversion_delays.known(self._late.curve_keys(key, carrier_id))
            for carrier_id in cell.memories
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
            receipts = self._receipt_delays.known(receipt_keys(posterior.carrier_id, key.country))
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
        """The probability (0..1) that a genuine message converts: the messages of an attack hardly lower it.

        What is expected of messages is compared with what was of those before, so that it must not jump: of a carrier
        that was used here it is the sustained rate.
        """
        cell = self._cells.get(key)
        sustained = None if cell is None else cell.sustained_rates.get(carrier_id)
        return min(0.995, self._estimates.expected_now(key, carrier_id) if sustained is None else sustained)

    def trust(self, account_id: int, carrier_id: int) -> float:
        """0..1: how far a carrier's receipts are trusted, by the conversions of its messages."""
        return self._estimates.trust.trust(account_id, carrier_id)

    def reporting(self, account_id: int, app_id: str) -> str:
        """Whether an app reports conversions: "reporting", "silent" (stopped or never) or "unknown"."""
        app = self._apps.get((account_id, app_id))
        return UNKNOWN if app is None else app.status
