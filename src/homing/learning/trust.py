"""How far a carrier's receipts are trusted: conversions of the messages that it reports as delivered, relative to its
peers in the same cells. Pure.
"""

from collections.abc import Iterable, Mapping, Set
from math import erf, sqrt
from typing import Final

from homing.learning.effects import CarrierEffects
from homing.learning.memory import ChannelSums
from homing.learning.policy import LearningPolicy
from homing.model import GENERAL

RATIO_MIN: Final = 0.6
"""Relative to the best peer: below it receipts are worth nothing."""


class ReceiptTrust:
    """By account and carrier; recalculated in each update of the learner.

    `GENERAL` stands for all accounts together, each up to its cap: it applies to accounts without conversions.
    """

    def __init__(self, policy: LearningPolicy) -> None:
        self._strength = policy.effect_strength
        self._effects = CarrierEffects(policy, policy.account_cap)
        self._carriers: set[int] = set()
        self._results: dict[tuple[int, int], tuple[float, float]] = {}

    def begin(self) -> None:
        self._effects.begin({})
        self._carriers.clear()

    def add_carriers(self, carriers: Iterable[int]) -> None:
        """Carriers with traffic, with or without conversions."""
        self._carriers.update(carriers)

    def add(self, account_id: int, sums: Mapping[int, ChannelSums]) -> None:
        """The conversions of a cell, by carrier id."""
        claimed = sum(carrier_sums.claimed for carrier_sums in sums.values())
        if claimed < 1.0:
            return
        cell_yield = max(0.0, sum(carrier_sums.successes for carrier_sums in sums.values())) / claimed
        for carrier_id, carrier_sums in sums.items():
            expected = max(0.0, carrier_sums.claimed) * cell_yield
            self._effects.add(account_id, "", "", carrier_id, carrier_sums.successes, expected)

    def finish(self, accounts: Set[int]) -> None:
        """Calculates trust and honesty for these accounts and for GENERAL."""
        self._effects.finish()
        self._results.clear()
        for account_id in {GENERAL, *accounts}:
            ratios = {}
            for carrier_id in self._carriers:
                successes, expected = self._effects.pair(account_id, ("", "", carrier_id))
                ratio = (max(0.0, successes) + self._strength) / (expected + self._strength)
                deviation = sqrt(max(0.0, successes) + self._strength) / (expected + self._strength)
                ratios[carrier_id] = ratio, deviation
            for carrier_id, (ratio, deviation) in ratios.items():
                best = max([1.0, *(mean - sd for peer_id, (mean, sd) in ratios.items() if peer_id != carrier_id)])
                trust = _normal((ratio / best - RATIO_MIN) / (deviation / best))
                self._results[account_id, carrier_id] = trust, min(1.0, ratio / best)

    def trust(self, account_id: int, carrier_id: int) -> float:
        """0..1: the probability that a carrier's receipts are worth something."""
        return self._result(account_id, carrier_id)[0]

    def honesty(self, account_id: int, carrier_id: int) -> float:
        """0..1: the part of a carrier's delivered messages that is really delivered, relative to the best peer."""
        return self._result(account_id, carrier_id)[1]

    def carriers(self) -> Set[int]:
        return self._carriers

    def _result(self, account_id: int, carrier_id: int) -> tuple[float, float]:
        return self._results.get((account_id, carrier_id), self._results.get((GENERAL, carrier_id), (1.0, 1.0)))


def _normal(z: float) -> float:
    return 0.5 * (1.0 + erf(z / sqrt(2.0)))
