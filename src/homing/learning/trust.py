"""How far a carrier's receipts are believed: the conversions of what they call delivered, against what the carrier's
peers in the same cells make of as much. Pure.
"""

from collections.abc import Iterable, Mapping, Set
from math import erf, sqrt

from homing.learning.effects import CarrierEffects
from homing.learning.memory import ChannelSums
from homing.learning.policy import LearningPolicy
from homing.model import GENERAL


class ReceiptTrust:
    """By account and carrier, made anew with every thought. `GENERAL` stands for all accounts, of which each counts up
    to its cap: so it is for one without conversions of its own.
    """

    def __init__(self, policy: LearningPolicy) -> None:
        self._strength = policy.effect_strength
        self._effects = CarrierEffects(policy, policy.account_cap)
        self._carriers: set[int] = set()
        self._found: dict[tuple[int, int], tuple[float, float]] = {}

    def begin(self) -> None:
        self._effects.begin({})
        self._carriers.clear()

    def see(self, carriers: Iterable[int]) -> None:
        """Carriers that take messages, whether or not conversions tell of them."""
        self._carriers.update(carriers)

    def add(self, account_id: int, sums: Mapping[int, ChannelSums]) -> None:
        """What conversions tell of a cell's carriers."""
        told = sum(one.told for one in sums.values())
        if told < 1.0:
            return
        kept = max(0.0, sum(one.successes for one in sums.values())) / told
        for carrier_id, one in sums.items():
            self._effects.add(account_id, "", "", carrier_id, one.successes, max(0.0, one.told) * kept)

    def conclude(self, accounts: Set[int]) -> None:
        self._effects.ready()
        self._found.clear()
        for account_id in {GENERAL, *accounts}:
            ratios = {}
            for carrier_id in self._carriers:
                successes, promised = self._effects.pair(account_id, ("", "", carrier_id))
                ratio = (max(0.0, successes) + self._strength) / (promised + self._strength)
                spread = sqrt(max(0.0, successes) + self._strength) / (promised + self._strength)
                ratios[carrier_id] = ratio, spread
            for carrier_id, (ratio, spread) in ratios.items():
                best = max([1.0, *(one - sd for other, (one, sd) in ratios.items() if other != carrier_id)])
                trust = _normal((ratio / best - 0.6) / (spread / best))
                self._found[account_id, carrier_id] = trust, min(1.0, ratio / best)

    def of(self, account_id: int, carrier_id: int) -> float:
        """0..1: the chance that its receipts are worth something."""
        return self._pair(account_id, carrier_id)[0]

    def honest(self, account_id: int, carrier_id: int) -> float:
        """0..1: what part of the messages that its receipts call delivered is."""
        return self._pair(account_id, carrier_id)[1]

    def carriers(self) -> Set[int]:
        """Those that were seen."""
        return self._carriers

    def _pair(self, account_id: int, carrier_id: int) -> tuple[float, float]:
        return self._found.get((account_id, carrier_id), self._found.get((GENERAL, carrier_id), (1.0, 1.0)))


def _normal(z: float) -> float:
    return 0.5 * (1.0 + erf(z / sqrt(2.0)))
