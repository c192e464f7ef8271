"""The catalogue of a simulated world: its prices, its carriers' costs, and rules of a given strategy."""

from collections.abc import Mapping, Sequence

from homing.lab.world import World
from homing.model import GENERAL, Strategy
from homing.routing.catalogue import Catalogue
from homing.routing.objective import Objective
from homing.routing.rules import RouteCandidate, RouteRule, RouteScope

WEIGHT: int = 10_000
"""The sum of the weights of a rule."""


def candidates(world: World, shares: Sequence[float] | None = None) -> tuple[RouteCandidate, ...]:
    """All carriers in the scenario's order; with `shares` weighted by them, without carriers that have no share."""
    ids = range(1, len(world.scenario.carriers) + 1)
    if shares is None:
        return tuple(RouteCandidate(n, n, n, 1) for n in ids)
    weights = [round(share * WEIGHT) for share in shares]
    return tuple(RouteCandidate(n, n, n, weight) for n, weight in zip(ids, weights, strict=True) if weight > 0)


def single_rule(world: World, strategy: Strategy, shares: Sequence[float] | None = None) -> list[RouteRule]:
    return [RouteRule(RouteScope(), strategy, None, candidates(world, shares))]


def rules_by_network(world: World, shares: Mapping[str, Sequence[float]], others: Sequence[float]) -> list[RouteRule]:
    """A weighted rule for each network, and one for `others`. Route ids are unique across rules."""
    rules = [*single_rule(world, Strategy.WEIGHTED, others)]
    for n, (network, network_shares) in enumerate(sorted(shares.items()), 1):
        rows = tuple(
            RouteCandidate(n * 100 + row.route_id, row.carrier_id, row.priority, row.weight)
            for row in candidates(world, network_shares)
        )
        rules.append(RouteRule(RouteScope(network=network), Strategy.WEIGHTED, None, rows))
    return rules


def catalogue(
    world: World, rules: Sequence[RouteRule], minute: int, objectives: Mapping[tuple[int, str], Objective] | None = None
) -> Catalogue:
    """The catalogue with the prices and costs of a minute."""
    truth = world.truth
    prefixes = world.prefixes()
    carriers = range(1, len(world.scenario.carriers) + 1)
    return Catalogue(
        prices=[(GENERAL, prefix, int(truth.price_micro[country])) for prefix, country in prefixes.items()],
        rules=rules,
        enabled=carriers,
        costs=[
            (carrier, prefix, int(truth.cost_micro[minute, country, carrier - 1]))
            for carrier in carriers
            for prefix, country in prefixes.items()
        ],
        objectives=objectives,
    )
