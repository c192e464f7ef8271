"""Routing rules: the messages that a rule is for, its candidate carriers, and the rule that applies to a message.

A rule's scope has an origin (app, account, sender, traffic class) and a destination (network, prefix or country). The
rules of the most specific origin come first: an app before an account, an account before a sender, a sender before a
traffic class, and more of them together before fewer. Where none of them covers the destination, the next origin is
tried. Of the destinations a network is the most specific, then the longest prefix, then the country.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from homing.model import GENERAL, Strategy
from homing.store.statements.dispatch import RerouteFacts
from homing.store.statements.lab import ReplayedMessage
from homing.text.prefix_table import PrefixTable

ANY_TRAFFIC: Final = -1
Origin = tuple[str, int, str, int]
"""App, account, sender, traffic class; '', 0, '' and -1 stand for any."""

APP, ACCOUNT, SENDER, TRAFFIC = 8, 4, 2, 1
"""What an origin names, as bits; their sum is its specificity."""


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
    def origin(self) -> Origin:
        return self.app_id, self.account_id, self.sender, self.traffic


class RouteCandidate(msgspec.Struct, frozen=True):
    """A carrier of a rule. Lower priorities come first; `weight` is its part of the traffic among equals."""

    route_id: int
    carrier_id: int
    priority: int
    weight: int


class RouteRule(msgspec.Struct, frozen=True):
    """A scope and its candidates. `ceiling_micro`: the maximum cost of a segment, in micro-units; None: the customer's
    price.
    """

    scope: RouteScope
    strategy: Strategy
    ceiling_micro: int | None
    candidates: tuple[RouteCandidate, ...]


class RouteRequest(msgspec.Struct, frozen=True):
    """The properties of a message that decide its route. `network` is its MCC and MNC as digits."""

    account_id: int
    app_id: str
    sender: str
    traffic: int
    number: str
    country: str
    network: str


def route_request_of(row: RerouteFacts | ReplayedMessage) -> RouteRequest:
    """The request of a stored message."""
    return RouteRequest(
        row.account_id,
        row.app_id,
        row.sender,
        row.traffic,
        row.number,
        row.country,
        row.mcc + row.mnc,
    )


class _Destinations:
    """The rules of one origin, by destination."""

    def __init__(self, rules: Iterable[RouteRule]) -> None:
        listed = list(rules)
        self.networks = {rule.scope.network: rule for rule in listed if rule.scope.network}
        self.countries = {rule.scope.country: rule for rule in listed if rule.scope.country}
        by_prefix = {rule.scope.prefix: rule for rule in listed if rule.scope.prefix}
        self.prefixes = PrefixTable(by_prefix) if by_prefix else None
        self.everywhere = next((r for r in listed if not (r.scope.network or r.scope.country or r.scope.prefix)), None)

    def find(self, request: RouteRequest) -> RouteRule | None:
        if self.networks and request.network in self.networks:
            return self.networks[request.network]
        if self.prefixes is not None and (rule := self.prefixes.find(request.number)) is not None:
            return rule
        if self.countries and request.country in self.countries:
            return self.countries[request.country]
        return self.everywhere


class RouteTable:
    """All rules. A look-up probes one dictionary per level of origin in use, the most specific first."""

    def __init__(self, rules: Iterable[RouteRule]) -> None:
        grouped: dict[Origin, list[RouteRule]] = {}
        for rule in rules:
            grouped.setdefault(rule.scope.origin, []).append(rule)
        self._destinations: Mapping[Origin, _Destinations] = {
            origin: _Destinations(origin_rules) for origin, origin_rules in grouped.items()
        }
        self._levels = sorted({specificity(origin) for origin in grouped}, reverse=True)

    def find(self, request: RouteRequest) -> RouteRule | None:
        """The rule that applies to a message, None when there is none."""
        for level in self._levels:
            origin = (
                request.app_id if level & APP else "",
                request.account_id if level & ACCOUNT else GENERAL,
                request.sender if level & SENDER else "",
                request.traffic if level & TRAFFIC else ANY_TRAFFIC,
            )
            destinations = self._destinations.get(origin)
            rule = destinations.find(request) if destinations else None
            if rule is not None:
                return rule
        return None


def specificity(origin: Origin) -> int:
    app_id, account_id, sender, traffic = origin
    return (
        (APP if app_id else 0)
        + (ACCOUNT if account_id != GENERAL else 0)
        + (SENDER if sender else 0)
        + (TRAFFIC if traffic != ANY_TRAFFIC else 0)
    )
