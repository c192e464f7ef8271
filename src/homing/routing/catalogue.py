"""The settings that every submission is checked against, as one immutable value: prices, routes, costs and sensitive
words.
"""

import copy
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final

import msgspec

from homing.model import GENERAL, Strategy
from homing.routing.objective import Objective
from homing.routing.rules import RouteRequest, RouteRule, RouteTable
from homing.routing.selection import RankedCandidates, by_priority, rank
from homing.routing.shares import NO_SHARES, ShareTable
from homing.text.prefix_table import PrefixTable

RANKINGS_MAX: Final = 10_000
"""Cached rankings; at the limit the cache is emptied."""
NO_COSTS: Final[Mapping[int, int]] = {}
DEFAULT_OBJECTIVE: Final = Objective()


class SegmentPrice(msgspec.Struct, frozen=True):
    """`micro` is the price of a segment in micro-units; `prefix` is the price list's entry."""

    prefix: str
    micro: int


class Catalogue:
    """The settings at one moment. An account's own price list takes precedence over the general one."""

    def __init__(
        self,
        *,
        prices: Iterable[tuple[int, str, int]] = (),
        rules: Iterable[RouteRule] = (),
        enabled: Iterable[int] = (),
        words: Iterable[tuple[int, str]] = (),
        costs: Iterable[tuple[int, str, int]] = (),
        down: Set[int] = frozenset(),
        objectives: Mapping[tuple[int, str], Objective] | None = None,
        without_flash: Set[int] = frozenset(),
    ) -> None:
        """`prices`: (account_id, prefix, micro-units); `costs`: (carrier_id, prefix, micro-units); `words`:
        (account_id, word); `objectives`: by (account_id, app_id), where app_id '' stands for all of an account's apps.

        `enabled`, `down` and `without_flash` are ids of carriers. A rule's candidates that are not enabled are left
        out; those that are `down` are tried last; those `without_flash` cannot send messages of class 0.
        """
        self._prices = _price_tables(prices)
        enabled_rules = list(_enabled(rules, frozenset(enabled)))
        self._routes = RouteTable(enabled_rules)
        self._adaptive_rules = [rule for rule in enabled_rules if rule.strategy is Strategy.ADAPTIVE]
        self._objectives = dict(objectives or {})
        self._costs = _cost_tables(costs)
        self._down = down
        self._without_flash = without_flash
        self._words = _patterns(words)
        self._rankings: dict[tuple[object, ...], RankedCandidates] = {}
        self._shares = NO_SHARES
        self._adaptive_rankings: dict[tuple[object, ...], RankedCandidates] = {}

    def with_shares(self, shares: ShareTable) -> "Catalogue":
        """The same settings with other shares. Cheap: all tables are shared, only adaptive rankings are dropped."""
        other = copy.copy(self)
        other._shares = shares
        other._adaptive_rankings = {}
        return other

    def adaptive_rules(self) -> Sequence[RouteRule]:
        return self._adaptive_rules

    def objective(self, account_id: int, app_id: str) -> Objective:
        """The objective of an app, else of its account, else the default."""
        objectives = self._objectives
        return objectives.get((account_id, app_id)) or objectives.get((account_id, "")) or DEFAULT_OBJECTIVE

    def price(self, account_id: int, number: str) -> SegmentPrice | None:
        """The price of a segment to a number in E.164 digits, None when no price is listed."""
        for account in (account_id, GENERAL):
            table = self._prices.get(account)
            price = table.find(number) if table else None
            if price is not None:
                return price
        return None

    def rank(self, request: RouteRequest, price_micro: int) -> RankedCandidates | None:
        """The candidates for a message in order; None when no rule with an enabled carrier applies.

        Cached: the same rule with the same costs and ceiling gives the same object.
        """
        rule = self._routes.find(request)
        if rule is None:
            return None
        costs = self._costs_of(rule, request.number) if self._costs else NO_COSTS
        ceiling = price_micro if costs and rule.ceiling_micro is None else None
        if rule.strategy is Strategy.ADAPTIVE:
            return self._rank_adaptive(rule, request, costs, price_micro, ceiling)
        key = (rule.candidates[0].route_id, ceiling, *costs.items())
        ranked = self._rankings.get(key)
        if ranked is None:
            if len(self._rankings) >= RANKINGS_MAX:
                self._rankings.clear()
            ranked = self._rankings[key] = rank(rule, costs, price_micro, self._down)
        return ranked

    def _rank_adaptive(
        self, rule: RouteRule, request: RouteRequest, costs: Mapping[int, int], price_micro: int, ceiling: int | None
    ) -> RankedCandidates:
        key = (
            rule.candidates[0].route_id,
            ceiling,
            request.account_id,
            request.app_id,
            request.country,
            request.network,
            *costs.items(),
        )
        ranked = self._adaptive_rankings.get(key)
        if ranked is None:
            if len(self._adaptive_rankings) >= RANKINGS_MAX:
                self._adaptive_rankings.clear()
            if self.objective(request.account_id, request.app_id).opted_out:
                ranked = rank(by_priority(rule), costs, price_micro, self._down)
            else:
                ranked = rank(rule, costs, price_micro, self._down, self._shares.find(rule.scope, request))
            self._adaptive_rankings[key] = ranked
        return ranked

    def cost(self, carrier_id: int, number: str) -> int | None:
        """A carrier's cost of a segment to a number, in micro-units; None: not known."""
        table = self._costs.get(carrier_id)
        return table.find(number) if table else None

    def carries_flash(self, carrier_id: int) -> bool:
        """Whether a carrier sends messages of class 0."""
        return carrier_id not in self._without_flash

    def is_down(self, carrier_id: int) -> bool:
        return carrier_id in self._down

    def _costs_of(self, rule: RouteRule, number: str) -> Mapping[int, int]:
        costs = {}
        for row in rule.candidates:
            cost_micro = self.cost(row.carrier_id, number)
            if cost_micro is not None:
                costs[row.carrier_id] = cost_micro
        return costs

    def is_sensitive(self, account_id: int, text: str) -> bool:
        """Whether a text contains a sensitive word of the platform or of this account.

        Case and compatibility forms (full-width letters and the like) make no difference.
        """
        general, own = self._words.get(GENERAL), self._words.get(account_id)
        if general is None and own is None:
            return False
        folded = fold(text)
        return bool((general and general.search(folded)) or (own and own.search(folded)))


