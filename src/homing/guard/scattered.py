"""Attacks that use each range for a few messages and leave it: nothing is ever learnt of a range in time. Pure.

What gives them away is that messages come in twos and threes to ranges of which nobody converts, more often than the
network's traffic gives by chance. Then, while it lasts, a second message to a range has to wait until the first
converts; and where the network has hardly any people of the app beside the attack, some of its ranges are closed.
"""

from collections.abc import Mapping
from math import sqrt

from homing.guard.policy import GuardPolicy
from homing.guard.snapshot import Verdict
from homing.guard.state import HOUR_MIN, AppState, ModelState, NetworkState, RangeState
from homing.guard.usual_shares import COMPARED_SHARE_MAX
from homing.reasons import Reason, ReasonCode, rounded

WINDOW_MIN = 20
LATE_MIN = 5  # the latest minutes of the window, by which the attack's rate is measured
EARLY_MIN = 10  # the age from which messages are apart from the latest
FRESH_MIN = 60  # a range with messages in these minutes before the window is used over and over (linked_ranges.py)
DUE_WEIGHT_MIN = 0.1  # the least share of a minute's conversions that has been reported, for the minute to count
COUNTED_MAX = 4.0  # messages of a range of which nobody converts: one with more is found by its own evidence
PASSING = 0.5  # of an attack's messages pass once each range has one
OPEN_RANGES_MAX = 20_000  # with a conversion, that a snapshot names; a network with more has few others
RELEASE_SHARE = 0.05  # of the messages to fresh ranges in excess of the conversions, below which an alarm ends at once
RELEASE_MESSAGES_MIN = 30.0


class _Window:
    """What came to a network in the window. `repeats`: messages to fresh ranges of which nobody converted, beside the
    first to each; `crossed`: coincidences of the latest messages with the early ones, on the same range.
    """

    __slots__ = (
        "conversions",
        "crossed",
        "due_minutes",
        "early",
        "fresh",
        "late",
        "late_fresh",
        "messages",
        "repeats",
        "silent_ranges",
    )

    def __init__(self, due_minutes: int) -> None:
        self.due_minutes = max(1, due_minutes)
        self.messages = self.conversions = self.repeats = 0.0
        self.late = self.early = self.crossed = 0.0
        self.fresh = self.late_fresh = 0.0  # messages less those that the conversions stand for, of the fresh ranges
        self.silent_ranges = 0


def update_scattered(state: ModelState, now_s: float, minute: int) -> None:
    """Sets the networks' `scattered_until_s`, their `notice` with the reason and what is closed of them."""
    windows = _windows(state, now_s, minute)
    conversions: dict[AppState, float] = {}
    for network, window in windows.items():
        conversions[network.app] = conversions.get(network.app, 0.0) + window.conversions
    for network, window in windows.items():
        _conclude(network, window, conversions[network.app], now_s, minute, state.policy)
    _close(state, windows, conversions, now_s)


def _windows(state: ModelState, now_s: float, minute: int) -> Mapping[NetworkState, _Window]:
    """One pass over the recent ranges."""
    windows: dict[NetworkState, _Window] = {}
    due_minutes: dict[AppState, frozenset[int]] = {}
    oldest_s = now_s - WINDOW_MIN * 60.0
    for key, range_state in state.ranges.items():
        if range_state.level or range_state.observed_s < oldest_s:
            continue
        network = state.networks.get(key[:3])
        if network is None or not network.app.reports_conversions or network.rate <= 0:
            continue
        minutes = due_minutes.get(network.app)
        if minutes is None:
            minutes = due_minutes[network.app] = _due_minutes(network.app, minute)
        window = windows.get(network)
        if window is None:
            window = windows[network] = _Window(len(minutes))
        _add(window, range_state, network, minutes, minute)
    return windows


def _due_minutes(app: AppState, minute: int) -> frozenset[int]:
    """Those of the window of which conversions enough have been reported to miss the others."""
    share_by, ratio = app.delays.share_by, app.ratios.ratio
    half = share_by(WINDOW_MIN) / 2.0
    return frozenset(
        minute - age
        for age in range(1, WINDOW_MIN + 1)
        if share_by(age) >= half and share_by(age) * ratio(minute - age) >= DUE_WEIGHT_MIN
    )


def _add(window: _Window, range_state: RangeState, network: NetworkState, minutes: frozenset[int], minute: int) -> None:
    lifted_minute = network.genuine_until_s // 60
    messages = conversions = late = late_conversions = early = 0.0
    is_fresh = True
    for first, cohort in range_state.cohorts.items():
        age = minute - first
        if first in minutes and first > lifted_minute:
            messages += cohort.messages
            conversions += cohort.conversions
            if age <= LATE_MIN:
                late += cohort.messages
                late_conversions += cohort.conversions
            elif age > EARLY_MIN:
                early += cohort.messages
        elif WINDOW_MIN < age <= FRESH_MIN and cohort.messages > 0:
            is_fresh = False
    if messages > COUNTED_MAX and not conversions:  # as far as it could be part of a scattered attack
        late, early = late * COUNTED_MAX / messages, early * COUNTED_MAX / messages
        messages = COUNTED_MAX
    window.messages += messages
    window.conversions += conversions
    window.late += late
    window.early += early
    window.crossed += late * early
    if is_fresh:
        window.fresh += messages - conversions / network.rate
        window.late_fresh += late - late_conversions / network.rate
        if messages >= 2.0 and not conversions:
            window.silent_ranges += 1
            window.repeats += messages - 1.0


