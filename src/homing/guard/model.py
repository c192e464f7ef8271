"""The fraud model: which number ranges and networks are pumped, by all messages and their conversions. Pure; a clock
and the expected conversion rates are passed in.

It runs in the process that adds up statistics, observes every delta there, and is updated every second or two. What it
concludes is a snapshot (guard/snapshot.py). docs/internals/guard.md describes the method.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from homing.common import histogram
from homing.common.mixing import mix64
from homing.guard.address_model import AddressDelta, AddressModel
from homing.guard.budgets import UsageCounter
from homing.guard.decay import Decay
from homing.guard.linked_ranges import update_linked_ranges
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.risk import DestinationRisks
from homing.guard.scattered import update_scattered
from homing.guard.scoring import RangeScore, Scorer, odds_of
from homing.guard.snapshot import (
    WHOLE_NETWORK,
    AddressKey,
    Allowance,
    ClosedRanges,
    GuardSnapshot,
    NetworkKey,
    NetworkLimits,
    RangeKey,
    Verdict,
)
from homing.guard.state import HOUR_MIN, AppState, ModelState, NetworkState, RangeState
from homing.guard.strictness import StrictnessSettings
from homing.guard.unseen_places import forget_beyond_limit, unseen_places, update_known_traffic
from homing.guard.usual_shares import update_ratios
from homing.reasons import Reason, ReasonCode
from homing.routing.cells import CellKey
from homing.statistics.delta import Delta

ExpectedRate = Callable[[CellKey, int], float]
"""The genuine conversion rate of an app's messages to a network by a carrier, 0..1."""
Reporting = Callable[[int, str], str]
"""Whether an account's app reports conversions: "reporting", or something else."""
VOTES_PER_RANGE: Final = 2.0  # in ten minutes
WATCH_S: Final = 1_800.0  # for which a silent range is scored without further messages
FAST_SHARE_MAX: Final = 0.1  # of an app's conversions; where more are fast, fast ones are genuine
SAME_S: Final = 1e-3  # by which the time of a verdict may differ from what is stored of it
NETWORK_MARGIN_NATS: Final = 2.0  # that a verdict on a whole network needs beside a range's


class ModelPace(msgspec.Struct, frozen=True):
    """How often an update does more than score what has changed. Seconds; of service."""

    networks_s: float = 5.0  # between two updates of the networks' limits
    ratios_s: float = 30.0  # of conversion ratios and expected rates
    wide_s: float = 60.0  # of the wider ranges' scores, and of what many ranges show together


