"""Routes: which messages a rule is for, which carriers it names, and which rule a message falls under.

A rule says whose messages (app, account, sender, traffic) and where to (network, prefix or country). The closest
"whose" wins: an app's rule before an account's, that before a sender's, that before a traffic class's, and more of them
together before fewer. Where its rules name no place that fits, the next closest is asked. Of the places the network is
closest, then the longest prefix, then the country.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from homing.model import GENERAL, Strategy
from homing.store.statements.dispatch import RerouteFacts
from homing.store.statements.lab import ReplayedMessage
from homing.text.prefix_table import PrefixTable

ANY_TRAFFIC: Final = -1
Whose = tuple[str, int, str, int]  # app, account, sender, traffic; '', 0, '' and -1 stand for any

APP, ACCOUNT, SENDER, TRAFFIC = 8, 4, 2, 1
"""What a whose names, as bits whose sum is how close it is."""


class RouteScope(msgspec.Struct, frozen=True):
    """The messages that a rule is for. At most one of country, network and prefix is set."""

    account_id: int = GENERAL
    app_id: str = ""
    sender: str = ""
    traffic: int = ANY_TRAFFIC
    country: str = ""
    network: str = ""
    prefix: str = ""

    @property
    def whose(self) -> Whose:
        return self.app_id, self.account_id, self.sender, self.traffic


class RouteCandidate(msgspec.Struct, frozen=True):
    """A route's row: by which carrier, how early, with which share among equals."""

    route_id: int
    carrier_id: int
    priority: int
    weight: int


class RouteRule(msgspec.Struct, frozen=True):
    """A match and its candidates. `ceiling_micro`: the most a segment may cost; None: what the customer pays for it."""

    match: RouteScope
    strategy: Strategy
    ceiling_micro: int | None
    candidates: tuple[RouteCandidate, ...]


class RouteRequest(msgspec.Struct, frozen=True):
    """What of a message decides its route. `network` is its MCC and MNC as digits."""

    account_id: int
    app_id: str
    sender: str
    traffic: int
    number: str
    country: str
    network: str


def route_request_of(row: RerouteFacts | ReplayedMessage) -> RouteRequest:
    """What decides the route of a message that is stored: from its row."""
    return RouteRequest(
        row.account_id,
        row.app_id,
        row.sender,
        row.traffic,
        row.number,
        row.country,
        row.mcc + row.mnc,
    )


class _Places:
    """The rules of one whose, by place."""

    def __init__(self, rules: Iterable[RouteRule]) -> None:
        listed = list(rules)
        self.networks = {rule.match.network: rule for rule in listed if rule.match.network}
        self.countries = {rule.match.country: rule for rule in listed if rule.match.country}
        named = {rule.match.prefix: rule for rule in listed if rule.match.prefix}
        self.prefixes = PrefixTable(named) if named else None
        self.everywhere = next((r for r in listed if not (r.match.network or r.match.country or r.match.prefix)), None)

    def find(self, wanted: RouteRequest) -> RouteRule | None:
        if self.networks and wanted.network in self.networks:
            return self.networks[wanted.network]
        if self.prefixes is not None and (rule := self.prefixes.find(wanted.number)) is not None:
            return rule
        if self.countries and wanted.country in self.countries:
            return self.countries[wanted.country]
        return self.everywhere


class RouteTable:
    """All rules. A look-up probes one dictionary for each kind of whose in use, the closest first."""

    def __init__(self, rules: Iterable[RouteRule]) -> None:
        grouped: dict[Whose, list[RouteRule]] = {}
        for rule in rules:
            grouped.setdefault(rule.match.whose, []).append(rule)
        self._places: Mapping[Whose, _Places] = {whose: _Places(found) for whose, found in grouped.items()}
        self._kinds = sorted({specificity(whose) for whose in grouped}, reverse=True)

    def find(self, wanted: RouteRequest) -> RouteRule | None:
        """The rule that a message falls under, None when there is none."""
        for kind in self._kinds:
            whose = (
                wanted.app_id if kind & APP else "",
                wanted.account_id if kind & ACCOUNT else GENERAL,
                wanted.sender if kind & SENDER else "",
                wanted.traffic if kind & TRAFFIC else ANY_TRAFFIC,
            )
            places = self._places.get(whose)
            rule = places.find(wanted) if places else None
            if rule is not None:
                return rule
        return None


def specificity(whose: Whose) -> int:
    app_id, account_id, sender, traffic = whose
    return (
        (APP if app_id else 0)
        + (ACCOUNT if account_id != GENERAL else 0)
        + (SENDER if sender else 0)
        + (TRAFFIC if traffic != ANY_TRAFFIC else 0)
    )
