"""Which rule a message falls under, and in which order its carriers are tried."""

from typing import Any

import pytest

from homing.model import Strategy
from homing.reasons import Reason, ReasonCode
from homing.routing.catalogue import Catalogue
from homing.routing.cells import CellKey
from homing.routing.objective import Objective
from homing.routing.rules import RouteCandidate, RouteRequest, RouteRule, RouteScope, RouteTable
from homing.routing.selection import choose, order, rank
from homing.routing.shares import RouteShares, ShareTable

PRICE_MICRO = 20_000


def rule(
    match: RouteScope, *carriers: int, strategy: Strategy = Strategy.PRIORITY, ceiling: int | None = None
) -> RouteRule:
    return RouteRule(match, strategy, ceiling, tuple(RouteCandidate(n, n, 10, 1) for n in carriers))


def request(**changes: Any) -> RouteRequest:
    facts: dict[str, Any] = {
        "account_id": 7,
        "app_id": "app",
        "sender": "HOMING",
        "traffic": 0,
        "number": "8613800138000",
        "country": "CN",
        "network": "46000",
    }
    return RouteRequest(**{**facts, **changes})


FARTHEST_FIRST = (
    RouteScope(),
    RouteScope(country="CN"),
    RouteScope(prefix="86"),
    RouteScope(prefix="86138"),
    RouteScope(network="46000"),
    RouteScope(traffic=0),
    RouteScope(sender="HOMING"),
    RouteScope(sender="HOMING", traffic=0),
    RouteScope(account_id=7),
    RouteScope(account_id=7, network="46000"),
    RouteScope(account_id=7, sender="HOMING", prefix="8"),
    RouteScope(app_id="app", country="CN"),
    RouteScope(account_id=7, app_id="app"),
    RouteScope(account_id=7, app_id="app", sender="HOMING", traffic=0),
)


@pytest.mark.parametrize("closest", range(1, len(FARTHEST_FIRST) + 1))
def test_of_the_rules_that_fit_the_closest_counts(closest: int) -> None:
    table = RouteTable(rule(match, n) for n, match in enumerate(FARTHEST_FIRST[:closest]))
    found = table.find(request())
    assert found is not None
    assert found.scope == FARTHEST_FIRST[closest - 1]


@pytest.mark.parametrize(
    "other",
    [
        RouteScope(account_id=8),
        RouteScope(app_id="other"),
        RouteScope(sender="OTHER"),
        RouteScope(traffic=1),
        RouteScope(country="IN"),
        RouteScope(network="46001"),
        RouteScope(prefix="91"),
        RouteScope(account_id=7, prefix="91"),
    ],
)
def test_a_rule_for_others_is_passed_over_for_the_general_one(other: RouteScope) -> None:
    found = RouteTable([rule(other, 1), rule(RouteScope(prefix="86"), 2)]).find(request())
    assert found is not None
    assert found.scope == RouteScope(prefix="86")
    assert RouteTable([rule(other, 1)]).find(request()) is None


def carriers(ranked: Any, draw: int = 1) -> list[int]:
    return [row.carrier_id for row in order(ranked, draw)]


def test_least_cost_puts_the_cheapest_first_and_the_unknown_last() -> None:
    ranked = rank(
        rule(RouteScope(), 1, 2, 3, strategy=Strategy.LEAST_COST), {1: 9_000, 3: 4_000}, PRICE_MICRO, frozenset()
    )
    assert carriers(ranked) == [3, 1, 2]
    assert ranked.notes == (Reason.of(ReasonCode.ROUTE_LEAST_COST, carriers=3, cost_micro=4_000),)


def test_what_costs_more_than_the_customer_pays_is_barred_with_the_reason() -> None:
    ranked = rank(rule(RouteScope(), 1, 2), {1: PRICE_MICRO + 1, 2: PRICE_MICRO}, PRICE_MICRO, frozenset())
    assert carriers(ranked) == [2]
    ((barred, reason),) = ranked.excluded
    assert barred.carrier_id == 1
    assert reason == Reason.of(ReasonCode.ROUTE_ABOVE_CEILING, cost_micro=PRICE_MICRO + 1, ceiling_micro=PRICE_MICRO)


def test_a_rules_own_ceiling_stands_in_place_of_the_price() -> None:
    costs = {1: PRICE_MICRO * 2}
    assert carriers(rank(rule(RouteScope(), 1, ceiling=PRICE_MICRO * 3), costs, PRICE_MICRO, frozenset())) == [1]
    assert carriers(rank(rule(RouteScope(), 1, ceiling=100), {1: 101}, PRICE_MICRO, frozenset())) == []


def test_when_every_carrier_is_too_dear_there_is_no_choice() -> None:
    assert choose(rank(rule(RouteScope(), 1), {1: PRICE_MICRO + 1}, PRICE_MICRO, frozenset()), 5) is None