class FraudModel:
    """Evidence by account, app, network and number range, and the verdicts that follow from it."""

    def __init__(self, policy: GuardPolicy | None = None, pace: ModelPace | None = None, salt: int = 0) -> None:
        """`salt`: a secret of 64 bits, by which it is drawn what is closed in an attack."""
        self._policy = policy or GuardPolicy()
        self._pace = pace or ModelPace()
        self._salt = salt
        self.state = ModelState(self._policy)
        self._verdicts = self.state.verdicts
        self._scorer = Scorer(self.state)
        self._decay = Decay(self.state)
        self._usage = UsageCounter()
        self._addresses = AddressModel(
            policy=self._policy,
            app_of=self.state.app,
            rate_of=self._rate_in,
            needed_nats=self.state.needed_nats,
        )
        self._observed: set[RangeKey] = set()  # since the last update
        self._observed_wide: set[RangeKey] = set()  # of more than 1,000 numbers
        self._watched: dict[RangeKey, float] = {}  # silent ranges that are scored without further messages, until when
        self._watched_at = (0, 0.0)  # the minute and the conversion ratios that they were scored by
        self._limits: dict[NetworkKey, NetworkLimits] = {}
        self._now_s = 0.0
        self._networks_s = self._ratios_s = self._wide_ranges_s = 0.0
        self.snapshot = GuardSnapshot()

    def set_risks(self, risks: DestinationRisks) -> None:
        """Replaces the risks of destinations, from the next update on."""
        self.state.risks = risks

    def set_strictness(self, strictness: StrictnessSettings) -> None:
        """Replaces what operators chose, from the next update on. Verdicts that stand keep standing."""
        if strictness != self.state.strictness:
            self.state.strictness = strictness
            for network in self.state.networks.values():
                network.is_changed = True

    def network_countries(self) -> Mapping[NetworkKey, str]:
        """The country of every known network."""
        return {key: network.key.country for key, network in self.state.networks.items()}

    # ---- observing

    def observe(self, deltas: Iterable[Delta]) -> None:
        for delta in deltas:
            if delta.submitted or delta.converted:
                self._observe(delta)

    def observe_addresses(self, deltas: Sequence[AddressDelta]) -> None:
        self._addresses.observe(deltas)

    def _rate_in(self, account_id: int, app_id: str, network: str) -> float:
        state = self.state.networks.get((account_id, app_id, network))
        return 0.0 if state is None else state.rate

    def _observe(self, delta: Delta) -> None:
        state = self.state
        network = state.network(delta.account_id, delta.app_id, delta.country, delta.network)
        app = network.app
        network.active_s = max(network.active_s, delta.minute * 60.0)
        if delta.submitted:
            self._usage.observe(delta)
        if delta.resent:  # the first message stands for the request, whichever of them brings the person back
            delta = msgspec.structs.replace(delta, submitted=0)
        submitted, converted = float(delta.submitted), float(delta.converted)
        if submitted:
            network.carriers[delta.carrier_id] = network.carriers.get(delta.carrier_id, 0.0) + submitted
            network.price_micro = delta.revenue_micro / submitted if delta.revenue_micro > 0 else network.price_micro
            if network.scattered_until_s:
                network.recent_ranges[delta.block] = delta.minute
        if converted > 0 and delta.conversion_bucket >= 0:
            app.delays.observe(delta.conversion_bucket, delta.converted)
            if self._is_too_fast(delta.conversion_bucket, app):
                converted = 0.0
        votes = converted_votes = capped = 0.0
        is_flagged = False
        for level, cut in enumerate(LEVELS):
            digits = delta.block[: len(delta.block) + LEVELS[0] - cut]
            key = (delta.account_id, delta.app_id, delta.network, digits)
            range_state = state.ranges.get(key)
            if range_state is None:
                range_state = state.ranges[key] = RangeState(digits, level)
            is_flagged = key in self._verdicts.by_range
            cohort = range_state.cohort(delta.minute, submitted > 0)
            if level == 0:
                if submitted:
                    capped, votes = range_state.count(delta.minute, submitted, network.range_limits[0], VOTES_PER_RANGE)
                if converted and cohort.messages > 0:
                    converted_votes = converted * min(1.0, cohort.voting_messages / cohort.messages)
                self._observed.add(key)
            else:
                self._observed_wide.add(key)
            range_state.observed_s = self._now_s
            if is_flagged:  # such messages are no history of the network, and so none of the range
                capped = 0.0
            cohort.messages += submitted
            cohort.conversions += converted
            cohort.capped_messages += capped
            cohort.voting_messages += votes
            cohort.voting_conversions += converted_votes
            range_state.recent_messages += submitted
            range_state.recent_conversions += converted
            if capped:
                network.pairs[level] += 2 * range_state.capped_total * capped + capped * capped - capped
                range_state.capped_total += capped
            if is_flagged:  # what is flagged is not counted in anything wider
                break
        network.is_changed = True
        if not is_flagged:
            network.observe(delta)
            state.country(delta.account_id, delta.app_id, delta.country).observe(delta)
            if capped:
                network.add_capped(delta.minute, capped)
        if votes or converted_votes:
            network.ratios.add(delta.minute, votes, converted_votes, network.rate)
            app.ratios.add(delta.minute, votes, converted_votes, network.rate)

    def _is_too_fast(self, bucket: int, app: AppState) -> bool:
        """Whether a conversion came before a person could have read and typed the code."""
        fast_s = self._policy.fast_conversion_s
        return histogram.edges_of(bucket)[1] <= fast_s and app.delays.share_below(fast_s) < FAST_SHARE_MAX

    # ---- updating

    def update(self, now_s: float, expected_rate: ExpectedRate, reporting: Reporting) -> None:
        """Scores the ranges that have changed or aged, and makes the snapshot. Cheap enough for every second."""
        self._now_s = now_s
        minute = int(now_s // 60)
        if now_s - self._networks_s >= self._pace.networks_s:
            self._update_networks(now_s, minute, expected_rate, reporting)
        if self._decay.is_due(now_s):
            self._usage.trim(minute)
            for dropped in self._decay.trim(now_s, minute):
                self._limits.pop(dropped, None)
        allowances: dict[RangeKey, Allowance] = {}
        # A flagged range is taken out of the wider ones, so the narrow come first; then by key, as sets have no order.
        for key in sorted(self._ranges_to_score(now_s, minute), key=lambda key: (-len(key[3]), key)):
            allowance = self._score(key, now_s, minute)
            if allowance is not None:
                allowances[key] = allowance
        self._add_scattered_allowances(allowances, now_s, minute)
        for key in self._verdicts.expired(now_s):
            self._release(key)
        self._update_limits(now_s, minute)
        self._addresses.update(now_s)
        self.snapshot = GuardSnapshot(
            made_s=now_s,
            networks=dict(self._limits),
            verdicts=dict(self._verdicts.by_range),
            allowances=allowances,
            usage=self._usage.usage(),
            reporting_apps=frozenset(key for key, app in self.state.apps.items() if app.reports_conversions),
            addresses=self._addresses.standings,
            due_probes=self._verdicts.due_probes(now_s),
            unseen=unseen_places(self.state),
        )

    def _update_networks(self, now_s: float, minute: int, expected_rate: ExpectedRate, reporting: Reporting) -> None:
        """Conversion ratios, expected rates, and what passes to ranges without history."""
        self._networks_s = now_s
        state = self.state
        is_ratios_due = now_s - self._ratios_s >= self._pace.ratios_s
        if is_ratios_due:
            passed_s, self._ratios_s = now_s - self._ratios_s if self._ratios_s else 0.0, now_s
            for (account_id, app_id), app in state.apps.items():
                app.delays.update()
                app.reports_conversions = reporting(account_id, app_id) == "reporting"
            update_ratios(state, minute)
            update_known_traffic(state, minute)
            forget_beyond_limit(state, passed_s)
        for network in state.networks.values():
            if network.active_s < now_s - HOUR_MIN * 60.0:
                continue
            if is_ratios_due or not network.rate:
                network.rate = _rate_of(network, expected_rate)
                if not network.is_proven:  # an attack's messages teach the learner that nobody converts there
                    network.rate = max(network.rate, self._policy.unproven_rate * network.app.known_rate)
            if is_ratios_due:
                network.ratios.update(minute, network.app.delays)
                network.is_changed = True
            network.count_ranges()
            if self._scorer.update_range_limits(network, minute):
                network.is_changed = True

    def _ranges_to_score(self, now_s: float, minute: int) -> set[RangeKey]:
        """Those with new deltas, watched ones when silence may count for more than before, and at times the wide."""
        keys, self._observed = self._observed, set()
        if self._watched_at != (minute, self._ratios_s):
            self._watched_at = minute, self._ratios_s
            self._watched = {key: until_s for key, until_s in self._watched.items() if until_s >= now_s}
            keys |= self._watched.keys()
        if now_s - self._wide_ranges_s >= self._pace.wide_s:
            self._wide_ranges_s = now_s
            update_linked_ranges(self.state, minute)
            update_scattered(self.state, now_s, minute)
            wide, self._observed_wide = self._observed_wide, set()
            keys |= wide
        return keys

    def _update_limits(self, now_s: float, minute: int) -> None:
        """The limits of the networks that have changed."""
        policy = self._policy
        countries: dict[tuple[int, str, str], Allowance] = {}
        for key, network in self.state.networks.items():
            if not network.is_changed:
                continue
            network.is_changed = False
            if not network.app.reports_conversions:
                self._limits[key] = NetworkLimits(network.range_limits, None, None, None, network.may_block)
                continue
            network.verdict = self._network_verdict(network, now_s, minute)
            country = key[0], key[1], network.key.country
            if country not in countries:
                floor = policy.country_unverified_floor
                countries[country] = self._scorer.unverified(network.country, minute, floor)
            unverified = self._scorer.unverified(network, minute, policy.network_unverified_floor)
            self._limits[key] = NetworkLimits(
                ranges=(1, *network.range_limits[1:]) if network.scattered_until_s > now_s else network.range_limits,
                network=unverified,
                country=countries[country],
                verdict=network.verdict,
                is_seen=network.is_proven,
                notice=network.notice,
                closed=self._closed(network, now_s),
            )

    def _closed(self, network: NetworkState, now_s: float) -> ClosedRanges | None:
        """Other ranges each hour, so that nobody is kept out for long."""
        if not network.closed_share:
            return None
        return ClosedRanges(network.closed_share, mix64(self._salt ^ int(now_s // 3600)), network.open_ranges)

    def _add_scattered_allowances(self, allowances: dict[RangeKey, Allowance], now_s: float, minute: int) -> None:
        """Of networks with a scattered attack, the ranges that had a message some minutes ago: without a conversion
        they get no second; with one, as many may be open as are usual there, and at least one.
        """
        for key, network in self.state.networks.items():
            if not network.scattered_until_s:
                continue
            network.is_changed = True
            if network.scattered_until_s <= now_s or not network.app.reports_conversions:
                network.end_scattered()
                continue
            oldest = minute - network.scattered_wait_min
            recent = {digits: latest for digits, latest in network.recent_ranges.items() if latest >= oldest}
            network.recent_ranges = recent
            for digits in recent:
                range_key = (*key, digits)
                range_state = self.state.ranges.get(range_key)
                if range_state is None:
                    continue
                allowance = self._scorer.open_allowance(network, range_state, minute)
                present = allowances.get(range_key)
                if present is None or allowance.limit - allowance.counted < present.limit - present.counted:
                    allowances[range_key] = allowance

    # ---- verdicts on ranges

    def _score(self, key: RangeKey, now_s: float, minute: int) -> Allowance | None:
        """Flags a range, or gives its allowance where that differs from the network's limits."""
        policy, scorer = self._policy, self._scorer
        range_state, network = self.state.ranges.get(key), self.state.networks.get(key[:3])
        if range_state is None or network is None:
            return None
        verdict = self._verdicts.by_range.get(key)
        if verdict is not None:
            self._rescore(key, range_state, network, verdict, minute)
            return None
        messages_min = policy.flag_messages_min
        is_silent = range_state.recent_messages - range_state.recent_conversions >= messages_min - 1
        limit = network.range_limits[range_state.level]
        is_dense = range_state.period_messages * 2 >= limit or range_state.recent_messages >= 3 * limit
        if range_state.recent_messages < messages_min or not (is_silent or is_dense):
            return None
        score = scorer.score(network, key, range_state, minute)
        needed_nats = self.state.needed_nats(key[0])
        if score.total >= needed_nats:
            self._flag(key, range_state, network, score, now_s)
            return None
        if range_state.level == 0 and is_silent and network.app.reports_conversions:
            largest_silence = scorer.silence(
                network, range_state.archived_exposure + range_state.recent_messages, score.conversions
            )
            if score.prior + largest_silence + score.density.nats + policy.rescore_margin_nats >= needed_nats:
                self._watched[key] = now_s + WATCH_S
        need_nats = needed_nats - score.prior - score.silence
        return scorer.allowance(network, range_state.level, score.density, need_nats)

    def _rescore(
        self, key: RangeKey, range_state: RangeState, network: NetworkState, verdict: Verdict, minute: int
    ) -> None:
        """Whether a verdict still holds, by the probes since and by late conversions of earlier messages. Density is
        that of the messages then: refused ones are not counted, so that its absence says nothing.
        """
        policy = self._policy
        if network.may_block and not verdict.may_block:  # of before conversions were reported: what came since counts
            range_state.times_flagged = max(0, range_state.times_flagged - 1)
            network.flagged.pop(range_state.digits, None)
            self._release(key)
            return
        sent, converted, odds = self._scorer.probe_odds(network, range_state, verdict.since_s, minute)
        if network.app.reports_conversions and odds < policy.clear_nats:
            self._clear(key, range_state, network)
            return
        score = self._scorer.score(network, key, range_state, minute)
        ratio = score.conversions / score.due if score.due > 0 else 1.0
        density_nats = self._scorer.density_of_flagged(network, range_state, verdict.since_s, ratio)
        if score.prior + score.silence + max(score.density.nats, density_nats) < policy.clear_nats:
            range_state.times_flagged = max(0, range_state.times_flagged - 1)
            network.flagged.pop(range_state.digits, None)
            self._verdicts.remove(key)
        else:
            last_s = range_state.last_message_s(verdict.since_s)
            self._verdicts.schedule_probe(key, last_s, sent, converted, range_state.times_flagged)

    def _flag(
        self, key: RangeKey, range_state: RangeState, network: NetworkState, score: RangeScore, now_s: float
    ) -> None:
        policy = self._policy
        gap_s = range_state.mean_gap_s(now_s)
        shortest_s = max(policy.verdict_s, policy.verdict_gaps * gap_s)
        length_s = min(policy.verdict_s_max, shortest_s * 2**range_state.times_flagged)
        range_state.times_flagged += 1
        range_state.density_when_flagged = score.density
        verdict = Verdict(score.reason, now_s, now_s + length_s, network.may_block)
        self._verdicts.add(key, verdict, range_state.times_flagged, gap_s)
        network.flagged[range_state.digits] = now_s
        network.flagged_wide.add(range_state.digits[:-2])
        parents = self.state.parents(key, range_state)
        network.exclude(range_state, parents)
        self._watched.pop(key, None)
        for area in (*parents, network, network.country):
            area.subtract(range_state)

    def _clear(self, key: RangeKey, range_state: RangeState, network: NetworkState) -> None:
        """Its probes converted: the range is genuine, is allowed more messages than were usual, and no longer counts
        against its neighbours. The verdict stays counted, so that probes of a next one come later: whoever forges
        conversions gains little.
        """
        pseudo_count = self._policy.range_pseudo_count
        usual = pseudo_count + range_state.history_before(network.horizon)
        self._release(key)
        range_state.history += usual * (self._policy.cleared_range_factor - 1.0)
        network.flagged.pop(range_state.digits, None)

    def _release(self, key: RangeKey) -> None:
        """Ends a verdict; what comes from now on is scored anew. The range's history goes on as if it had had its usual
        messages meanwhile: the network's did.
        """
        verdict, range_state = self._verdicts.by_range[key], self.state.ranges[key]
        self._verdicts.remove(key)
        range_state.restart()
        network = self.state.networks.get(key[:3])
        if network is not None:
            missed = self._scorer.missed(network, range_state, verdict.since_s, self._now_s)
            range_state.cohort(int(self._now_s // 60), True).capped_messages += missed

    # ---- verdicts on whole networks

    def _network_verdict(self, network: NetworkState, now_s: float, minute: int) -> Verdict | None:
        """A network of which hardly anybody ever converted is flagged as a whole, until its probes convert."""
        policy = self._policy
        if network.verdict is not None and network.verdict.until_s > now_s:
            return self._rescore_network(network, network.verdict, minute)
        self._verdicts.cancel_probes(network.whole)
        is_busy = network.messages_since(minute - policy.long_window_min) >= policy.short_window_min
        people = network.conversions_total + policy.closable_doubt
        if network.is_proven or not is_busy or people > policy.closable_share * network.app.conversions_total:
            return None
        exposure, conversions = network.exposure(minute, network.exposure_weights(minute))
        exposure, conversions = exposure + network.archived_exposure, conversions + network.archived_conversions
        due = exposure * network.rate
        if due <= 0 or conversions / due > policy.network_conversion_ratio_max:
            return None
        nats = self._scorer.prior(network) + self._scorer.silence(network, exposure, conversions)
        if nats < self.state.needed_nats(network.key.account_id) + NETWORK_MARGIN_NATS:
            return None
        network.clear_cohorts()
        self._verdicts.schedule_probe(network.whole, now_s, 0.0, 0.0, 1)
        reason = Reason.of(
            ReasonCode.GUARD_NETWORK_UNCONVERTED,
            conversions=round(conversions),
            expected=round(due, 1),
            odds=odds_of(nats),
        )
        return Verdict(reason, now_s, now_s + policy.verdict_s)

    def _rescore_network(self, network: NetworkState, verdict: Verdict, minute: int) -> Verdict | None:
        sent, converted, odds = self._scorer.probe_odds(network, network, verdict.since_s, minute)
        if odds < self._policy.clear_nats:
            self._verdicts.cancel_probes(network.whole)
            return None
        last_s = network.last_message_s(verdict.since_s)
        self._verdicts.schedule_probe(network.whole, last_s, sent, converted, 1)
        return verdict

    # ---- operators, and the state of an earlier process

    def lift(self, key: RangeKey, since_s: float | None = None) -> None:
        """An operator's decision that a range, or a network as a whole, is genuine: the evidence so far is dropped.
        `since_s`: of the verdict; the same lift may come again. None: whichever is in force.
        """
        network = self.state.networks.get(key[:3])
        if key[3] == WHOLE_NETWORK:
            if network is not None and _is_of(network.notice, since_s):
                network.active_s = max(network.active_s, self._now_s)
                network.end_scattered()
                network.genuine_until_s = self._now_s
                network.is_changed = True
            if network is not None and _is_of(network.verdict, since_s):
                self._verdicts.cancel_probes(key)
                network.verdict = None
                network.clear_cohorts()
                network.archived_exposure = network.archived_conversions = 0.0
                network.is_changed = True
        elif _is_of(self._verdicts.by_range.get(key), since_s):
            self._release(key)
            self.state.ranges[key].times_flagged = 0
            if network is not None:
                network.active_s = max(network.active_s, self._now_s)  # so that it is stored
                network.flagged.pop(key[3], None)

    def lift_address(self, key: AddressKey, lifted_s: float) -> None:
        """The same of an end user's address or prefix, from a unix time on."""
        self._addresses.lift(key, lifted_s)


def _is_of(verdict: Verdict | None, since_s: float | None) -> bool:
    """Whether it is there, and began then; as the database keeps it, to the microsecond."""
    return verdict is not None and (since_s is None or abs(verdict.since_s - since_s) < SAME_S)


def _rate_of(network: NetworkState, expected_rate: ExpectedRate) -> float:
    """The genuine conversion rate, weighted by the carriers that took its latest messages."""
    total = sum(network.carriers.values())
    if total <= 0:
        return network.rate
    shares = ((carrier_id, share) for carrier_id, share in network.carriers.items() if share > 0)
    return sum(share * expected_rate(network.key, carrier_id) for carrier_id, share in shares) / total
