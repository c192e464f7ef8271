"""Which rule a message falls under, and in which order its carriers are tried."""

from typing import Any

import pytest

from homing.model import Strategy
from homing.reasons import Reason, ReasonCode
from homing.routing.book import SharesBook
from homing.routing.cells import CellKey
from homing.routing.choose import choose, offer, order
from homing.routing.rules import Candidate, Match, RouteBook, Rule, Wanted
from homing.routing.shares import Shares, Terms
from homing.routing.tariff import Tariff

PRICE_MICRO = 20_000


def rule(match: Match, *carriers: int, strategy: Strategy = Strategy.PRIORITY, ceiling: int | None = None) -> Rule:
    return Rule(match, strategy, ceiling, tuple(Candidate(n, n, 10, 1) for n in carriers))


def wanted(**changes: Any) -> Wanted:
    facts: dict[str, Any] = {
        "account_id": 7,
        "app_id": "app",
        "sender": "HOMING",
        "traffic": 0,
        "number": "8613800138000",
        "country": "CN",
        "network": "46000",
    }
    return Wanted(**{**facts, **changes})


FARTHEST_FIRST = (
    Match(),
    Match(country="CN"),
    Match(prefix="86"),
    Match(prefix="86138"),
    Match(network="46000"),
    Match(traffic=0),
    Match(sender="HOMING"),
    Match(sender="HOMING", traffic=0),
    Match(account_id=7),
    Match(account_id=7, network="46000"),
    Match(account_id=7, sender="HOMING", prefix="8"),
    Match(app_id="app", country="CN"),
    Match(account_id=7, app_id="app"),
    Match(account_id=7, app_id="app", sender="HOMING", traffic=0),
)


@pytest.mark.parametrize("closest", range(1, len(FARTHEST_FIRST) + 1))
def test_of_the_rules_that_fit_the_closest_counts(closest: int) -> None:
    book = RouteBook(rule(match, n) for n, match in enumerate(FARTHEST_FIRST[:closest]))
    found = book.find(wanted())
    assert found is not None
    assert found.match == FARTHEST_FIRST[closest - 1]


@pytest.mark.parametrize(
    "other",
    [
        Match(account_id=8),
        Match(app_id="other"),
        Match(sender="OTHER"),
        Match(traffic=1),
        Match(country="IN"),
        Match(network="46001"),
        Match(prefix="91"),
        Match(account_id=7, prefix="91"),
    ],
)
def test_a_rule_for_others_is_passed_over_for_the_general_one(other: Match) -> None:
    found = RouteBook([rule(other, 1), rule(Match(prefix="86"), 2)]).find(wanted())
    assert found is not None
    assert found.match == Match(prefix="86")
    assert RouteBook([rule(other, 1)]).find(wanted()) is None


def carriers(offered: Any, draw: int = 1) -> list[int]:
    return [row.carrier_id for row in order(offered, draw)]


def test_least_cost_puts_the_cheapest_first_and_the_unknown_last() -> None:
    offered = offer(
        rule(Match(), 1, 2, 3, strategy=Strategy.LEAST_COST), {1: 9_000, 3: 4_000}, PRICE_MICRO, frozenset()
    )
    assert carriers(offered) == [3, 1, 2]
    assert offered.notes == (Reason.of(ReasonCode.ROUTE_LEAST_COST, carriers=3, cost_micro=4_000),)


def test_what_costs_more_than_the_customer_pays_is_barred_with_the_reason() -> None:
    offered = offer(rule(Match(), 1, 2), {1: PRICE_MICRO + 1, 2: PRICE_MICRO}, PRICE_MICRO, frozenset())
    assert carriers(offered) == [2]
    ((barred, reason),) = offered.barred
    assert barred.carrier_id == 1
    assert reason == Reason.of(ReasonCode.ROUTE_ABOVE_CEILING, cost_micro=PRICE_MICRO + 1, ceiling_micro=PRICE_MICRO)


def test_a_rules_own_ceiling_stands_in_place_of_the_price() -> None:
    costs = {1: PRICE_MICRO * 2}
    assert carriers(offer(rule(Match(), 1, ceiling=PRICE_MICRO * 3), costs, PRICE_MICRO, frozenset())) == [1]
    assert carriers(offer(rule(Match(), 1, ceiling=100), {1: 101}, PRICE_MICRO, frozenset())) == []


def test_when_every_carrier_is_too_dear_there_is_no_choice() -> None:
    assert choose(offer(rule(Match(), 1), {1: PRICE_MICRO + 1}, PRICE_MICRO, frozenset()), 5) is None


