"""Shares, for any beliefs, costs and terms: they are whole, within bounds, and follow the evidence."""

import random
from bisect import bisect
from math import isclose

from hypothesis import given, settings
from hypothesis import strategies as st

from homing.learning.fake_receipts import bayes_factor
from homing.learning.posterior import Posterior
from homing.learning.shares import LEARN_EXPLORE_SHARE_MAX, PosteriorDraws, ShareCalculator, bound_shares, to_weights
from homing.model import Strategy
from homing.routing.cells import CellKey
from homing.routing.objective import Objective
from homing.routing.rules import RouteCandidate, RouteRule, RouteScope
from homing.routing.shares import SHARES_TOTAL, RouteShares

CELL = CellKey(7, "app", "CN", "46000")


def posterior(carrier: int, alpha: float, beta: float) -> Posterior:
    mean = alpha / (alpha + beta)
    return Posterior(carrier, alpha + beta, alpha, mean, mean, mean, alpha, beta, None, "conversions")


positive = st.floats(0.05, 1e6)
posterior_lists = st.lists(st.tuples(positive, positive), min_size=1, max_size=8).map(
    lambda pairs: [posterior(carrier, *pair) for carrier, pair in enumerate(pairs, 1)]
)
objectives = st.builds(
    Objective,
    worth_micro=st.none() | st.integers(1, 10**9),
    quality_floor=st.floats(0, 1),
    explore_min=st.floats(0, 0.2),
    share_max=st.floats(0.05, 1),
    opted_out=st.booleans(),
)


def shared(
    posteriors: list[Posterior],
    objective: Objective,
    costs: dict[int, int],
    down: frozenset[int] = frozenset(),
    seed: int = 1,
) -> RouteShares:
    rule = RouteRule(
        RouteScope(), Strategy.ADAPTIVE, None, tuple(RouteCandidate(n, n, n, 1) for n in range(1, len(posteriors) + 1))
    )
    return ShareCalculator().share(
        cell=CELL,
        rule=rule,
        costs=costs,
        down=down,
        posteriors=posteriors,
        objective=objective,
        now_s=1.0,
        rng=random.Random(seed),
    )


@given(posterior_lists, objectives, st.data())
def test_shares_are_of_the_rule_s_carriers_and_add_up(
    posteriors: list[Posterior], objective: Objective, data: st.DataObject
) -> None:
    carriers = [one.carrier_id for one in posteriors]
    costs = data.draw(st.dictionaries(st.sampled_from(carriers), st.integers(0, 10**6)))
    down = data.draw(st.frozensets(st.sampled_from(carriers)))
    weights = shared(posteriors, objective, costs, down).weights
    assert sum(weights.values()) == SHARES_TOTAL
    assert set(weights) <= set(carriers)
    assert min(weights.values()) >= 0
    if down != set(carriers):
        assert not set(weights) & down


@given(st.dictionaries(st.integers(1, 9), st.floats(0, 1), min_size=2, max_size=9), objectives)
def test_each_share_lies_between_its_floor_and_its_ceiling(shares: dict[int, float], objective: Objective) -> None:
    bounded = bound_shares(shares, objective)
    floor = min(objective.explore_min, LEARN_EXPLORE_SHARE_MAX / (len(shares) - 1), 1 / len(shares))
    ceiling = max(objective.share_max, 1 / len(shares))
    assert isclose(sum(bounded.values()), 1.0, abs_tol=1e-9)
    assert all(floor - 1e-9 <= share <= ceiling + 1e-9 for share in bounded.values())


@given(st.dictionaries(st.integers(1, 50), st.floats(1e-9, 1), min_size=1, max_size=50))
def test_whole_shares_differ_from_the_exact_ones_by_less_than_one(shares: dict[int, float]) -> None:
    total = sum(shares.values())
    weights = to_weights(shares)
    assert sum(weights.values()) == SHARES_TOTAL
    assert all(abs(weights[one] - share / total * SHARES_TOTAL) < 1.001 for one, share in shares.items())


@given(st.floats(20, 5_000), st.floats(1.0, 4.0), st.floats(0.05, 0.5), st.integers(1, 1_000))
def test_more_conversions_of_as_many_messages_never_cost_a_carrier_its_share(
    messages: float, more: float, rate: float, seed: int
) -> None:
    """Up to what a hundred draws leave to chance."""
    costs, objective = {1: 10_000, 2: 10_000}, Objective(quality_floor=0.0)
    rival = posterior(2, messages * rate, messages * (1 - rate))
    worse = posterior(1, messages * rate, messages * (1 - rate))
    came = min(0.95, rate * more) * messages
    better = posterior(1, came, messages - came)
    before = shared([worse, rival], objective, costs, seed=seed).weights[1]
    after = shared([better, rival], objective, costs, seed=seed).weights[1]
    assert after >= before - 2_500


@given(st.floats(0, 500), st.floats(20, 5_000), st.floats(20, 5_000))
def test_the_more_converts_the_less_a_carrier_looks_like_a_liar(
    converted: float, promised: float, peers: float
) -> None:
    assert bayes_factor(converted, promised, peers) >= bayes_factor(converted + 20, promised, peers) * 0.999


@settings(deadline=None)
@given(st.floats(0.2, 40.0), st.floats(0.2, 40.0), st.integers(0, 1_000))
def test_draws_are_a_beta_s(alpha: float, beta: float, seed: int) -> None:
    """Against the standard library's own: no quantile is further off than so many draws of each can be by chance."""
    rng = random.Random(seed)
    drawn = sorted(one for _time in range(100) for one in PosteriorDraws(posterior(1, alpha, beta), rng).rates())
    exact = sorted(rng.betavariate(alpha, beta) for _draw in range(4_000))
    assert abs(sum(drawn) / len(drawn) - alpha / (alpha + beta)) < 0.02
    for quantile in (0.05, 0.25, 0.5, 0.75, 0.95):
        value = drawn[int(quantile * len(drawn))]
        assert abs(bisect(exact, value) / len(exact) - quantile) < 0.08
