"""Ranges that are attacked together: a network's low-converting ranges are more than chance gives. Pure.

An attack with a few messages an hour in each of some hundred ranges leaves hardly any evidence in one of them. All of
them together show what share of the network's ranges is attacked: an empirical prior.
"""

from bisect import bisect_right
from math import exp, inf, log

from homing.guard.likelihood import silence_nats
from homing.guard.state import ModelState, NetworkState

LINKED_RANGES_MAX = 1_000  # of a network's stratum that are scored in a round; of more, so many
LINKED_MESSAGES = (4.0, 5.0, 6.0, 8.0, inf)  # of a range, below which it belongs to the stratum
ROUNDS = 12  # of the estimate, which then hardly moves
NATS_MAX = 30.0


def update_linked_ranges(state: ModelState, minute: int) -> None:
    """Sets the networks' `attacked_nats`, by the number of a range's messages: an attack's ranges have the more, the
    longer it goes on, and genuine ones with as many are the fewer. One pass over all ranges.
    """
    policy = state.policy
    silences: dict[NetworkState, tuple[list[float], ...]] = {}
    verdicts = state.verdicts.by_range
    least = policy.linked_messages_min
    for key, range_state in state.ranges.items():
        if range_state.level or range_state.recent_messages < least or key in verdicts:
            continue
        network = state.networks.get(key[:3])
        if network is None or not network.app.reports_conversions or network.rate <= 0:
            continue
        known = silences.setdefault(network, tuple([] for _ in LINKED_MESSAGES))[stratum(range_state.recent_messages)]
        if len(known) >= LINKED_RANGES_MAX:
            continue
        exposure, conversions = range_state.exposure(minute, network.exposure_weights(minute))
        if exposure >= least * policy.linked_exposure_min:
            nats = silence_nats(
                exposure, conversions, network.rate, policy.conversion_prior_strength, policy.attack_conversion_ratios
            )
            known.append(nats)
    for network in state.networks.values():
        strata = silences.get(network)
        if strata is None:
            network.attacked_nats = ()
            continue
        retries = policy.linked_retries * network.capped_since(minute - policy.long_window_min)
        least_ranges = [max(policy.linked_ranges_min, retries), *[policy.linked_ranges_min] * (len(strata) - 1)]
        network.attacked_nats = tuple(
            attacked_nats(known, ranges_min, policy.linked_gain_nats)
            for known, ranges_min in zip(strata, least_ranges, strict=True)
        )


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
    if share * len(likelihoods) < ranges_min or gain < gain_min or share >= 1.0:
        return -inf
    return log(share / (1.0 - share))
