"""Prices, routes, costs and sensitive words: the settings that every submission is held against, as one value."""

import copy
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final

import msgspec

from homing.model import GENERAL, Strategy
from homing.routing.rules import RouteRequest, RouteRule, RouteTable
from homing.routing.selection import RankedCandidates, by_priority, rank
from homing.routing.share_table import NO_SHARES, ShareTable
from homing.routing.shares import Objective
from homing.text.prefix_table import PrefixTable

OFFERS_KEPT_MAX: Final = 10_000
NO_COSTS: Final[Mapping[int, int]] = {}
DEFAULT_TERMS: Final = Objective()


class SegmentPrice(msgspec.Struct, frozen=True):
    """Micro-units a segment."""

    prefix: str
    micro: int


class Catalogue:
    """The settings at one moment. Of prices an account's own list, where it matches, stands before the general one."""

    def __init__(
        self,
        *,
        prices: Iterable[tuple[int, str, int]],
        rules: Iterable[RouteRule],
        carriers_enabled: Iterable[int],
        words: Iterable[tuple[int, str]],
        costs: Iterable[tuple[int, str, int]] = (),
        down: Set[int] = frozenset(),
        terms: Mapping[tuple[int, str], Objective] | None = None,
        without_flash: Set[int] = frozenset(),
    ) -> None:
        """`prices`: (account_id, prefix, micro); `words`: (account_id, word); `costs`: (carrier_id, prefix, micro).

        `terms`: by (account_id, app_id), of adaptive routing; app_id '' for all of an account's apps.
        Carriers that are not enabled are as if no rule named them; those that are `down` are chosen last.
        """
        self._prices = _price_tables(prices)
        enabled = list(_enabled(rules, frozenset(carriers_enabled)))
        self._routes = RouteTable(enabled)
        self._adaptive_rules = [rule for rule in enabled if rule.strategy is Strategy.ADAPTIVE]
        self._terms = dict(terms or {})
        self._costs = _cost_tables(costs)
        self._down = down
        self._without_flash = without_flash
        self._words = _patterns(words)
        self._offers: dict[tuple[object, ...], RankedCandidates] = {}
        self._book = NO_SHARES
        self._adapted: dict[tuple[object, ...], RankedCandidates] = {}

    def with_shares(self, book: ShareTable) -> "Catalogue":
        """The same settings with other shares. Cheap: it copies nothing but the offers that rest on shares."""
        other = copy.copy(self)
        other._book = book
        other._adapted = {}
        return other

    def adaptive_rules(self) -> Sequence[RouteRule]:
        return self._adaptive_rules

    def terms(self, account_id: int, app_id: str) -> Objective:
        """An app's terms of adaptive routing, or else its account's, or else the defaults."""
        terms = self._terms
        return terms.get((account_id, app_id)) or terms.get((account_id, "")) or DEFAULT_TERMS

    def price(self, account_id: int, number: str) -> SegmentPrice | None:
        """The price a segment to this number, None when nothing is listed."""
        for account in (account_id, GENERAL):
            table = self._prices.get(account)
            price = table.find(number) if table else None
            if price is not None:
                return price
        return None

    def offer(self, wanted: RouteRequest, price_micro: int) -> RankedCandidates | None:
        """The candidates for a message in their order, None when no rule with an enabled carrier fits.

        Offers are kept: the same rule at the same costs and ceiling makes the same one.
        """
        rule = self._routes.find(wanted)
        if rule is None:
            return None
        costs = self._costs_of(rule, wanted.number) if self._costs else NO_COSTS
        ceiling = price_micro if costs and rule.ceiling_micro is None else None
        if rule.strategy is Strategy.ADAPTIVE:
            return self._adaptive(rule, wanted, costs, price_micro, ceiling)
        key = (rule.candidates[0].route_id, ceiling, *costs.items())
        kept = self._offers.get(key)
        if kept is None:
            if len(self._offers) >= OFFERS_KEPT_MAX:
                self._offers.clear()
            kept = self._offers[key] = rank(rule, costs, price_micro, self._down)
        return kept

    def _adaptive(
        self, rule: RouteRule, wanted: RouteRequest, costs: Mapping[int, int], price_micro: int, ceiling: int | None
    ) -> RankedCandidates:
        key = (
            rule.candidates[0].route_id,
            ceiling,
            wanted.account_id,
            wanted.app_id,
            wanted.country,
            wanted.network,
            *costs.items(),
        )
        kept = self._adapted.get(key)
        if kept is None:
            if len(self._adapted) >= OFFERS_KEPT_MAX:
                self._adapted.clear()
            if self.terms(wanted.account_id, wanted.app_id).opted_out:
                kept = rank(by_priority(rule), costs, price_micro, self._down)
            else:
                kept = rank(rule, costs, price_micro, self._down, self._book.find(rule.match, wanted))
            self._adapted[key] = kept
        return kept

    def cost(self, carrier_id: int, number: str) -> int | None:
        """What a carrier asks for a segment to this number, in micro-units; None: not known."""
        table = self._costs.get(carrier_id)
        return table.find(number) if table else None

    def carries_flash(self, carrier_id: int) -> bool:
        """Whether a carrier sends messages of class 0."""
        return carrier_id not in self._without_flash

    def is_down(self, carrier_id: int) -> bool:
        return carrier_id in self._down

    def _costs_of(self, rule: RouteRule, number: str) -> Mapping[int, int]:
        found = {}
        for row in rule.candidates:
            cost_micro = self.cost(row.carrier_id, number)
            if cost_micro is not None:
                found[row.carrier_id] = cost_micro
        return found

    def sensitive(self, account_id: int, text: str) -> bool:
        """Whether a text holds a word that neither the platform nor this account lets pass.

        Compared without regard to case and to compatibility forms (full-width letters and the like).
        """
        general, own = self._words.get(GENERAL), self._words.get(account_id)
        if general is None and own is None:
            return False
        folded = fold(text)
        return bool((general and general.search(folded)) or (own and own.search(folded)))


def fold(text: str) -> str:
    """The form in which words are compared."""
    return unicodedata.normalize("NFKC", text).casefold()


def _enabled(rules: Iterable[RouteRule], carriers: Set[int]) -> Iterable[RouteRule]:
    for rule in rules:
        rows = tuple(row for row in rule.candidates if row.carrier_id in carriers)
        if rows:
            yield RouteRule(rule.match, rule.strategy, rule.ceiling_micro, rows)


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
    return {account: re.compile("|".join(found)) for account, found in grouped.items()}
