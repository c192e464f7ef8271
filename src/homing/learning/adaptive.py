"""The shares in force: each adaptive rule x each active cell, and wider shares for cells without any. Pure."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Final

import msgspec

from homing.learning.learner import RoutingLearner
from homing.learning.posterior import Posterior
from homing.learning.shares import ShareCalculator
from homing.model import GENERAL
from homing.routing.catalogue import Catalogue
from homing.routing.cells import CellKey
from homing.routing.objective import Objective
from homing.routing.rules import RouteRule, RouteScope
from homing.routing.shares import RouteShares

LEARN_SHARES_MAX: Final = 5_000  # rules x cells, in force at once


class ShareDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The shares of a rule in a cell, with all inputs of the decision.

    `costs` (micro-units per segment) and `routes` (route ids) are by carrier id.
    """

    scope: RouteScope
    cell: CellKey
    shares: RouteShares
    posteriors: Sequence[Posterior]
    costs: Mapping[int, int]
    routes: Mapping[int, int]
    down: Set[int]
    objective: Objective


class AdaptiveRouting:
    """Calculates all shares from the posteriors. Remembers the last shares, which the next are smoothed against."""

    def __init__(self, rng: random.Random) -> None:
        self._calculator = ShareCalculator()
        self._rng = rng

    def decide(
        self, catalogue: Catalogue, learner: RoutingLearner, now_s: float
    ) -> dict[tuple[RouteScope, CellKey], ShareDecision]:
        """At most LEARN_SHARES_MAX decisions: those of cells first, then of their countries, then of all
        destinations.
        """
        decisions: dict[tuple[RouteScope, CellKey], ShareDecision] = {}
        rules = catalogue.adaptive_rules()
        if rules:
            for rule, cell, block in _pairs(rules, learner.active_cells(), learner.block):
                key = (rule.scope, cell)
                if key in decisions:
                    continue
                if len(decisions) >= LEARN_SHARES_MAX:
                    break
                decisions[key] = self._decide(rule, cell, block, catalogue, learner, now_s)
        self._calculator.retain(decisions.keys())
        return decisions

    def _decide(
        self, rule: RouteRule, cell: CellKey, block: str, catalogue: Catalogue, learner: RoutingLearner, now_s: float
    ) -> ShareDecision:
        carriers = [row.carrier_id for row in rule.candidates]
        costs = {
            carrier_id: cost
            for carrier_id in carriers
            if (cost := catalogue.cost(carrier_id, number=block)) is not None
        }
        down = frozenset(carrier_id for carrier_id in carriers if catalogue.is_down(carrier_id))
        posteriors = learner.posteriors(cell, sorted(set(carriers)))
        objective = catalogue.objective(cell.account_id, cell.app_id)
        shares = self._calculator.share(
            cell=cell,
            rule=rule,
            costs=costs,
            down=down,
            posteriors=posteriors,
            objective=objective,
            now_s=now_s,
            rng=self._rng,
        )
        return ShareDecision(
            scope=rule.scope,
            cell=cell,
            shares=shares,
            posteriors=posteriors,
            costs=costs,
            routes={row.carrier_id: row.route_id for row in rule.candidates},
            down=down,
            objective=objective,
        )


def _pairs(
    rules: Sequence[RouteRule], cells: Sequence[CellKey], block_of: Callable[[CellKey], str]
) -> Iterator[tuple[RouteRule, CellKey, str]]:
    """Each rule with the cells that it may apply to, then with their countries, then with all destinations; and the
    cell's block of numbers.
    """
    blocks = [(cell, block_of(cell)) for cell in cells]
    for level in range(3):
        for rule in rules:
            for cell, block in blocks:
                if _may_apply(rule.scope, cell, block):
                    yield rule, _widened(cell, level), block


def _widened(cell: CellKey, level: int) -> CellKey:
    if level == 0:
        return cell
    return CellKey(cell.account_id, cell.app_id, cell.country if level == 1 else "", "")


def _may_apply(scope: RouteScope, cell: CellKey, block: str) -> bool:
    """Whether a rule may apply to messages of a cell. Where a more specific rule does, these shares are not used."""
    return (
        scope.account_id in (GENERAL, cell.account_id)
        and scope.app_id in ("", cell.app_id)
        and scope.country in ("", cell.country)
        and scope.network in ("", cell.network)
        and (block.startswith(scope.prefix) or scope.prefix.startswith(block))
    )
