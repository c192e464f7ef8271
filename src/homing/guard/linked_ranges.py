"""Ranges that are attacked together: a network's low-converting ranges are more than chance gives. Pure.

An attack with a few messages an hour in each of some hundred ranges leaves hardly any evidence in one of them. All of
them together show what share of the network's ranges is attacked: an empirical prior.
"""

from bisect import bisect_right
from math import exp, inf, log

from homing.guard.likelihood import silence_nats
from homing.guard.policy import GuardPolicy
from homing.guard.state import ModelState, NetworkState, RangeState

LINKED_RANGES_MAX = 1_000  # of a network's stratum that are scored in a round; of more, an even sample
LINKED_MESSAGES = (4.0, 5.0, 6.0, 8.0, inf)  # of a range, below which it belongs to the stratum
ROUNDS = 12  # of the estimate, which then hardly moves
NATS_MAX = 30.0
SHARE_MAX = 0.999  # where all ranges are attacked, the estimate has no odds


def update_linked_ranges(state: ModelState, minute: int) -> None:
    """Sets the networks' `attacked_nats`, by the number of a range's messages: an attack's ranges have the more, the
    longer it goes on, and genuine ones with as many are the fewer. One pass over all ranges.
    """
    policy = state.policy
    ranges: dict[NetworkState, tuple[list[RangeState], ...]] = {}
    verdicts = state.verdicts.by_range
    least = policy.linked_messages_min
    for key, range_state in state.ranges.items():
        if range_state.level or range_state.recent_messages < least or key in verdicts:
            continue
        network = state.networks.get(key[:3])
        if network is None or not network.app.reports_conversions or network.rate <= 0:
            continue
        strata = ranges.get(network)
        if strata is None:
            strata = ranges[network] = tuple([] for _ in LINKED_MESSAGES)
        strata[stratum(range_state.recent_messages)].append(range_state)
    for network in state.networks.values():
        strata = ranges.get(network)
        if strata is None:
            network.attacked_nats = ()
            continue
        retries = policy.linked_retries * network.capped_since(minute - policy.long_window_min)
        least_ranges = [max(policy.linked_ranges_min, retries), *[policy.linked_ranges_min] * (len(strata) - 1)]
        network.attacked_nats = tuple(
            _attacked_nats_of(network, members, ranges_min, policy, minute)
            for members, ranges_min in zip(strata, least_ranges, strict=True)
        )


def _attacked_nats_of(
    network: NetworkState, ranges: list[RangeState], ranges_min: float, policy: GuardPolicy, minute: int
) -> float:
    """Of a stratum. The oldest ranges stand first and an attack's last, so that a sample has of all of them."""
    step = -(-len(ranges) // LINKED_RANGES_MAX) or 1
    weights = network.exposure_weights(minute)
    silences = []
    for range_state in ranges[::step]:
        exposure, conversions = range_state.exposure(minute, weights)
        if exposure >= policy.linked_messages_min * policy.linked_exposure_min:
            nats = silence_nats(
                exposure, conversions, network.rate, policy.conversion_prior_strength, policy.attack_conversion_ratios
            )
            silences.append(nats)
    return attacked_nats(silences, max(policy.linked_ranges_min, ranges_min / step), policy.linked_gain_nats)


def stratum(messages: float) -> int:
    return bisect_right(LINKED_MESSAGES, messages)


def attacked_nats(silences: list[float], ranges_min: float, gain_min: float) -> float:
    """The log odds that a range is attacked, by the evidence of missing conversions in all ranges; -inf where genuine
    ranges explain it. The share that makes the evidence likeliest is found step by step (expectation-maximisation): it
    must be `ranges_min` ranges or more, and be `gain_min` nats likelier than none.
    """
    if len(silences) < ranges_min:
        return -inf
    likelihoods = [exp(min(NATS_MAX, nats)) for nats in silences]
    share = 0.1
    for _round in range(ROUNDS):
        share = sum([share * each / (1.0 - share + share * each) for each in likelihoods]) / len(likelihoods)
    gain = sum([log(1.0 - share + share * each) for each in likelihoods])
    if share * len(likelihoods) < ranges_min or gain < gain_min:
        return -inf
    share = min(share, SHARE_MAX)
    return log(share / (1.0 - share))
