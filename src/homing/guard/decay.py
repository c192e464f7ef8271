"""How the model forgets: old cohorts are merged, history halves, and what is idle is dropped. Pure."""

from collections.abc import Sequence
from heapq import nsmallest
from typing import Final

from homing.guard.snapshot import NetworkKey, RangeKey
from homing.guard.state import ModelState

GUARD_RANGES_MAX: Final = 150_000  # in the fraud model; beyond it the longest idle are dropped
GUARD_TRIM_S: Final = 60.0  # between two rounds of decay
SWEEP_S: Final = 1_800.0  # for all ranges once
SWEEP_RANGES_MIN: Final = 100
CARRIER_HALF_LIFE_S: Final = 300.0
NETWORK_IDLE_S_MAX: Final = 30 * 86_400.0
HISTORY_MIN: Final = 0.2  # messages; a range with less is dropped


class Decay:
    def __init__(self, state: ModelState) -> None:
        self._state = state
        self._trimmed_s = 0.0
        self._to_sweep: list[RangeKey] = []

    def is_due(self, now_s: float) -> bool:
        return now_s - self._trimmed_s >= GUARD_TRIM_S

    def trim(self, now_s: float, minute: int) -> Sequence[NetworkKey]:
        """All networks and countries, and a part of the ranges. Gives the networks that were dropped."""
        state, policy = self._state, self._state.policy
        passed_s = now_s - self._trimmed_s if self._trimmed_s else 0.0
        self._trimmed_s = now_s
        decay = 0.5 ** (passed_s / policy.history_half_life_s)
        carrier_decay = 0.5 ** (passed_s / CARRIER_HALF_LIFE_S)
        for network in state.networks.values():
            network.carriers = {carrier_id: share * carrier_decay for carrier_id, share in network.carriers.items()}
            oldest_s = now_s - policy.contagion_s
            network.flagged = {digits: at_s for digits, at_s in network.flagged.items() if at_s > oldest_s}
            network.flagged_wide = {digits[:-2] for digits in network.flagged}
            network.decay(minute, decay)
            network.record_range_counts(minute)
        for country in state.countries.values():
            country.conversions_total *= decay
            country.fold(minute, policy.long_window_min, (), decay)
        idle = [key for key, network in state.networks.items() if network.active_s < now_s - NETWORK_IDLE_S_MAX]
        for key in idle:
            del state.networks[key]
        self._sweep(minute, passed_s)
        return idle

    def _sweep(self, minute: int, passed_s: float) -> None:
        state, policy, verdicts = self._state, self._state.policy, self._state.verdicts.by_range
        if not self._to_sweep:
            self._to_sweep = list(state.ranges)
        count = max(SWEEP_RANGES_MIN, int(len(state.ranges) * passed_s / SWEEP_S))
        keys, self._to_sweep = self._to_sweep[-count:], self._to_sweep[:-count]
        decay = 0.5 ** (SWEEP_S / policy.history_half_life_s)
        for key in keys:
            range_state = state.ranges.get(key)
            if range_state is None:
                continue
            network = state.networks.get(key[:3])
            if network is None:
                if key in verdicts:
                    state.verdicts.remove(key)
                del state.ranges[key]
                continue
            range_state.history *= decay
            range_state.capped_total *= decay
            before = len(range_state.cohorts)
            archived = range_state.fold(minute, policy.long_window_min, network.exposure_weights(minute), decay)
            if range_state.level or len(range_state.cohorts) != before:
                range_state.recount()
            if archived and key not in verdicts:
                range_state.history += archived
            is_idle = not range_state.cohorts and range_state.history < HISTORY_MIN and range_state.times_flagged == 0
            if is_idle and key not in verdicts:
                del state.ranges[key]
        self._drop_beyond_limit()

    def _drop_beyond_limit(self) -> None:
        """The ranges that were flagged least often, and of these the longest idle."""
        state = self._state
        excess = len(state.ranges) - GUARD_RANGES_MAX
        if excess > 0:
            droppable = (key for key in state.ranges if key not in state.verdicts.by_range)

            def worth(key: RangeKey) -> tuple[int, float]:
                return state.ranges[key].times_flagged, state.ranges[key].observed_s

            for key in nsmallest(excess, droppable, key=worth):
                del state.ranges[key]
