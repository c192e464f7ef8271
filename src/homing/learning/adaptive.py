"""Which shares are to be in force: each adaptive rule x each cell it is for, and wider ones for cells to come. Pure."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Final

import msgspec

from homing.learning.posteriors import RoutingLearner
from homing.model import GENERAL
from homing.routing.catalogue import Catalogue
from homing.routing.cells import CellKey, Posterior
from homing.routing.rules import RouteRule, RouteScope
from homing.routing.shares import Objective, RouteShares, ShareCalculator

LEARN_SHARES_MAX: Final = 5_000  # of rules and cells, in force at once


class ShareDecision(msgspec.Struct, frozen=True):
    """The shares of a rule in a cell, and all that they rest on."""

    match: RouteScope
    cell: CellKey
    shares: RouteShares
    beliefs: Sequence[Posterior]
    costs: Mapping[int, int]
    routes: Mapping[int, int]  # by carrier: in the order of their ids the draw goes through them
    down: Set[int]
    terms: Objective


class AdaptiveRouting:
    """Derives all shares anew from beliefs. Holds the last ones, which changes are measured against."""

    def __init__(self, chance: random.Random) -> None:
        self._sharer = ShareCalculator()
        self._chance = chance

    def decide(
        self, catalogue: Catalogue, learner: RoutingLearner, now_s: float
    ) -> dict[tuple[RouteScope, CellKey], ShareDecision]:
        """The latest active cells first, up to LEARN_SHARES_MAX."""
        made: dict[tuple[RouteScope, CellKey], ShareDecision] = {}
        rules = catalogue.adaptive_rules()
        if rules:
            for rule, cell, block in _pairs(rules, learner.active(), learner.block):
                key = (rule.match, cell)
                if key in made:
                    continue
                if len(made) >= LEARN_SHARES_MAX:
                    break
                made[key] = self._decide(rule, cell, block, catalogue, learner, now_s)
        self._sharer.forget(made.keys())
        return made

    def _decide(
        self, rule: RouteRule, cell: CellKey, block: str, catalogue: Catalogue, learner: RoutingLearner, now_s: float
    ) -> ShareDecision:
        carriers = [row.carrier_id for row in rule.candidates]
        costs = {one: cost for one in carriers if (cost := catalogue.cost(one, block)) is not None}
        down = frozenset(one for one in carriers if catalogue.is_down(one))
        routes = {row.carrier_id: row.route_id for row in rule.candidates}
        beliefs = learner.beliefs(cell, sorted(set(carriers)))
        terms = catalogue.terms(cell.account_id, cell.app_id)
        shares = self._sharer.share(cell, rule, costs, down, beliefs, terms, now_s, self._chance)
        return ShareDecision(rule.match, cell, shares, beliefs, costs, routes, down, terms)


def _pairs(
    rules: Sequence[RouteRule], cells: Sequence[CellKey], block_of: Callable[[CellKey], str]
) -> Iterator[tuple[RouteRule, CellKey, str]]:
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


def _fits(match: RouteScope, cell: CellKey, block: str) -> bool:
    """Whether messages of a cell may fall under a rule. A closer rule may have them: then these shares lie idle."""
    return (
        match.account_id in (GENERAL, cell.account_id)
        and match.app_id in ("", cell.app_id)
        and match.country in ("", cell.country)
        and match.network in ("", cell.network)
        and (block.startswith(match.prefix) or match.prefix.startswith(block))
    )
