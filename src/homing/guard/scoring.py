"""Scores of number ranges and networks: the posterior odds of fraud, as prior, silence and density. Pure."""

from math import exp, inf, log, log1p

import msgspec

from homing.guard.cohorts import CohortSeries
from homing.guard.density import Density
from homing.guard.likelihood import density_nats, first_count, silence_nats
from homing.guard.linked_ranges import stratum
from homing.guard.policy import LEVELS
from homing.guard.snapshot import Allowance, RangeKey
from homing.guard.state import AreaState, ModelState, NetworkState, RangeState
from homing.reasons import Reason, ReasonCode, rounded

WINDOWS = 2  # the one with more evidence counts, less ln 2 for the choice


class RangeScore(msgspec.Struct, frozen=True):
    """The log odds of a range, with the counts that they rest on: `exposure`, the messages whose conversions should
    have come, the `conversions` that did, and how many were `due`.
    """

    prior: float
    silence: float
    density: Density
    exposure: float
    conversions: float
    due: float

    @property
    def total(self) -> float:
        return self.prior + self.silence + self.density.nats

    @property
    def reason(self) -> Reason:
        """The stronger evidence: missing conversions, or density."""
        conversions, expected, odds = round(self.conversions), round(self.due, 1), odds_of(self.total)
        if self.silence > self.density.nats:
            return Reason.of(ReasonCode.GUARD_RANGE_UNCONVERTED, conversions=conversions, expected=expected, odds=odds)
        return Reason.of(
            ReasonCode.GUARD_RANGE_DENSE,
            messages=round(self.density.messages),
            usual=rounded(self.density.expected),
            conversions=conversions,
            expected=expected,
            odds=odds,
        )


def odds_of(nats: float) -> float:
    """So many to 1."""
    return rounded(exp(min(nats, 30.0)))