def test_a_carrier_that_is_down_comes_after_all_others_whatever_its_priority() -> None:
    rows = (RouteCandidate(1, 1, 1, 1), RouteCandidate(2, 2, 2, 1), RouteCandidate(3, 3, 3, 1))
    ranked = rank(RouteRule(RouteScope(), Strategy.PRIORITY, None, rows), {}, PRICE_MICRO, frozenset((1, 2)))
    assert carriers(ranked) == [3, 1, 2]
    assert ranked.notes == (Reason.of(ReasonCode.ROUTE_CARRIERS_DOWN, down=2, carriers=3),)


def test_weighted_routes_share_whatever_their_priorities() -> None:
    rows = (RouteCandidate(1, 1, 1, 3), RouteCandidate(2, 2, 9, 1))
    ranked = rank(RouteRule(RouteScope(), Strategy.WEIGHTED, None, rows), {}, PRICE_MICRO, frozenset())
    firsts = [carriers(ranked, draw)[0] for draw in range(4_000)]
    assert 0.70 < firsts.count(1) / len(firsts) < 0.80


ONLY = Reason.of(ReasonCode.ROUTE_ONLY_CARRIER)
ONE_TOO_EXPENSIVE = Reason.of(ReasonCode.ROUTE_CARRIERS_TOO_EXPENSIVE, carriers=1)
CHINA = CellKey(7, "app", "CN", "")
CELL = CellKey(7, "app", "CN", "46000")


def adaptive(*cells: tuple[CellKey, dict[int, int]], objective: Objective | None = None) -> Catalogue:
    catalogue = Catalogue(
        prices=[(0, "", PRICE_MICRO)],
        rules=[rule(RouteScope(), 1, 2, 3, strategy=Strategy.ADAPTIVE)],
        enabled=[1, 2, 3],
        costs=[(1, "", 9_000), (2, "", 4_000), (3, "86", PRICE_MICRO + 1)],
        objectives={} if objective is None else {(7, "app"): objective},
    )
    table = ShareTable({(RouteScope(), cell): RouteShares(weights, ONLY, 12) for cell, weights in cells})
    return catalogue.with_shares(table)


def test_an_adaptive_rule_draws_by_the_shares_of_the_closest_cell() -> None:
    catalogue = adaptive((CELL, {1: 9_000, 2: 1_000}), (CHINA, {1: 1_000, 2: 9_000}))
    for network, most in (("46000", 1), ("46011", 2)):
        ranked = catalogue.rank(request(network=network), PRICE_MICRO)
        assert ranked is not None
        chosen = [choose(ranked, draw) for draw in range(2_000)]
        share = sum(1 for one in chosen if one is not None and one.carrier_id == most) / len(chosen)
        assert 0.87 < share < 0.93
        assert ranked.notes == (Reason.of(ReasonCode.ROUTE_SHARES, version=12, total=10_000), ONE_TOO_EXPENSIVE)
        assert (ranked.reason, ranked.version) == (ONLY, 12)


def test_an_adaptive_rule_that_has_learnt_nothing_goes_by_cost() -> None:
    ranked = adaptive().rank(request(), PRICE_MICRO)
    assert ranked is not None
    assert carriers(ranked) == [2, 1]
    assert ranked.notes == (Reason.of(ReasonCode.ROUTE_NOTHING_LEARNT), ONE_TOO_EXPENSIVE)


def test_an_adaptive_rule_goes_by_priority_for_who_opted_out() -> None:
    catalogue = adaptive((CELL, {1: 100, 2: 9_900}), objective=Objective(opted_out=True))
    ranked = catalogue.rank(request(), PRICE_MICRO)
    assert ranked is not None
    assert ranked.rule.strategy is Strategy.PRIORITY


def test_a_carrier_without_a_share_is_there_for_when_the_others_fail() -> None:
    ranked = adaptive((CELL, {1: 10_000})).rank(request(), PRICE_MICRO)
    assert ranked is not None
    orders = [carriers(ranked, draw) for draw in range(300)]
    assert all(sorted(found) == [1, 2] for found in orders)
    assert sum(found[0] == 1 for found in orders) >= 298


def test_other_shares_make_other_offers_and_leave_the_rest_as_it_was() -> None:
    catalogue = adaptive((CELL, {1: 9_000, 2: 1_000}))
    before = catalogue.rank(request(), PRICE_MICRO)
    after = catalogue.with_shares(ShareTable({(RouteScope(), CELL): RouteShares({2: 10_000}, ONLY, 13)})).rank(
        request(), PRICE_MICRO
    )
    assert before is not None
    assert after is not None
    assert (before.version, after.version) == (12, 13)
    assert catalogue.rank(request(), PRICE_MICRO) is before