def fold(text: str) -> str:
    """The form in which words are compared: NFKC, then case-folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def _enabled(rules: Iterable[RouteRule], carriers: Set[int]) -> Iterable[RouteRule]:
    for rule in rules:
        rows = tuple(row for row in rule.candidates if row.carrier_id in carriers)
        if rows:
            yield RouteRule(rule.scope, rule.strategy, rule.ceiling_micro, rows)


def _price_tables(prices: Iterable[tuple[int, str, int]]) -> dict[int, PrefixTable[SegmentPrice]]:
    grouped: dict[int, dict[str, SegmentPrice]] = {}
    for account, prefix, micro in prices:
        grouped.setdefault(account, {})[prefix] = SegmentPrice(prefix, micro)
    return {account: PrefixTable(values) for account, values in grouped.items()}


def _cost_tables(costs: Iterable[tuple[int, str, int]]) -> dict[int, PrefixTable[int]]:
    grouped: dict[int, dict[str, int]] = {}
    for carrier_id, prefix, micro in costs:
        grouped.setdefault(carrier_id, {})[prefix] = micro
    return {carrier_id: PrefixTable(values) for carrier_id, values in grouped.items()}


def _patterns(words: Iterable[tuple[int, str]]) -> dict[int, re.Pattern[str]]:
    grouped: dict[int, list[str]] = {}
    for account, word in words:
        grouped.setdefault(account, []).append(re.escape(fold(word)))
    return {account: re.compile("|".join(alternatives)) for account, alternatives in grouped.items()}