def test_a_carrier_that_is_down_comes_after_all_others_whatever_its_priority() -> None:
    rows = (Candidate(1, 1, 1, 1), Candidate(2, 2, 2, 1), Candidate(3, 3, 3, 1))
    offered = offer(Rule(Match(), Strategy.PRIORITY, None, rows), {}, PRICE_MICRO, frozenset((1, 2)))
    assert carriers(offered) == [3, 1, 2]
    assert offered.notes == (Reason.of(ReasonCode.ROUTE_CARRIERS_DOWN, down=2, carriers=3),)


def test_weighted_routes_share_whatever_their_priorities() -> None:
    rows = (Candidate(1, 1, 1, 3), Candidate(2, 2, 9, 1))
    offered = offer(Rule(Match(), Strategy.WEIGHTED, None, rows), {}, PRICE_MICRO, frozenset())
    firsts = [carriers(offered, draw)[0] for draw in range(4_000)]
    assert 0.70 < firsts.count(1) / len(firsts) < 0.80


ONLY = Reason.of(ReasonCode.ROUTE_ONLY_CARRIER)
ONE_TOO_DEAR = Reason.of(ReasonCode.ROUTE_CARRIERS_TOO_DEAR, carriers=1)
CHINA = CellKey(7, "app", "CN", "")
CELL = CellKey(7, "app", "CN", "46000")


def adaptive(*cells: tuple[CellKey, dict[int, int]], terms: Terms | None = None) -> Tariff:
    tariff = Tariff(
        [(0, "", PRICE_MICRO)],
        [rule(Match(), 1, 2, 3, strategy=Strategy.ADAPTIVE)],
        [1, 2, 3],
        (),
        [(1, "", 9_000), (2, "", 4_000), (3, "86", PRICE_MICRO + 1)],
        terms={} if terms is None else {(7, "app"): terms},
    )
    book = SharesBook({(Match(), cell): Shares(weights, ONLY, 12) for cell, weights in cells})
    return tariff.with_shares(book)


def test_an_adaptive_rule_draws_by_the_shares_of_the_closest_cell() -> None:
    tariff = adaptive((CELL, {1: 9_000, 2: 1_000}), (CHINA, {1: 1_000, 2: 9_000}))
    for network, most in (("46000", 1), ("46011", 2)):
        offered = tariff.offer(wanted(network=network), PRICE_MICRO)
        assert offered is not None
        chosen = [choose(offered, draw) for draw in range(2_000)]
        share = sum(1 for one in chosen if one is not None and one.carrier_id == most) / len(chosen)
        assert 0.87 < share < 0.93
        assert offered.notes == (Reason.of(ReasonCode.ROUTE_SHARES, version=12, total=10_000), ONE_TOO_DEAR)
        assert (offered.reason, offered.version) == (ONLY, 12)


def test_an_adaptive_rule_that_has_learnt_nothing_goes_by_cost() -> None:
    offered = adaptive().offer(wanted(), PRICE_MICRO)
    assert offered is not None
    assert carriers(offered) == [2, 1]
    assert offered.notes == (Reason.of(ReasonCode.ROUTE_NOTHING_LEARNT), ONE_TOO_DEAR)


def test_an_adaptive_rule_goes_by_priority_for_who_opted_out() -> None:
    tariff = adaptive((CELL, {1: 100, 2: 9_900}), terms=Terms(opted_out=True))
    offered = tariff.offer(wanted(), PRICE_MICRO)
    assert offered is not None
    assert offered.rule.strategy is Strategy.PRIORITY


def test_a_carrier_without_a_share_is_there_for_when_the_others_fail() -> None:
    offered = adaptive((CELL, {1: 10_000})).offer(wanted(), PRICE_MICRO)
    assert offered is not None
    orders = [carriers(offered, draw) for draw in range(300)]
    assert all(sorted(found) == [1, 2] for found in orders)
    assert sum(found[0] == 1 for found in orders) >= 298


def test_other_shares_make_other_offers_and_leave_the_rest_as_it_was() -> None:
    tariff = adaptive((CELL, {1: 9_000, 2: 1_000}))
    before = tariff.offer(wanted(), PRICE_MICRO)
    after = tariff.with_shares(SharesBook({(Match(), CELL): Shares({2: 10_000}, ONLY, 13)})).offer(
        wanted(), PRICE_MICRO
    )
    assert before is not None
    assert after is not None
    assert (before.version, after.version) == (12, 13)
    assert tariff.offer(wanted(), PRICE_MICRO) is before
