"""Prices, routes and sensitive words: the settings that every submission is held against, as one value."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from homing.model import GENERAL

T = TypeVar("T")


class PrefixTable(Generic[T]):
    """Values by number prefix; the longest prefix wins. A look-up costs one dictionary probe per length in use."""

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = dict(values)
        self._lengths = sorted({len(prefix) for prefix in values}, reverse=True)

    def find(self, number: str) -> tuple[str, T] | None:
        """(prefix, value), or None when no prefix matches."""
        values = self._values
        for length in self._lengths:
            prefix = number[:length]
            value = values.get(prefix)
            if value is not None and len(prefix) == length:
                return prefix, value
        return None


class Price(msgspec.Struct, frozen=True):
    """Micro-units a segment."""

    prefix: str
    micro: int


class Candidate(msgspec.Struct, frozen=True):
    """A route's row: by which carrier, how early, with which share among equals."""

    route_id: int
    prefix: str
    carrier_id: int
    priority: int
    weight: int


class Candidates(msgspec.Struct, frozen=True):
    """A prefix's routes, best priority first; `best` are those of that priority, which share the traffic."""

    rows: Sequence[Candidate]
    best: Sequence[Candidate]
    best_weight: int


class Tariff:
    """The settings at one moment. An account's own list, where it matches at all, stands before the general one."""

    def __init__(
        self,
        prices: Iterable[tuple[int, str, int]],
        routes: Iterable[tuple[int, Candidate]],
        carriers_enabled: Iterable[int],
        words: Iterable[tuple[int, str]],
    ) -> None:
        """`prices`: (account_id, prefix, micro); `routes`: (account_id, row); `words`: (account_id, word)."""
        self._prices = _tables((account, prefix, Price(prefix, micro)) for account, prefix, micro in prices)
        enabled = frozenset(carriers_enabled)
        rows: dict[tuple[int, str], list[Candidate]] = {}
        for account, candidate in routes:
            if candidate.carrier_id in enabled:
                rows.setdefault((account, candidate.prefix), []).append(candidate)
        self._routes = _tables((account, prefix, _ranked(found)) for (account, prefix), found in rows.items())
        self._words = _patterns(words)

    def price(self, account_id: int, number: str) -> Price | None:
        """The price a segment to this number, None when nothing is listed."""
        return _find(self._prices, account_id, number)

    def candidates(self, account_id: int, number: str) -> Candidates | None:
        """Routes of the longest matching prefix whose carrier is enabled, None when there is none."""
        return _find(self._routes, account_id, number)

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


def _ranked(found: Sequence[Candidate]) -> Candidates:
    rows = sorted(found, key=lambda row: (row.priority, row.route_id))
    best = [row for row in rows if row.priority == rows[0].priority]
    return Candidates(rows, best, sum(row.weight for row in best))


def _tables(rows: Iterable[tuple[int, str, T]]) -> dict[int, PrefixTable[T]]:
    grouped: dict[int, dict[str, T]] = {}
    for account, prefix, value in rows:
        grouped.setdefault(account, {})[prefix] = value
    return {account: PrefixTable(values) for account, values in grouped.items()}


def _find(tables: Mapping[int, PrefixTable[T]], account_id: int, number: str) -> T | None:
    for account in (account_id, GENERAL):
        table = tables.get(account)
        found = table.find(number) if table else None
        if found is not None:
            return found[1]
    return None


def _patterns(words: Iterable[tuple[int, str]]) -> dict[int, re.Pattern[str]]:
    grouped: dict[int, list[str]] = {}
    for account, word in words:
        grouped.setdefault(account, []).append(re.escape(fold(word)))
    return {account: re.compile("|".join(found)) for account, found in grouped.items()}