class Scorer:
    """Reads the state, and changes nothing of it but a network's `range_limits`."""

    def __init__(self, state: ModelState) -> None:
        self._state = state
        self._policy = state.policy

    # ---- posterior odds

    def score(self, network: NetworkState, key: RangeKey, range_state: RangeState, minute: int) -> RangeScore:
        prior = self.prior(network, key, range_state)
        silence = exposure = conversions = 0.0
        if network.app.reports_conversions:
            weights = network.exposure_weights(minute)
            if prior > self._policy.prior_nats_max:  # one of many such ranges: what is their own is no outage
                weights = network.linked_weights
            exposure, conversions = range_state.exposure(minute, weights)
            exposure, conversions = (
                exposure + range_state.archived_exposure,
                conversions + range_state.archived_conversions,
            )
            silence = max(-self._conversion_cap(range_state, minute), self.silence(network, exposure, conversions))
        ratio = conversions / (exposure * network.rate) if exposure * network.rate > 0 else 1.0
        density = self._density(network, range_state, minute, ratio)
        return RangeScore(prior, silence, density, exposure, conversions, exposure * network.rate)

    def prior(self, network: NetworkState, key: RangeKey | None = None, range_state: RangeState | None = None) -> float:
        """Of a range, or, without one, of any range of the network without history."""
        policy, area = self._policy, network.key
        prior = policy.prior_nats
        if not network.is_proven:
            prior += policy.new_network_nats
        prior += min(policy.contagion_nats_max, policy.contagion_nats * log1p(len(network.flagged)))
        digits = "" if range_state is None else range_state.digits
        prior += self._state.risks.nats(area.account_id, area.country, area.network, digits)
        if range_state is not None and key is not None:
            if self._state.verdicts.is_flagged_elsewhere(key):
                prior += policy.flagged_elsewhere_nats
            prior += policy.repeat_nats * min(2, range_state.times_flagged)
            if digits not in network.flagged and digits[:-2] in network.flagged_wide:
                prior += policy.sibling_nats
        prior = min(policy.prior_nats_max, prior)
        is_linked = range_state is not None and range_state.level == 0 and bool(network.attacked_nats)
        if range_state is None or not is_linked or range_state.recent_messages < policy.linked_messages_min:
            return prior
        attacked_nats = network.attacked_nats[stratum(range_state.recent_messages)]
        return max(prior, min(policy.linked_nats_max, attacked_nats))

    def silence(self, network: NetworkState, exposure: float, conversions: float) -> float:
        policy = self._policy
        return silence_nats(
            exposure, conversions, network.rate, policy.conversion_prior_strength, policy.attack_conversion_ratios
        )

    def probe_odds(
        self, network: NetworkState, series: CohortSeries, since_s: float, minute: int
    ) -> tuple[float, float, float]:
        """(messages that passed since a verdict, those of them that converted, log odds that it still holds). These
        begin at the odds that a verdict needs: older evidence is about what was then, and a refused message cannot
        convert.
        """
        since = int(since_s // 60)
        exposure, conversions = series.exposure(minute, network.exposure_weights(minute), since)
        odds = self._state.needed_nats(network.key.account_id) + self.silence(network, exposure, conversions)
        return series.messages_since(since + 1), conversions, odds

    def _conversion_cap(self, range_state: RangeState, minute: int) -> float:
        """The most that conversions may speak for a range. Whoever forges them does so for the thousands of numbers
        that are theirs: those of a wider range convert in many places.
        """
        policy = self._policy
        if range_state.level == 0:
            return policy.conversion_cap_nats
        votes = range_state.voting_conversions_since(minute - policy.long_window_min)
        return max(policy.conversion_cap_nats, policy.conversion_cap_nats_each * votes)

    # ---- density

    def _room(self, network: NetworkState, level: int, conversions: float, ratio: float) -> float:
        """Conversions at the genuine rate double a range's room: a crowd that converts is one of people. They can be
        forged, so that of 1,000 numbers there is a bound where the network's spread is known. `conversions`: of the
        window, so that those of hours ago make no room for a burst; `ratio`: of all, over those due.
        """
        policy = self._policy
        least, full = policy.doubling_ratios
        counted = conversions * min(1.0, max(0.0, (ratio - least) / (full - least)))
        is_bounded = level == 0 and network.has_known_spread
        doublings = counted / policy.conversions_per_doubling
        return float(2.0 ** min(doublings, policy.doublings_max if is_bounded else policy.doublings_max_unknown))

    def _density(self, network: NetworkState, range_state: RangeState, minute: int, ratio: float) -> Density:
        """`ratio`: the range's conversions over those due."""
        policy = self._policy
        short_since, long_since = minute - policy.short_window_min, minute - policy.long_window_min
        weight, share, shape = self._expected_share(network, range_state.level, range_state)
        short, long = range_state.windows(short_since, long_since)
        short_expected = self._other_messages(network, short_since, min(short.messages, short.capped_messages)) * share
        long_expected = self._other_messages(network, long_since, min(long.messages, long.capped_messages)) * share
        short_room = self._room(network, range_state.level, short.conversions, ratio)
        long_room = self._room(network, range_state.level, long.conversions, ratio)
        nats = self._density_nats(short.messages / short_room, short_expected, shape)
        messages, expected = short.messages, short_expected
        long_nats = self._density_nats(long.messages / long_room, long_expected, shape)
        if long_nats > nats:
            nats, messages, expected = long_nats, long.messages, long_expected
        if nats <= 0.0:
            nats = messages = expected = 0.0
        has_history = weight >= policy.range_pseudo_count + 1.0
        return Density(
            nats=nats,
            messages=messages,
            expected=expected,
            short_messages=short.messages,
            short_expected=short_expected,
            shape=shape,
            short_room=short_room,
            long_messages=long.messages,
            long_expected=long_expected,
            has_history=has_history,
        )

    def density_of_flagged(self, network: NetworkState, range_state: RangeState, since_s: float, ratio: float) -> float:
        """Of a range with a verdict since then, in nats: messages as they were counted then, since refused ones are
        not, with the room that the conversions of these messages have made by now.
        """
        density, policy, level = range_state.density_when_flagged, self._policy, range_state.level
        if density is None:
            return inf
        minute = int(since_s // 60)
        short, long = range_state.windows(minute - policy.short_window_min, minute - policy.long_window_min)
        short_messages = density.short_messages / self._room(network, level, short.conversions, ratio)
        long_messages = density.long_messages / self._room(network, level, long.conversions, ratio)
        return max(
            0.0,
            self._density_nats(short_messages, density.short_expected, density.shape),
            self._density_nats(long_messages, density.long_expected, density.shape),
        )

    def allowance(self, network: NetworkState, level: int, density: Density, need_nats: float) -> Allowance | None:
        """How many messages a range may have in the short window for less evidence than is needed; None where the
        network's limits say as much.
        """
        is_as_network = not density.has_history and density.short_room == 1.0
        if is_as_network and density.short_messages * 2 < network.range_limits[level]:
            return None
        limit = self._limit(density.short_expected, density.shape, need_nats)
        return Allowance(density.short_messages, limit * density.short_room)

    def open_allowance(self, network: NetworkState, range_state: RangeState, minute: int) -> Allowance:
        """How many messages without a conversion a range may have while an attack is scattered over its network."""
        if not range_state.recent_conversions and not range_state.archived_conversions:
            return Allowance(1.0, 1.0)
        policy = self._policy
        since = minute - policy.short_window_min
        short, _long = range_state.windows(since, since)
        _weight, share, _shape = self._expected_share(network, 0, range_state)
        usual = policy.scattered_open * share * self._other_messages(network, since, 0.0)
        return Allowance(max(0.0, short.messages - short.conversions), 1.0 + int(usual))

    def missed(self, network: NetworkState, range_state: RangeState, since_s: float, now_s: float) -> float:
        """A range's usual messages of a time in which it was flagged and its own were not counted."""
        _weight, share, _shape = self._expected_share(network, range_state.level, range_state)
        first, last = int(since_s // 60), int(now_s // 60)
        counted = max(first, last - self._policy.long_window_min)
        return share * network.capped_since(counted) * (last - first + 1) / (last - counted + 1)

    def update_range_limits(self, network: NetworkState, minute: int) -> bool:
        """How many messages a range without history may have in the short window before it would be flagged. Computed
        where the network's messages have changed by a tenth; gives whether it was.
        """
        need_nats = self._state.needed_nats(network.key.account_id) - self.prior(network)
        volume = self._other_messages(network, minute - self._policy.short_window_min, 0.0)
        known_volume, known_need_nats = network.limits_basis
        if need_nats == known_need_nats and abs(volume - known_volume) < 0.1 * volume:
            return False
        network.limits_basis = volume, need_nats
        shares = [self._expected_share(network, level) for level in range(len(LEVELS))]
        network.range_limits = tuple(self._limit(volume * share, shape, need_nats) for _weight, share, shape in shares)
        return True

    def _other_messages(self, network: NetworkState, since: int, own: float) -> float:
        """The network's capped messages beside a range's own."""
        return max(0.0, network.capped_since(since) - own) + self._policy.network_pseudo_count

    def _expected_share(
        self, network: NetworkState, level: int, range_state: RangeState | None = None
    ) -> tuple[float, float, float]:
        """(a range's weight, its expected share of the network's messages, the shape of the negative binomial)."""
        policy = self._policy
        weight = policy.range_pseudo_count + (
            0.0 if range_state is None else range_state.history_before(network.horizon)
        )
        of_network = policy.range_pseudo_count * network.range_counts[level] + network.capped.archived_messages
        return weight, min(1.0, weight / of_network), min(policy.density_shape_max, weight)

    def _density_nats(self, messages: float, expected: float, shape: float) -> float:
        return density_nats(messages, expected, shape, self._policy.resend_probability) - log(WINDOWS)

    def _limit(self, expected: float, shape: float, need_nats: float) -> int:
        def is_enough(count: int) -> bool:
            return count > expected and self._density_nats(count, expected, shape) >= need_nats

        return first_count(self._policy.flag_messages_min, is_enough)

    # ---- networks and countries as a whole

    def unverified(self, area: AreaState, minute: int, floor: float) -> Allowance:
        """Messages of the short window without a conversion so far, and how many there may be."""
        policy = self._policy
        messages, conversions, half_hour = area.recent(minute, minute - policy.short_window_min)
        usual = half_hour + max(area.busiest_hour_conversions, area.hour_conversions)
        return Allowance(max(0.0, messages - conversions), floor + policy.unverified_factor * usual)
