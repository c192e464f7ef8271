"""Ranges that are attacked together: a network's low-converting ranges are more than chance gives. Pure.

An attack with a few messages an hour in each of some hundred ranges leaves hardly any evidence in one of them. All of
them together show what share of the network's ranges is attacked: an empirical prior.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, factorial, inf, log

from homing.guard.likelihood import genuine_nats, silence_nats
from homing.guard.policy import GuardPolicy
from homing.guard.state import ModelState, NetworkState, RangeState
from homing.guard.usual_shares import outage_weights

LINKED_RANGES_MAX = 1_000  # of a network's stratum that are scored in a round; of more, an even sample
LINKED_MESSAGES = (4.0, 5.0, 6.0, 8.0, inf)  # of a range, below which it belongs to the stratum
CHANCE_FACTOR = 2.0  # ranges are used unevenly
ROUNDS = 12  # of the estimate, which then hardly moves
NATS_MAX = 30.0
SHARE_MAX = 0.999  # where all ranges are attacked, the estimate has no odds


def update_linked_ranges(state: ModelState, minute: int) -> None:
    """Sets the networks' `attacked_nats`, by the number of a range's messages: an attack's ranges have the more, the
    longer it goes on, and genuine ones with as many are the fewer. One pass over all ranges; those with a verdict count
    by their own evidence as all others do.
    """
    policy = state.policy
    ranges: dict[NetworkState, tuple[list[RangeState], ...]] = {}
    least = policy.linked_messages_min
    for key, range_state in state.ranges.items():
        if range_state.level or range_state.recent_messages < least:
            continue
        network = state.networks.get(key[:3])
        if network is None or not network.app.reports_conversions or network.rate <= 0:
            continue
        strata = ranges.get(network)
        if strata is None:
            strata = ranges[network] = tuple([] for _ in LINKED_MESSAGES)
        strata[stratum(range_state.recent_messages)].append(range_state)
    for network in state.networks.values():
        network.attacked_nats = ()
        if network in ranges:
            network.linked_weights = outage_weights(network, minute)
            network.attacked_nats = _attacked_nats(network, ranges[network], policy, minute)


def _attacked_nats(
    network: NetworkState, strata: Sequence[list[RangeState]], policy: GuardPolicy, minute: int
) -> tuple[float, ...]:
    """By stratum. That there is such an attack is concluded from all of them together: in each there may be few. It has
    to be likelier than that all of the network's messages convert as little as they do in the mean, as in a campaign
    that few answer.
    """
    exposure, conversions = network.exposure(minute, network.linked_weights)
    mean_rate = min(network.rate, conversions / exposure) if exposure > 0 else network.rate
    shares = [_attacked_share_of(network, ranges, mean_rate, policy, minute) for ranges in strata]
    least_ranges = _ranges_by_chance(network, policy, minute)
    retries = policy.linked_retries * network.capped_since(minute - policy.long_window_min)
    least_ranges[0] = max(least_ranges[0], retries)
    counted = [
        (share, attacked, gain) if attacked >= least else (0.0, 0.0, gain)
        for (share, attacked, gain), least in zip(shares, least_ranges, strict=True)
    ]
    attacked = sum([attacked for _share, attacked, _gain in counted])
    if attacked < policy.linked_ranges_min or sum([gain for *_, gain in counted]) < policy.linked_gain_nats:
        return ()
    return tuple(log(share / (1.0 - share)) if share > 0 else -inf for share, *_ in counted)


def _ranges_by_chance(network: NetworkState, policy: GuardPolicy, minute: int) -> list[float]:
    """How many attacked ranges of each stratum there must be at least: more than those on which the network's messages
    without a conversion fall by chance as often, as those of a campaign that nobody answers do. All of these count,
    also where hardly any conversions are due.
    """
    ranges = max(1.0, network.range_counts[0])
    _nothing, conversions = network.exposure(minute, ())
    messages = network.messages_since(minute - policy.long_window_min)
    mean = max(0.0, messages - conversions / network.rate) / ranges
    least = policy.linked_messages_min
    return [
        max(1.0, CHANCE_FACTOR * ranges * _poisson_tail(mean, int(messages)))
        for messages in (least, *LINKED_MESSAGES[:-1])
    ]


def _poisson_tail(mean: float, least: int) -> float:
    """The probability of so many or more."""
    return max(0.0, 1.0 - exp(-mean) * sum([mean**n / factorial(n) for n in range(least)]))


def _attacked_share_of(
    network: NetworkState, ranges: list[RangeState], mean_rate: float, policy: GuardPolicy, minute: int
) -> tuple[float, float, float]:
    """Of a stratum: (share, ranges, gain over the mean rate). The oldest ranges stand first and an attack's last, so
    that a sample has of all of them.
    """
    step = -(-len(ranges) // LINKED_RANGES_MAX) or 1
    strength, silences, of_mean = policy.conversion_prior_strength, [], 0.0
    for range_state in ranges[::step]:
        exposure, conversions = range_state.exposure(minute, network.linked_weights)
        if exposure >= policy.linked_messages_min * policy.linked_exposure_min:
            nats = silence_nats(exposure, conversions, network.rate, strength, policy.attack_conversion_ratios)
            silences.append(nats)
            of_mean += genuine_nats(exposure, conversions, mean_rate, strength)
            of_mean -= genuine_nats(exposure, conversions, network.rate, strength)
    share, gain = attacked_share(silences)
    return share, share * len(silences) * step, gain - of_mean


def stratum(messages: float) -> int:
    return bisect_right(LINKED_MESSAGES, messages)


def attacked_share(silences: Sequence[float]) -> tuple[float, float]:
    """The share of ranges that are attacked which makes the evidence of missing conversions in all of them likeliest,
    and by how many nats likelier than none. It is found step by step (expectation-maximisation).
    """
    if not silences:
        return 0.0, 0.0
    likelihoods = [exp(min(NATS_MAX, nats)) for nats in silences]
    share = 0.1
    for _round in range(ROUNDS):
        share = sum([share * each / (1.0 - share + share * each) for each in likelihoods]) / len(likelihoods)
    share = min(share, SHARE_MAX)
    return share, sum([log(1.0 - share + share * each) for each in likelihoods])
