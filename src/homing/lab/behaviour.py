"""Carriers whose delivery depends on what they are sent: on their share of the traffic, on the number's prefix, and on
whether it is a person's first message. What depends on the time alone is in `truth`.
"""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from homing.lab.scenario import Scenario
from homing.lab.world import Demand
from homing.text.prefix_table import PrefixTable

LOAD_S: Final = 300
"""A carrier's share is that of the messages of so many seconds."""
LOAD_MESSAGES_MIN: Final = 20
"""With fewer messages in that time no carrier is overloaded."""


class CarrierBehaviour:
    """The factors by which the carriers' true delivery rates are multiplied, message by message."""

    def __init__(self, scenario: Scenario) -> None:
        carriers = scenario.carriers
        self._first = np.array([carrier.first_factor for carrier in carriers])
        self._again = np.array([carrier.again_factor for carrier in carriers])
        self._load_share_max = np.array([carrier.load_share_max for carrier in carriers])
        self._load_factor = np.array([carrier.load_factor for carrier in carriers])
        self._prefixes = prefix_tables(scenario)
        self._window: deque[NDArray[np.int64]] = deque(maxlen=max(1, LOAD_S // scenario.tick_s))
        self._load = np.zeros(len(carriers), np.int64)
        self._is_plain = (
            bool((self._first == 1).all() and (self._again == 1).all() and (self._load_factor == 1).all())
            and not self._prefixes
        )

    def factors(self, demand: Demand, carrier: NDArray[np.int64]) -> NDArray[np.float64] | float:
        """Of a tick's messages; `carrier` -1: refused. The share is that before this tick."""
        if self._is_plain:
            return 1.0
        chosen = np.maximum(carrier, 0)
        factors = np.where(demand["tries"] == 0, self._first[chosen], self._again[chosen])
        total = self._load.sum()
        if total >= LOAD_MESSAGES_MIN:
            is_overloaded = self._load > self._load_share_max * total
            factors = factors * np.where(is_overloaded, self._load_factor, 1.0)[chosen]
        for k, table in self._prefixes.items():
            rows = np.flatnonzero(carrier == k)
            per_number = [table.find(str(number)) for number in demand["number"][rows].tolist()]
            factors[rows] *= [1.0 if factor is None else factor for factor in per_number]
        self._count(carrier)
        return factors

    def _count(self, carrier: NDArray[np.int64]) -> None:
        sent = np.bincount(carrier[carrier >= 0], minlength=len(self._load))
        if len(self._window) == self._window.maxlen:
            self._load -= self._window[0]
        self._window.append(sent)
        self._load += sent


def prefix_tables(scenario: Scenario) -> dict[int, PrefixTable[float]]:
    """The factors by number prefix, by index of the carriers that have any."""
    return {
        k: PrefixTable(carrier.prefix_factors) for k, carrier in enumerate(scenario.carriers) if carrier.prefix_factors
    }
