"""Indirect standardisation: how much better or worse a carrier does than the mix of a cell's carriers would have it,
over everything, within a country, within a network. Pure.

An effect e is a ratio of what came to what was expected. Each level is pulled to the one above it:
e = (successes + k x e above) / (expected + k). What one account brings counts in full for itself, and for the others up
to a cap, so that nobody moves another's routes by inventing conversions.
"""

from collections.abc import Iterator, Mapping

from homing.learning.policy import LearningPolicy

Level = tuple[str, str, int]  # country, network, carrier; '' stands for all
Pair = tuple[float, float]  # successes, expected


class CarrierEffects:
    """One channel's effects, made anew with every thought."""

    def __init__(self, policy: LearningPolicy, account_cap: float) -> None:
        self._strength = policy.effect_strength
        self._cap = account_cap
        self._sums: dict[Level, dict[int, list[float]]] = {}
        self._capped: dict[Level, list[float]] = {}
        self._centres: Mapping[int, float] = {}
        self._found: dict[tuple[int, str, str, int], float] = {}

    def begin(self, centres: Mapping[int, float]) -> None:
        """`centres`: by carrier, what its effect over everything is pulled to; 1 where it is not named."""
        self._sums.clear()
        self._capped.clear()
        self._found.clear()
        self._centres = centres

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

    def outside(
        self, account_id: int, country: str, network: str, carrier_id: int, successes: float, expected: float
    ) -> tuple[float, float]:
        """A carrier's effect in a network as everything but one cell shows it, so that what the cell itself says is not
        counted twice; and the expected conversions on which that rests.
        """
        found, rests_on = self._centres.get(carrier_id, 1.0), 0.0
        for level in _levels(country, network, carrier_id):
            came, due = self.pair(account_id, level)
            came, due = max(0.0, came - successes), max(0.0, due - expected)
            found = (came + self._strength * found) / (due + self._strength)
            rests_on = max(rests_on, due)
        return found, rests_on

    def ready(self) -> None:
        """Sums up what was added."""
        self._found.clear()
        for level, accounts in self._sums.items():
            total = [0.0, 0.0]
            for successes, expected in accounts.values():
                share = self._share(expected)
                total[0] += successes * share
                total[1] += expected * share
            self._capped[level] = total

    def _share(self, expected: float) -> float:
        return 1.0 if expected <= self._cap else self._cap / expected

    def pair(self, account_id: int, level: Level) -> Pair:
        """What came and what was expected, as one account may see it."""
        total = self._capped.get(level)
        if total is None:
            return 0.0, 0.0
        own = self._sums[level].get(account_id)
        if own is None:
            return total[0], total[1]
        hidden = 1.0 - self._share(own[1])
        return total[0] + own[0] * hidden, total[1] + own[1] * hidden

    def effect(self, account_id: int, country: str, network: str, carrier_id: int) -> float:
        """A carrier's effect in a network (or, with '', in the country, or everywhere), as one account may see it."""
        key = (account_id, country, network, carrier_id)
        found = self._found.get(key)
        if found is None:
            if network:
                above = self.effect(account_id, country, "", carrier_id)
            elif country:
                above = self.effect(account_id, "", "", carrier_id)
            else:
                above = self._centres.get(carrier_id, 1.0)
            successes, expected = self.pair(account_id, (country, network, carrier_id))
            found = (successes + self._strength * above) / (expected + self._strength)
            self._found[key] = found
        return found


def _levels(country: str, network: str, carrier_id: int) -> tuple[Level, ...]:
    """From the widest on; each once."""
    levels: tuple[Level, ...] = (("", "", carrier_id),)
    if country:
        levels += ((country, "", carrier_id),)
    return (*levels, (country, network, carrier_id)) if network else levels


class BaseRates:
    """Base rates of a channel: of an app, of it in a country, of it in a network; each pulled to the one before."""

    def __init__(self, base: float, strength: float) -> None:
        self._base = base
        self._strength = strength
        self._sums: dict[tuple[int, str, str, str], list[float]] = {}
        self._found: dict[tuple[int, str, str, str], float] = {}

    def begin(self) -> None:
        self._sums.clear()
        self._found.clear()

    def add(self, account_id: int, app_id: str, country: str, network: str, successes: float, trials: float) -> None:
        """`trials` are standardised: each carrier's times its effect."""
        self._found.clear()
        for key in _keys(account_id, app_id, country, network):
            pair = self._sums.get(key)
            if pair is None:
                self._sums[key] = [successes, trials]
            else:
                pair[0] += successes
                pair[1] += trials

    def rate(self, account_id: int, app_id: str, country: str = "", network: str = "") -> float:
        place = (account_id, app_id, country, network)
        found = self._found.get(place)
        if found is None:
            found = self._base
            for key in _keys(account_id, app_id, country, network):
                pair = self._sums.get(key)
                if pair is not None:
                    found = (pair[0] + self._strength * found) / (pair[1] + self._strength)
            self._found[place] = found
        return found


def _keys(account_id: int, app_id: str, country: str, network: str) -> Iterator[tuple[int, str, str, str]]:
    """From the widest on; each once."""
    yield account_id, app_id, "", ""
    if country:
        yield account_id, app_id, country, ""
    if network:
        yield account_id, app_id, country, network
