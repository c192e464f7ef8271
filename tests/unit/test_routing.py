"""Which rule a message falls under, and in which order its carriers are tried."""

import pytest

from homing.model import Strategy
from homing.routing.choose import choose, offer, order
from homing.routing.rules import Candidate, Match, RouteBook, Rule, Wanted

PRICE_MICRO = 20_000


def rule(match: Match, *carriers: int, strategy: Strategy = Strategy.PRIORITY, ceiling: int | None = None) -> Rule:
    return Rule(match, strategy, ceiling, tuple(Candidate(n, n, 10, 1) for n in carriers))


def wanted(**changes: object) -> Wanted:
    facts = {
        "account_id": 7,
        "app_id": "app",
        "sender": "HOMING",
        "traffic": 0,
        "number": "8613800138000",
        "country": "CN",
        "network": "46000",
    }
    return Wanted(**{**facts, **changes})  # type: ignore[arg-type]


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


def carriers(offered: object, draw: int = 1) -> list[int]:
    return [row.carrier_id for row in order(offered, draw)]  # type: ignore[arg-type]


def test_least_cost_puts_the_cheapest_first_and_the_unknown_last() -> None:
    offered = offer(
        rule(Match(), 1, 2, 3, strategy=Strategy.LEAST_COST), {1: 9_000, 3: 4_000}, PRICE_MICRO, frozenset()
    )
    assert carriers(offered) == [3, 1, 2]
    assert offered.note == "least cost of 3, from 0.004 a segment"


def test_what_costs_more_than_the_customer_pays_is_barred_with_the_reason() -> None:
    offered = offer(rule(Match(), 1, 2), {1: PRICE_MICRO + 1, 2: PRICE_MICRO}, PRICE_MICRO, frozenset())
    assert carriers(offered) == [2]
    ((barred, reason),) = offered.barred
    assert barred.carrier_id == 1
    assert "above the ceiling of 0.02" in reason


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
    assert offered.note == "2 of 3 carriers down"


def test_weighted_routes_share_whatever_their_priorities() -> None:
    rows = (Candidate(1, 1, 1, 3), Candidate(2, 2, 9, 1))
    offered = offer(Rule(Match(), Strategy.WEIGHTED, None, rows), {}, PRICE_MICRO, frozenset())
    firsts = [carriers(offered, draw)[0] for draw in range(4_000)]
    assert 0.70 < firsts.count(1) / len(firsts) < 0.80
