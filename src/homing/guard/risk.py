"""The risk of destinations, which moves the prior odds of fraud: by operators' settings, and without them by the
conversions of the last days. Pure (docs/internals/guard.md).
"""

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Final

import msgspec

from homing.model import GENERAL
from homing.text.prefix_table import PrefixTable


class RiskLevel(enum.IntEnum):
    """An operator's setting for a destination."""

    LOW = 1
    USUAL = 2
    HIGH = 3
    SEVERE = 4


LEVEL_NATS: Final[Mapping[RiskLevel, float]] = {
    RiskLevel.LOW: -1.0,
    RiskLevel.USUAL: 0.0,
    RiskLevel.HIGH: 1.5,
    RiskLevel.SEVERE: 3.0,
}
"""Added to the prior log odds of fraud."""
LEARNED_NATS_MAX: Final = 1.5  # no more than an operator's "high"
PSEUDO_COUNT: Final = 20.0  # expected conversions by which a country's ratio is pulled towards 1
ACCOUNT_EXPECTED_MAX: Final = 50.0  # expected conversions that one account adds to what others assume of a country


class RiskSetting(msgspec.Struct, frozen=True):
    """`kind`: "country", "network" or "prefix"; account GENERAL: for every account."""

    account_id: int
    kind: str
    value: str
    level: RiskLevel


class CountryTraffic(msgspec.Struct, frozen=True):
    """An app's messages to a country that were sent and not reported as undeliverable, and those that converted."""

    account_id: int
    app_id: str
    country: str
    messages: int
    converted: int


class LearnedRisk(msgspec.Struct, frozen=True):
    """The conversions that were expected of an account's and the others' messages to a country, those that came, and
    the nats that follow. Account GENERAL: for accounts without messages there.
    """

    account_id: int
    country: str
    expected: float
    converted: float
    nats: float


class _Sums:
    __slots__ = ("converted", "expected")

    def __init__(self) -> None:
        self.expected = self.converted = 0.0


def learn_risks(traffic: Iterable[CountryTraffic]) -> Sequence[LearnedRisk]:
    """The risk of countries by missing conversions: ln((expected + 20) / (converted + 20)), from 0 to 1.5.

    Expected is by each app's own usual rate: that of the country of an average converted message, so that an attack in
    one country does not lower what is expected of another. An app without conversions counts for nothing. Others'
    traffic counts with an account's own, but of each of them 50 expected conversions at most: no account can make a
    country risky for all.
    """
    by_app: dict[tuple[int, str], list[CountryTraffic]] = defaultdict(list)
    for entry in traffic:
        if entry.messages > 0:
            by_app[entry.account_id, entry.app_id].append(entry)
    sums: dict[tuple[str, int], _Sums] = defaultdict(_Sums)
    for (account_id, _app_id), entries in by_app.items():
        total = sum(min(entry.converted, entry.messages) for entry in entries)
        if total <= 0:
            continue
        rate = sum(min(entry.converted, entry.messages) ** 2 / entry.messages for entry in entries) / total
        for entry in entries:
            own = sums[entry.country, account_id]
            own.expected += entry.messages * rate
            own.converted += entry.converted
    shared: dict[str, _Sums] = defaultdict(_Sums)
    for (country, _account_id), own in sums.items():
        scale = min(1.0, ACCOUNT_EXPECTED_MAX / own.expected)
        shared[country].expected += own.expected * scale
        shared[country].converted += own.converted * scale
    risks = [_risk(GENERAL, country, all_of.expected, all_of.converted) for country, all_of in shared.items()]
    for (country, account_id), own in sums.items():
        rest = 1.0 - min(1.0, ACCOUNT_EXPECTED_MAX / own.expected)
        all_of = shared[country]
        risks.append(
            _risk(account_id, country, all_of.expected + own.expected * rest, all_of.converted + own.converted * rest)
        )
    return risks


def _risk(account_id: int, country: str, expected: float, converted: float) -> LearnedRisk:
    nats = log((expected + PSEUDO_COUNT) / (converted + PSEUDO_COUNT))
    return LearnedRisk(account_id, country, expected, converted, min(LEARNED_NATS_MAX, max(0.0, nats)))


class DestinationRisks:
    """All risks at one moment."""

    def __init__(self, settings: Iterable[RiskSetting] = (), learned: Iterable[LearnedRisk] = ()) -> None:
        tables: dict[int, dict[str, dict[str, float]]] = {}
        for setting in settings:
            kinds = tables.setdefault(setting.account_id, {"country": {}, "network": {}, "prefix": {}})
            kinds[setting.kind][setting.value] = LEVEL_NATS[setting.level]
        self._settings = {
            account_id: (PrefixTable(kinds["prefix"]), kinds["network"], kinds["country"])
            for account_id, kinds in tables.items()
        }
        self._learned = {(risk.account_id, risk.country): risk.nats for risk in learned}

    def nats(self, account_id: int, country: str, network: str, digits: str = "") -> float:
        """To add to the prior log odds of a range (its first `digits`), or without them of a network. The closest
        setting counts, an account's own before a general one; without a setting, the learned risk of the country.
        """
        if self._settings:
            for owner_id in (account_id, GENERAL):
                nats = self._setting_nats(owner_id, country, network, digits)
                if nats is not None:
                    return nats
        learned = self._learned.get((account_id, country))
        return learned if learned is not None else self._learned.get((GENERAL, country), 0.0)

    def _setting_nats(self, account_id: int, country: str, network: str, digits: str) -> float | None:
        if account_id not in self._settings:
            return None
        prefixes, networks, countries = self._settings[account_id]
        nats = prefixes.find(digits)
        return nats if nats is not None else networks.get(network, countries.get(country))


NO_RISKS: Final = DestinationRisks()
