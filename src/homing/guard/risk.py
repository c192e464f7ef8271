"""How risky destinations are, before anything is known of a range: what operators say, and where people did not come
back of an account's and everybody's messages of the last days. Pure (docs/internals/guard.md).
"""

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Final

import msgspec

from homing.model import GENERAL
from homing.routing.prefixes import PrefixTable


class Level(enum.IntEnum):
    """What an operator says of a destination."""

    LOW = 1
    USUAL = 2
    HIGH = 3
    SEVERE = 4


NATS: Final[Mapping[Level, float]] = {Level.LOW: -1.0, Level.USUAL: 0.0, Level.HIGH: 1.5, Level.SEVERE: 3.0}
"""Added to the prior log odds of theft."""
LEARNT_MAX: Final = 1.5  # experience says no more than an operator's "high"
STEADY: Final = 20.0  # expected conversions by which a country's experience is pulled to "as usual"
ACCOUNT_CAP: Final = 50.0  # expected conversions that one account can lay on what others believe of a country


class Told(msgspec.Struct, frozen=True):
    """An operator's word. `kind`: "country", "network" or "prefix"; account GENERAL: for every account."""

    account_id: int
    kind: str
    value: str
    level: Level


class Spend(msgspec.Struct, frozen=True):
    """An app's messages to a country: those that were paid for and may have come, and those that converted."""

    account_id: int
    app_id: str
    country: str
    messages: int
    converted: int


class Learnt(msgspec.Struct, frozen=True):
    """What was expected of an account's and the others' messages to a country, what came, and the nats it is worth.
    Account GENERAL: for accounts without messages there.
    """

    account_id: int
    country: str
    expected: float
    converted: float
    nats: float


def learn(spends: Iterable[Spend]) -> Sequence[Learnt]:
    """The risk of countries by unconverted spend: ln((expected + 20) / (converted + 20)), from 0 to 1.5.

    Expected is by each app's own usual rate: that of the country of an average person who came back, which theft in
    some countries does not lower. An app that nobody comes back of says nothing. Others' experience counts with an
    account's own, but of each of them 50 expected conversions at most: nobody can brand a country for all.
    """
    by_app: dict[tuple[int, str], list[Spend]] = defaultdict(list)
    for spend in spends:
        if spend.messages > 0:
            by_app[spend.account_id, spend.app_id].append(spend)
    sums: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (account_id, _app_id), found in by_app.items():
        came = sum(min(spend.converted, spend.messages) for spend in found)
        if came <= 0:
            continue
        rate = sum(min(spend.converted, spend.messages) ** 2 / spend.messages for spend in found) / came
        for spend in found:
            sums[spend.country, account_id][0] += spend.messages * rate
            sums[spend.country, account_id][1] += spend.converted
    shared: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (country, _account_id), (expected, converted) in sums.items():
        scale = min(1.0, ACCOUNT_CAP / expected)
        shared[country][0] += expected * scale
        shared[country][1] += converted * scale
    learnt = [_learnt(GENERAL, country, *pair) for country, pair in shared.items()]
    for (country, account_id), (expected, converted) in sums.items():
        more = 1.0 - min(1.0, ACCOUNT_CAP / expected)
        everybody = shared[country]
        pair = everybody[0] + expected * more, everybody[1] + converted * more
        learnt.append(_learnt(account_id, country, *pair))
    return learnt


def _learnt(account_id: int, country: str, expected: float, converted: float) -> Learnt:
    nats = log((expected + STEADY) / (converted + STEADY))
    return Learnt(account_id, country, expected, converted, min(LEARNT_MAX, max(0.0, nats)))


class Risks:
    """All of it at one moment."""

    def __init__(self, told: Iterable[Told] = (), learnt: Iterable[Learnt] = ()) -> None:
        tables: dict[int, dict[str, dict[str, float]]] = {}
        for one in told:
            kinds = tables.setdefault(one.account_id, {"country": {}, "network": {}, "prefix": {}})
            kinds[one.kind][one.value] = NATS[one.level]
        self._told = {
            account_id: (PrefixTable(kinds["prefix"]), kinds["network"], kinds["country"])
            for account_id, kinds in tables.items()
        }
        self._learnt = {(one.account_id, one.country): one.nats for one in learnt}

    def of(self, account_id: int, country: str, network: str, digits: str = "") -> float:
        """Nats to add to the prior of a range (its first `digits`), or without them of a network. The closest word of
        an operator counts, an account's own before the general one, and where there is none, experience.
        """
        if self._told:
            for found in (self._said(account_id, country, network, digits) for account_id in (account_id, GENERAL)):
                if found is not None:
                    return found
        learnt = self._learnt.get((account_id, country))
        return learnt if learnt is not None else self._learnt.get((GENERAL, country), 0.0)

    def _said(self, account_id: int, country: str, network: str, digits: str) -> float | None:
        if account_id not in self._told:
            return None
        prefixes, networks, countries = self._told[account_id]
        found = prefixes.find(digits)
        return found[1] if found is not None else networks.get(network, countries.get(country))


NO_RISKS: Final = Risks()
