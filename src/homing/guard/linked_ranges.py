"""Ranges that are attacked together: more of a network's ranges have no conversion than chance gives. Pure.

An attack with a few messages an hour in each of some hundred ranges leaves hardly any evidence in one of them. A
hundred such ranges are no chance, and what is in excess is the share of them that is attacked: an empirical prior.
"""

from math import exp, inf, lgamma, log, sqrt

from homing.guard.policy import GuardPolicy
from homing.guard.state import ModelState, NetworkState

EXPOSURE_TABLE = 64  # exposures whose chance of silence is tabulated; beyond, silence has no chance
USUAL_AGE_MIN = 60  # the age by which the weight of a range that converts is estimated


class _Silence:
    """A network's ranges with messages enough whose conversions should have come."""

    __slots__ = ("by_chance", "ranges", "silent")

    def __init__(self) -> None:
        self.ranges = self.silent = 0
        self.by_chance = 0.0  # of them that chance leaves silent


def update_linked_ranges(state: ModelState, minute: int) -> None:
    """Sets the networks' `silent_prior_nats`. One pass over all ranges."""
    policy = state.policy
    counts: dict[NetworkState, _Silence] = {}
    chances: dict[NetworkState, list[float]] = {}
    verdicts = state.verdicts.by_range
    least = policy.linked_messages_min
    for key, range_state in state.ranges.items():
        if range_state.level or range_state.recent_messages < least or key in verdicts:
            continue
        network = state.networks.get(key[:3])
        if network is None or not network.app.reports_conversions or network.rate <= 0:
            continue
        weights = network.exposure_weights(minute)
        is_silent = range_state.is_silent(least)
        if is_silent:
            exposure, _conversions = range_state.exposure(minute, weights)
        else:
            exposure = range_state.recent_messages * weights[USUAL_AGE_MIN]
        if exposure < least * policy.linked_exposure_min:
            continue
        count = counts.get(network)
        if count is None:
            count = counts[network] = _Silence()
            chances[network] = _chances_of_silence(network.rate, policy)
        count.ranges += 1
        count.silent += is_silent
        if exposure < EXPOSURE_TABLE:
            count.by_chance += chances[network][int(exposure)]
    for network in state.networks.values():
        known = counts.get(network)
        network.silent_prior_nats = -inf if known is None else _prior(known, network, minute, policy)


def _prior(count: _Silence, network: NetworkState, minute: int, policy: GuardPolicy) -> float:
    """The log odds that a range with messages enough is attacked; -inf where chance explains all."""
    messages = network.capped_since(minute - policy.long_window_min)
    by_chance = count.by_chance + policy.linked_retries * messages
    excess = count.silent - by_chance
    if excess < max(policy.linked_ranges_min, policy.linked_deviations * sqrt(by_chance)):
        return -inf
    return min(policy.linked_nats_max, log(excess / max(1.0, count.ranges - excess)))


def _chances_of_silence(rate: float, policy: GuardPolicy) -> list[float]:
    """By exposure, of a genuine range: the Beta prior's (guard/likelihood.py)."""
    rate = min(0.98, max(0.02, rate))
    a, b = policy.conversion_prior_strength * rate, policy.conversion_prior_strength * (1.0 - rate)
    at_none = lgamma(a + b) - lgamma(b)
    return [exp(at_none + lgamma(b + exposure) - lgamma(a + b + exposure)) for exposure in range(EXPOSURE_TABLE)]
