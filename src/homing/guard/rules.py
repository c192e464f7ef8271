"""What operators set: the mode of each rule, allow and deny lists, and budgets of countries. Pure."""

import enum
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from homing.model import GENERAL
from homing.text.prefix_table import PrefixTable


class RuleMode(enum.IntEnum):
    OFF = 0
    MONITOR = 1  # the message passes, and the decision is stored
    BLOCK = 2


RuleName = Literal["deny", "budget", "range", "burst", "network", "flood", "address"]
RULES: Final[Mapping[RuleName, str]] = {
    "deny": "the destination is on the deny list",
    "budget": "the country's budget is used up",
    "range": "the number range is flagged as SMS pumping",
    "burst": "more messages to a number range than pass before it is scored",
    "network": "the whole network is flagged as SMS pumping",
    "flood": "too many messages to a network or country without a conversion so far",
    "address": "many numbers from one end user's address or network prefix, and few conversions",
}
DEFAULT_MODES: Final[Mapping[RuleName, RuleMode]] = dict.fromkeys(RULES, RuleMode.BLOCK)
"""Lists and budgets are orders. The others rest on evidence that refuses hardly anybody real (docs/internals/guard.md),
and whoever must look for themselves to begin with is attacked in the meantime.
"""
ACCOUNTS_CACHED_MAX: Final = 100_000


class ListEntry(msgspec.Struct, frozen=True):
    """An entry of the allow (`is_allowed`) or deny list. `kind`: "country", "network" or "prefix"; a whole number is
    the longest prefix.
    """

    account_id: int
    kind: str
    value: str
    is_allowed: bool


class CountryBudget(msgspec.Struct, frozen=True):
    """The most of an account's messages and money to a country; None: no bound. Hours and days are of UTC."""

    hour_messages: int | None = None
    day_messages: int | None = None
    hour_micro: int | None = None
    day_micro: int | None = None


class _Lists:
    """An account's entries, with those for every account."""

    def __init__(self, entries: Iterable[ListEntry]) -> None:
        tables: dict[str, dict[str, bool]] = {"country": {}, "network": {}, "prefix": {}}
        for entry in entries:
            table = tables[entry.kind]
            table[entry.value] = table.get(entry.value, False) or entry.is_allowed  # allow wins ties
        prefixes = {prefix: (is_allowed, prefix) for prefix, is_allowed in tables["prefix"].items()}
        self._prefixes = PrefixTable(prefixes) if prefixes else None
        self._networks, self._countries = tables["network"], tables["country"]

    def find(self, number: str, network: str, country: str) -> tuple[bool, str] | None:
        """(is allowed, the entry's value): the longest prefix, or else the network, or else the country."""
        if self._prefixes is not None and (match := self._prefixes.find(number)) is not None:
            return match
        if network in self._networks:
            return self._networks[network], network
        if country in self._countries:
            return self._countries[country], country
        return None


class GuardRules:
    """All settings at one moment."""

    def __init__(
        self,
        modes: Mapping[tuple[int, str], RuleMode] = {},
        lists: Iterable[ListEntry] = (),
        budgets: Mapping[tuple[int, str], CountryBudget] = {},
    ) -> None:
        """`modes` and `budgets` by (account or GENERAL, rule or country). An account's own setting precedes the general
        one, which holds for each account by itself.
        """
        self._modes = dict(modes)
        self._budgets = dict(budgets)
        entries = list(lists)
        general = [entry for entry in entries if entry.account_id == GENERAL]
        owners = {entry.account_id for entry in entries}
        self._lists = {
            owner: _Lists(general + [entry for entry in entries if owner != GENERAL and entry.account_id == owner])
            for owner in owners
        }
        self._modes_by_account: dict[int, tuple[RuleMode, ...]] = {}

    def modes(self, account_id: int) -> tuple[RuleMode, ...]:
        """The mode of each rule for an account, in the order of `RULES`."""
        modes = self._modes_by_account.get(account_id)
        if modes is None:
            modes = tuple(
                self._modes.get((account_id, rule), self._modes.get((GENERAL, rule), DEFAULT_MODES[rule]))
                for rule in RULES
            )
            if len(self._modes_by_account) < ACCOUNTS_CACHED_MAX:
                self._modes_by_account[account_id] = modes
        return modes

    def find_entry(self, account_id: int, number: str, network: str, country: str) -> tuple[bool, str] | None:
        """(is allowed, the entry's value) of the list entry that a destination falls under."""
        if not self._lists:
            return None
        lists = self._lists.get(account_id) or self._lists.get(GENERAL)
        return lists.find(number, network, country) if lists else None

    def budget(self, account_id: int, country: str) -> CountryBudget | None:
        if not self._budgets:
            return None
        return self._budgets.get((account_id, country)) or self._budgets.get((GENERAL, country))
