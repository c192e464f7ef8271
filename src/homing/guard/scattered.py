"""Attacks that use each range for a few messages and leave it: nothing is ever learnt of a range in time. Pure.

What gives them away is that messages come in twos and threes to ranges of which nobody converts, more often than the
network's traffic gives by chance. Then, for a time, a second message to a range has to wait until the first converts.
"""

from math import sqrt

from homing.guard.snapshot import Verdict
from homing.guard.state import AppState, ModelState, NetworkState
from homing.reasons import Reason, ReasonCode, rounded

WINDOW_MIN = 20
DUE_WEIGHT_MIN = 0.1  # the least share of a minute's conversions that has been reported, for the minute to count


class _Window:
    """A network's messages and conversions of the window, and its ranges with two messages or more and none."""

    __slots__ = ("conversions", "messages", "silent_ranges")

    def __init__(self) -> None:
        self.messages = self.conversions = 0.0
        self.silent_ranges = 0


def update_scattered(state: ModelState, now_s: float, minute: int) -> None:
    """Sets the networks' `scattered_until_s`, and their `notice` with the reason. One pass over the recent ranges."""
    windows: dict[NetworkState, _Window] = {}
    due_minutes: dict[AppState, frozenset[int]] = {}
    oldest_s = now_s - WINDOW_MIN * 60.0
    for key, range_state in state.ranges.items():
        if range_state.level or range_state.observed_s < oldest_s or key in state.verdicts.by_range:
            continue
        network = state.networks.get(key[:3])
        if network is None or not network.app.reports_conversions or network.rate <= 0:
            continue
        minutes = due_minutes.get(network.app)
        if minutes is None:
            minutes = due_minutes[network.app] = _due_minutes(network.app, minute)
        lifted_minute = network.genuine_until_s // 60
        messages = conversions = 0.0
        for first, cohort in range_state.cohorts.items():
            if first in minutes and first > lifted_minute:
                messages += cohort.messages
                conversions += cohort.conversions
        window = windows.get(network)
        if window is None:
            window = windows[network] = _Window()
        window.messages += messages
        window.conversions += conversions
        window.silent_ranges += messages >= 2.0 and not conversions
    for network, window in windows.items():
        _conclude(network, window, now_s, state)


def _due_minutes(app: AppState, minute: int) -> frozenset[int]:
    return frozenset(
        minute - age
        for age in range(1, WINDOW_MIN + 1)
        if app.delays.share_by(age) * app.ratios.ratio(minute - age) >= DUE_WEIGHT_MIN
    )


def _conclude(network: NetworkState, window: _Window, now_s: float, state: ModelState) -> None:
    policy = state.policy
    ranges = max(1.0, network.range_counts[0])
    unconverted = max(0.0, window.messages - window.conversions / network.rate)
    by_chance = (
        unconverted**2 / (2.0 * ranges)
        + policy.scattered_retries * unconverted
        + policy.scattered_silent * window.messages**2 / (2.0 * ranges)
    )
    excess = window.silent_ranges - by_chance
    if excess < max(policy.scattered_ranges_min, by_chance, 3.0 * sqrt(by_chance)):
        return
    if now_s >= network.scattered_until_s:
        length_s = policy.scattered_s * 2.0 ** min(network.times_scattered, policy.scattered_doublings_max)
        network.scattered_until_s = now_s + length_s
        network.times_scattered += 1
        per_hour = unconverted * 60.0 / WINDOW_MIN
        reason = Reason.of(
            ReasonCode.GUARD_NETWORK_SCATTERED,
            ranges=window.silent_ranges,
            usual=rounded(by_chance),
            messages=round(per_hour),
            spent_micro=round(per_hour * network.price_micro),
        )
        network.notice = Verdict(reason, now_s, network.scattered_until_s, False)
        network.is_changed = True
