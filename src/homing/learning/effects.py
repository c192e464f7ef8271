"""Carriers' effects by indirect standardisation: how a carrier converts relative to the mix of its cells' carriers,
overall, in a country, and in a network. Pure.

An effect e is the ratio of observed to expected successes. Each level is shrunk towards the level above:
e = (successes + k x e above) / (expected + k). An account's own data counts in full for itself and up to a cap for
others, so that no account can move another's routes by inventing conversions.
"""

from collections.abc import Iterator, Mapping

from homing.learning.policy import LearningPolicy

Level = tuple[str, str, int]
"""Country, network, carrier id; '' stands for all."""
Pair = tuple[float, float]
"""Observed successes, expected successes."""


class CarrierEffects:
    """The effects of one channel; recalculated in each update of the learner."""

    def __init__(self, policy: LearningPolicy, account_cap: float) -> None:
        self._strength = policy.effect_strength
        self._cap = account_cap
        self._sums: dict[Level, dict[int, list[float]]] = {}
        self._capped: dict[Level, list[float]] = {}
        self._priors: Mapping[int, float] = {}
        self._cache: dict[tuple[int, str, str, int], float] = {}

    def begin(self, priors: Mapping[int, float]) -> None:
        """Starts over. `priors`: carrier id -> the value that its overall effect is shrunk to; 1 where not named."""
        self._sums.clear()
        self._capped.clear()
        self._cache.clear()
        self._priors = priors

    def add(
        self, account_id: int, country: str, network: str, carrier_id: int, successes: float, expected: float
    ) -> None:
        for level in _levels(country, network, carrier_id):
            accounts = self._sums.setdefault(level, {})
            pair = accounts.get(account_id)
            if pair is None:
                accounts[account_id] = [successes, expected]
            else:
                pair[0] += successes
                pair[1] += expected

    def finish(self) -> None:
        """Sums up what was added, with each account capped."""
        self._cache.clear()
        for level, accounts in self._sums.items():
            total = [0.0, 0.0]
            for successes, expected in accounts.values():
                share = self._share(expected)
                total[0] += successes * share
                total[1] += expected * share
            self._capped[level] = total

    def _share(self, expected: float) -> float:
        return 1.0 if expected <= self._cap else self._cap / expected

    def effect_without(
        self, account_id: int, country: str, network: str, carrier_id: int, successes: float, expected: float
    ) -> tuple[float, float]:
        """A carrier's effect in a network without the data of one cell (`successes`, `expected`), so that the cell's
        data is not counted twice; and the expected conversions that the effect is based on.
        """
        effect, support = self._priors.get(carrier_id, 1.0), 0.0
        for level in _levels(country, network, carrier_id):
            level_successes, level_expected = self.pair(account_id, level)
            level_successes = max(0.0, level_successes - successes)
            level_expected = max(0.0, level_expected - expected)
            effect = (level_successes + self._strength * effect) / (level_expected + self._strength)
            support = max(support, level_expected)
        return effect, support

    def pair(self, account_id: int, level: Level) -> Pair:
        """Observed and expected successes of a level, in the view of one account."""
        total = self._capped.get(level)
        if total is None:
            return 0.0, 0.0
        own = self._sums[level].get(account_id)
        if own is None:
            return total[0], total[1]
        hidden = 1.0 - self._share(own[1])
        return total[0] + own[0] * hidden, total[1] + own[1] * hidden

    def effect(self, account_id: int, country: str, network: str, carrier_id: int) -> float:
        """A carrier's effect in a network (or with '' in the country, or overall), in the view of one account."""
        key = (account_id, country, network, carrier_id)
        effect = self._cache.get(key)
        if effect is None:
            if network:
                above = self.effect(account_id, country, "", carrier_id)
            elif country:
                above = self.effect(account_id, "", "", carrier_id)
            else:
                above = self._priors.get(carrier_id, 1.0)
            successes, expected = self.pair(account_id, (country, network, carrier_id))
            effect = (successes + self._strength * above) / (expected + self._strength)
            self._cache[key] = effect
        return effect


def _levels(country: str, network: str, carrier_id: int) -> tuple[Level, ...]:
    """From the most general on, each once."""
    levels: tuple[Level, ...] = (("", "", carrier_id),)
    if country:
        levels += ((country, "", carrier_id),)
    return (*levels, (country, network, carrier_id)) if network else levels


class BaseRates:
    """The base rates of one channel: of an app, of the app in a country, and in a network, each shrunk towards the one
    before.
    """

    def __init__(self, base: float, strength: float) -> None:
        self._base = base
        self._strength = strength
        self._sums: dict[tuple[int, str, str, str], list[float]] = {}
        self._cache: dict[tuple[int, str, str, str], float] = {}

    def begin(self) -> None:
        self._sums.clear()
        self._cache.clear()

    def add(self, account_id: int, app_id: str, country: str, network: str, successes: float, trials: float) -> None:
        """`trials` are standardised: each carrier's trials times its effect."""
        self._cache.clear()
        for key in _keys(account_id, app_id, country, network):
            pair = self._sums.get(key)
            if pair is None:
                self._sums[key] = [successes, trials]
            else:
                pair[0] += successes
                pair[1] += trials

    def rate(self, account_id: int, app_id: str, country: str = "", network: str = "") -> float:
        cell = (account_id, app_id, country, network)
        rate = self._cache.get(cell)
        if rate is None:
            rate = self._base
            for key in _keys(account_id, app_id, country, network):
                pair = self._sums.get(key)
                if pair is not None:
                    rate = (pair[0] + self._strength * rate) / (pair[1] + self._strength)
            self._cache[cell] = rate
        return rate


def _keys(account_id: int, app_id: str, country: str, network: str) -> Iterator[tuple[int, str, str, str]]:
    """From the most general on, each once."""
    yield account_id, app_id, "", ""
    if country:
        yield account_id, app_id, country, ""
    if network:
        yield account_id, app_id, country, network