def _conclude(
    network: NetworkState, window: _Window, app_conversions: float, now_s: float, minute: int, policy: GuardPolicy
) -> None:
    """`app_conversions`: of the app in the same minutes."""
    lost = _lost(network, window, app_conversions, minute)
    is_on = network.scattered_until_s > now_s
    if is_on:
        excess = window.fresh - lost
        least = max(3.0 * sqrt(window.messages), policy.scattered_share_min * window.messages)
        if window.messages > 0 and excess >= least:  # without reports nothing shows that it goes on
            network.scattered_until_s = max(network.scattered_until_s, now_s + policy.scattered_s)
        elif window.messages >= RELEASE_MESSAGES_MIN and excess <= RELEASE_SHARE * window.messages:
            network.scattered_until_s = now_s
    unconverted = max(0.0, window.messages - window.conversions / network.rate)
    by_chance = _repeats_by_chance(network, window, unconverted, policy) + lost
    if not is_on:
        is_seen = window.repeats - by_chance >= max(policy.scattered_repeats_min, by_chance, 3.0 * sqrt(by_chance))
        if not is_seen or window.silent_ranges < policy.scattered_ranges_min:
            return
        network.scattered_until_s, network.scattered_per_min = now_s + policy.scattered_s, 0.0
        network.is_changed = True
    network.scattered_per_min = max(network.scattered_per_min, window.late_fresh / LATE_MIN)
    waiting = policy.scattered_waiting * network.range_counts[0]
    passing = PASSING * network.scattered_per_min
    wait_min = waiting / passing if passing > 0 else policy.short_window_min
    network.scattered_wait_min = min(float(policy.short_window_min), max(policy.scattered_wait_min, wait_min))
    if network.notice is None or network.notice.until_s <= now_s:
        per_hour = HOUR_MIN * max(unconverted / WINDOW_MIN, network.scattered_per_min)
        reason = Reason.of(
            ReasonCode.GUARD_NETWORK_SCATTERED,
            ranges=window.silent_ranges,
            usual=rounded(by_chance),
            messages=round(per_hour),
            spent_micro=round(per_hour * network.price_micro),
        )
        network.notice = Verdict(reason, now_s, now_s + policy.scattered_notice_s, False)
        network.is_changed = True


def _repeats_by_chance(network: NetworkState, window: _Window, unconverted: float, policy: GuardPolicy) -> float:
    """How many messages without a conversion fall on the same range as another: by the number of ranges in use, as it
    is known from coincidences of days or, of a new network, from those of messages that are minutes apart. Of an attack
    that leaves its ranges, hardly any of these coincide, while it makes the network look small by all others.
    """
    ranges = max(1.0, network.range_counts[0], window.late * window.early / (window.crossed + 1.0))
    return (
        unconverted**2 / (2.0 * ranges)
        + policy.scattered_retries * unconverted
        + policy.scattered_silent * window.messages**2 / (2.0 * ranges)
    )


def _lost(network: NetworkState, window: _Window, app_conversions: float, minute: int) -> float:
    """Messages of people who are missing among the conversions: in an outage of the network's delivery as many ask
    again, and are no attack. By the network's usual share of the app's conversions; of one with nearly all of them, by
    its own of the hour before.
    """
    share = network.usual_share
    if share <= COMPARED_SHARE_MAX:
        expected = share / (1.0 - share) * (app_conversions - window.conversions)
    else:
        before = [
            cohort.conversions
            for first, cohort in network.cohorts.items()
            if WINDOW_MIN < minute - first <= WINDOW_MIN + HOUR_MIN
        ]
        expected = sum(before) * WINDOW_MIN / HOUR_MIN
    return max(0.0, expected - window.conversions) / network.rate


def _close(
    state: ModelState,
    windows: Mapping[NetworkState, _Window],
    conversions: Mapping[AppState, float],
    now_s: float,
) -> None:
    """Sets what share of the ranges without a conversion is closed, in the networks with an attack of many times the
    people whom the app has there.
    """
    policy = state.policy
    attacked: dict[AppState, list[NetworkState]] = {}
    for network in state.networks.values():
        network.closed_share, network.open_ranges = 0.0, frozenset()
        if network.scattered_until_s > now_s and network in windows:
            attacked.setdefault(network.app, []).append(network)
    closed: dict[NetworkState, set[str]] = {}
    for app, networks in attacked.items():
        per_min = conversions[app] / windows[networks[0]].due_minutes
        tolerance = policy.scattered_refused
        if sum([network.scattered_per_min * network.rate for network in networks]) >= policy.flooded_factor * per_min:
            tolerance = policy.flooded_refused
        tolerance *= state.strictness.closed_factor(networks[0].key.account_id)
        if not tolerance or not per_min:
            continue
        swamped = [
            network
            for network in networks
            if network.is_proven  # else its share of the people is not known
            and network.scattered_per_min > 0
            and network.scattered_per_min * network.rate >= policy.closed_factor * network.usual_share * per_min
        ]
        share = sum([network.usual_share for network in swamped])
        for network in swamped:
            network.closed_share, closed[network] = tolerance / max(share, tolerance), set()
    if not closed:
        return
    for key, range_state in state.ranges.items():
        if not range_state.level and (range_state.recent_conversions or range_state.archived_conversions):
            network_of_range = state.networks.get(key[:3])
            if network_of_range in closed:
                closed[network_of_range].add(range_state.digits)
    for network, open_ranges in closed.items():
        network.open_ranges = frozenset(open_ranges)
        if len(open_ranges) > OPEN_RANGES_MAX:
            network.closed_share = 0.0
        network.is_changed = True
