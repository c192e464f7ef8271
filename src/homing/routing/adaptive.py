"""Which shares are to be in force: each adaptive rule x each cell it is for, and wider ones for cells to come. Pure."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set

import msgspec

from homing import limits
from homing.model import GENERAL
from homing.routing.beliefs import Learner
from homing.routing.cells import Belief, CellKey
from homing.routing.rules import Match, Rule
from homing.routing.shares import Sharer, Shares, Terms
from homing.routing.tariff import Tariff


class Decision(msgspec.Struct, frozen=True):
    """The shares of a rule in a cell, and all that they rest on."""

    match: Match
    cell: CellKey
    shares: Shares
    beliefs: Sequence[Belief]
    costs: Mapping[int, int]
    routes: Mapping[int, int]  # by carrier: in the order of their ids the draw goes through them
    down: Set[int]
    terms: Terms


class Adaptive:
    """Derives all shares anew from beliefs. Holds the last ones, which changes are measured against."""

    def __init__(self, chance: random.Random) -> None:
        self._sharer = Sharer()
        self._chance = chance

    def decide(self, tariff: Tariff, learner: Learner, now_s: float) -> dict[tuple[Match, CellKey], Decision]:
        """The latest active cells first, up to limits.LEARN_SHARES_MAX."""
        made: dict[tuple[Match, CellKey], Decision] = {}
        rules = tariff.adaptive_rules()
        if rules:
            for rule, cell, block in _pairs(rules, learner.active(), learner.block):
                key = (rule.match, cell)
                if key in made:
                    continue
                if len(made) >= limits.LEARN_SHARES_MAX:
                    break
                made[key] = self._decide(rule, cell, block, tariff, learner, now_s)
        self._sharer.forget(made.keys())
        return made

    def _decide(
        self, rule: Rule, cell: CellKey, block: str, tariff: Tariff, learner: Learner, now_s: float
    ) -> Decision:
        carriers = [row.carrier_id for row in rule.candidates]
        costs = {one: cost for one in carriers if (cost := tariff.cost(one, block)) is not None}
        down = frozenset(one for one in carriers if tariff.is_down(one))
        routes = {row.carrier_id: row.route_id for row in rule.candidates}
        beliefs = learner.beliefs(cell, sorted(set(carriers)))
        terms = tariff.terms(cell.account_id, cell.app_id)
        shares = self._sharer.share(cell, rule, costs, down, beliefs, terms, now_s, self._chance)
        return Decision(rule.match, cell, shares, beliefs, costs, routes, down, terms)


def _pairs(
    rules: Sequence[Rule], cells: Sequence[CellKey], block_of: Callable[[CellKey], str]
) -> Iterator[tuple[Rule, CellKey, str]]:
    """Each rule with the cells it may be for, the closest ones first, then their countries, then everywhere."""
    blocks = [(cell, block_of(cell)) for cell in cells]
    for level in range(3):
        for rule in rules:
            for cell, block in blocks:
                if _fits(rule.match, cell, block):
                    yield rule, _widened(cell, level), block


def _widened(cell: CellKey, level: int) -> CellKey:
    if level == 0:
        return cell
    return CellKey(cell.account_id, cell.app_id, cell.country if level == 1 else "", "")


def _fits(match: Match, cell: CellKey, block: str) -> bool:
    """Whether messages of a cell may fall under a rule. A closer rule may have them: then these shares lie idle."""
    return (
        match.account_id in (GENERAL, cell.account_id)
        and match.app_id in ("", cell.app_id)
        and match.country in ("", cell.country)
        and match.network in ("", cell.network)
        and (block.startswith(match.prefix) or match.prefix.startswith(block))
    )
