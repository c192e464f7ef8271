"""What operators decide: how far each rule may go, who is allowed and denied, and what a country may cost. Pure."""

import enum
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from homing.model import GENERAL
from homing.routing.prefixes import PrefixTable


class Mode(enum.IntEnum):
    """How far a rule may go."""

    OFF = 0
    MONITOR = 1  # the message goes, and what would have been is written down
    BLOCK = 2


RuleName = Literal["deny", "budget", "range", "burst", "network", "flood"]
RULES: Final[Mapping[RuleName, str]] = {
    "deny": "the destination is on the deny list",
    "budget": "the country's budget is spent",
    "range": "the range of numbers is judged as theft",
    "burst": "more messages in a range than pass before it is judged",
    "network": "the network is judged as theft as a whole",
    "flood": "more unverified messages to a network or country than may be open",
}
DEFAULTS: Final[Mapping[RuleName, Mode]] = {
    "deny": Mode.BLOCK,  # an order, not a guess
    "budget": Mode.MONITOR,
    "range": Mode.MONITOR,
    "burst": Mode.MONITOR,
    "network": Mode.MONITOR,
    "flood": Mode.MONITOR,
}


class Listed(msgspec.Struct, frozen=True):
    """An entry of the allow (`is_allowed`) or deny list. `kind`: "country", "network" or "prefix"; a whole number is
    the longest prefix.
    """

    account_id: int
    kind: str
    value: str
    is_allowed: bool


class Budget(msgspec.Struct, frozen=True):
    """The most of an account's messages and money to a country; None: no bound. Hours and days are of UTC."""

    hour_messages: int | None = None
    day_messages: int | None = None
    hour_micro: int | None = None
    day_micro: int | None = None


class _Lists:
    """One account's entries, with those that hold for every account."""

    def __init__(self, entries: Iterable[Listed]) -> None:
        tables: dict[str, dict[str, bool]] = {"country": {}, "network": {}, "prefix": {}}
        for entry in entries:
            table = tables[entry.kind]
            table[entry.value] = table.get(entry.value, False) or entry.is_allowed  # allow wins ties
        self._prefixes = PrefixTable(tables["prefix"]) if tables["prefix"] else None
        self._networks, self._countries = tables["network"], tables["country"]

    def find(self, number: str, network: str, country: str) -> tuple[bool, str] | None:
        """(is allowed, the entry) by the longest match: prefixes, then the network, then the country."""
        if self._prefixes is not None and (found := self._prefixes.find(number)) is not None:
            return found[1], found[0]
        if network in self._networks:
            return self._networks[network], network
        if country in self._countries:
            return self._countries[country], country
        return None


class Rules:
    """All of it at one moment."""

    def __init__(
        self,
        modes: Mapping[tuple[int, str], Mode] = {},
        lists: Iterable[Listed] = (),
        budgets: Mapping[tuple[int, str], Budget] = {},
    ) -> None:
        """`modes` and `budgets` by (account or GENERAL, rule or country). An account's own stands before the general
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
        self._known: dict[int, tuple[Mode, ...]] = {}

    def modes(self, account_id: int) -> tuple[Mode, ...]:
        """How far each rule may go with an account, in the order of `RULES`."""
        known = self._known.get(account_id)
        if known is None:
            known = tuple(
                self._modes.get((account_id, rule), self._modes.get((GENERAL, rule), DEFAULTS[rule])) for rule in RULES
            )
            if len(self._known) < 100_000:
                self._known[account_id] = known
        return known

    def listed(self, account_id: int, number: str, network: str, country: str) -> tuple[bool, str] | None:
        """(is allowed, the entry) of the entry that a destination falls under."""
        if not self._lists:
            return None
        lists = self._lists.get(account_id) or self._lists.get(GENERAL)
        return lists.find(number, network, country) if lists else None

    def budget(self, account_id: int, country: str) -> Budget | None:
        if not self._budgets:
            return None
        return self._budgets.get((account_id, country)) or self._budgets.get((GENERAL, country))
