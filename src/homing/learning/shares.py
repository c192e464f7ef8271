"""From posteriors to shares: how much of a cell's traffic each carrier of a rule gets. Pure; randomness is passed in.

A carrier's share is the probability that it is the best (Thompson sampling as probability matching): the posteriors are
drawn a hundred times, and each carrier's wins counted.
"""

import random
from collections.abc import Mapping, Sequence, Set
from math import sqrt
from statistics import NormalDist
from typing import Final

import msgspec

from homing.learning.posterior import Posterior
from homing.reasons import Reason, ReasonCode, ppm
from homing.routing.cells import CellKey
from homing.routing.objective import Objective
from homing.routing.rules import RouteRule, RouteScope
from homing.routing.shares import SHARES_TOTAL, RouteShares

LEARN_DRAWS: Final = 100  # of each posterior in an update
LEARN_EXPLORE_SHARE_MAX: Final = 0.02  # of a cell's traffic, over all carriers that are only explored
GAIN: Final = 0.25
"""The part of the way from the last shares to the drawn ones that shares move each time."""
JUMP: Final = 0.35
"""Where a drawn share differs from the last one by more, shares move all the way: between equals it differs by less."""
CHANGE_MIN: Final = 0.02
"""Shares that change by less in sum stay as they are."""
UNCHANGED_S_MAX: Final = 300.0
NORMALS: Final = random.Random(0).sample(  # noqa: S311 - a table: a slice of it is as good as new draws, and cheaper
    [NormalDist().inv_cdf((n + 0.5) / 4096) for n in range(4096)], 4096
)
UNIFORMS: Final = random.Random(1).sample([(n + 0.5) / 4096 for n in range(4096)], 4096)  # noqa: S311 - likewise
NORMAL_MAX: Final = max(NORMALS)  # the table is symmetric about zero
HALF: Final = LEARN_DRAWS // 2
DRAWS: Final = 2 * HALF
BELOW_FLOOR: Final = -1.0  # the value of a rate below the quality floor; other values are not negative
NORMAL_FROM: Final = 8.0  # a Beta with both parameters at least this large is drawn as a normal
GAMMA_MIN: Final = 1e-12
SOURCE_REASONS: Final = {
    "conversions": Reason.of(ReasonCode.SHARES_FROM_CONVERSIONS),
    "repeats": Reason.of(ReasonCode.SHARES_FROM_REPEATS),
    "receipts": Reason.of(ReasonCode.SHARES_FROM_RECEIPTS),
    "prior": Reason.of(ReasonCode.SHARES_FROM_PRIOR),
}
"""By the source of a posterior."""

CostedPosteriors = Sequence[tuple[Posterior, int]]
"""Posteriors with the carrier's cost of a segment, in micro-units."""


class _LastShares(msgspec.Struct):
    shares: dict[int, float]
    made_s: float
    result: RouteShares


class ShareCalculator:
    """Remembers the last shares of each rule and cell, so that equal carriers do not take turns at having all."""

    def __init__(self) -> None:
        self._last: dict[tuple[RouteScope, CellKey], _LastShares] = {}

    def share(
        self,
        *,
        cell: CellKey,
        rule: RouteRule,
        costs: Mapping[int, int],
        down: Set[int],
        posteriors: Sequence[Posterior],
        objective: Objective,
        now_s: float,
        rng: random.Random,
    ) -> RouteShares:
        """The shares of a rule's carriers in a cell.

        `costs`: carrier id -> micro-units per segment, where known. Carriers that are `down` or cost more than the
        rule's ceiling get nothing as long as there are others. Raises ValueError when the rule has no candidates.
        """
        candidates = sorted({row.carrier_id for row in rule.candidates})
        if not candidates:
            raise ValueError("a rule names at least one carrier")
        key = (rule.scope, cell)
        if objective.opted_out:
            self._last.pop(key, None)
            first = min(rule.candidates, key=lambda row: (row.carrier_id in down, row.priority, row.route_id))
            return RouteShares({first.carrier_id: SHARES_TOTAL}, Reason.of(ReasonCode.ROUTE_OPTED_OUT))
        ceiling_micro = rule.ceiling_micro
        usable = [
            carrier_id
            for carrier_id in candidates
            if ceiling_micro is None or costs.get(carrier_id, 0) <= ceiling_micro
        ] or candidates
        usable = [carrier_id for carrier_id in usable if carrier_id not in down] or usable
        by_carrier = {posterior.carrier_id: posterior for posterior in posteriors}
        compared = [by_carrier[carrier_id] for carrier_id in usable if carrier_id in by_carrier]
        if len(compared) <= 1:
            only = compared[0].carrier_id if compared else usable[0]
            self._last.pop(key, None)
            return RouteShares({only: SHARES_TOTAL}, Reason.of(ReasonCode.ROUTE_ONLY_CARRIER))
        cost_max = max((costs[row.carrier_id] for row in compared if row.carrier_id in costs), default=1)
        costed = [(row, max(1, costs.get(row.carrier_id, cost_max))) for row in compared]
        wins = win_probabilities(costed, objective, rng)
        return self._smooth(key, wins, costed, objective, now_s, has_costs=bool(costs))

    def _smooth(
        self,
        key: tuple[RouteScope, CellKey],
        wins: Mapping[int, float],
        costed: CostedPosteriors,
        objective: Objective,
        now_s: float,
        *,
        has_costs: bool,
    ) -> RouteShares:
        """Moves the last shares towards the drawn ones."""
        last = self._last.get(key)
        if last is None or last.shares.keys() != wins.keys():
            shares = dict(wins)
        else:
            jumps = max(abs(wins[carrier_id] - share) for carrier_id, share in last.shares.items()) > JUMP
            gain = 1.0 if jumps else GAIN
            shares = {
                carrier_id: share + gain * (wins[carrier_id] - share) for carrier_id, share in last.shares.items()
            }
        weights = to_weights(bound_shares(shares, objective))
        if last is not None and last.result.weights.keys() == weights.keys() and now_s - last.made_s < UNCHANGED_S_MAX:
            change = sum(abs(weights[carrier_id] - weight) for carrier_id, weight in last.result.weights.items())
            if change < CHANGE_MIN * SHARES_TOTAL:
                last.shares = shares
                return last.result
        result = RouteShares(weights, _reason(weights, costed, objective, has_costs=has_costs))
        self._last[key] = _LastShares(shares, now_s, result)
        return result

    def retain(self, keys: Set[tuple[RouteScope, CellKey]]) -> None:
        """Forgets the last shares of all other rules and cells."""
        self._last = {key: last for key, last in self._last.items() if key in keys}


def win_probabilities(costed: CostedPosteriors, objective: Objective, rng: random.Random) -> dict[int, float]:
    """Each carrier's probability of being the best, by carrier id, from LEARN_DRAWS draws."""
    draws = [PosteriorDraws(posterior, rng) for posterior, _cost in costed]
    worth = objective.worth_micro
    floor = max(1e-9, objective.quality_floor * proven_rate(costed))

    def value(rate: float, cost: int) -> float:
        if worth is not None:
            return worth * rate - cost
        return rate / cost if rate >= floor else BELOW_FLOOR

    # A carrier whose highest draw is worth less than another's lowest never wins: it need not be drawn.
    guaranteed = max(value(drawn.lowest, cost) for drawn, (_posterior, cost) in zip(draws, costed, strict=True))
    contenders = [n for n, (_posterior, cost) in enumerate(costed) if value(draws[n].highest, cost) >= guaranteed]
    wins = [0] * len(costed)
    if len(contenders) == 1:
        wins[contenders[0]] = DRAWS
    else:
        costs = [costed[n][1] for n in contenders]
        for rates in zip(*(draws[n].rates() for n in contenders), strict=True):
            best, best_value = 0, None
            if worth is None:
                for n, rate in enumerate(rates):
                    if rate >= floor:
                        drawn_value = rate / costs[n]
                        if best_value is None or drawn_value > best_value:
                            best, best_value = n, drawn_value
                if best_value is None:
                    best = rates.index(max(rates))
            else:
                for n, rate in enumerate(rates):
                    drawn_value = worth * rate - costs[n]
                    if best_value is None or drawn_value > best_value:
                        best, best_value = n, drawn_value
            wins[contenders[best]] += 1
    return {posterior.carrier_id: count / DRAWS for (posterior, _cost), count in zip(costed, wins, strict=True)}


class PosteriorDraws:
    """Draws of one posterior, all of them within [`lowest`, `highest`]. Normal draws are computed on demand only."""

    __slots__ = ("_mean", "_rates", "_spread", "_start", "highest", "lowest")

    def __init__(self, posterior: Posterior, rng: random.Random) -> None:
        alpha, beta = posterior.alpha, posterior.beta
        if alpha >= NORMAL_FROM and beta >= NORMAL_FROM:
            total = alpha + beta
            self._mean = mean = alpha / total
            self._spread = spread = sqrt(mean * (1.0 - mean) / (total + 1.0))
            self._start = rng.randrange(len(NORMALS) - HALF)
            self._rates: list[float] = []
            self.lowest, self.highest = mean - spread * NORMAL_MAX, mean + spread * NORMAL_MAX
        else:
            self._rates = [a / (a + b) for a, b in zip(_gammas(alpha, rng), _gammas(beta, rng), strict=True)]
            self.lowest, self.highest = min(self._rates), max(self._rates)

    def rates(self) -> list[float]:
        """DRAWS rates. Normal draws are antithetic: each deviation is used with both signs."""
        if not self._rates:
            mean, spread = self._mean, self._spread
            deviations = NORMALS[self._start : self._start + HALF]
            self._rates = [mean + spread * z for z in deviations] + [mean - spread * z for z in deviations]
        return self._rates


def _gammas(shape: float, rng: random.Random) -> list[float]:
    """Gamma draws as the cube of a normal (Wilson and Hilferty), a close approximation from a shape of 1 on. Below it a
    gamma of shape + 1 is multiplied by a uniform to the power of 1 / shape.
    """
    full = shape if shape >= 1.0 else shape + 1.0
    middle, spread = 1.0 - 1.0 / (9.0 * full), 1.0 / (3.0 * sqrt(full))
    start = rng.randrange(len(NORMALS) - DRAWS)
    roots = [middle + spread * z for z in NORMALS[start : start + DRAWS]]
    if shape >= 1.0:
        return [full * root * root * root if root > 0.0 else GAMMA_MIN for root in roots]
    start, power = rng.randrange(len(UNIFORMS) - DRAWS), 1.0 / shape
    factors = [uniform**power for uniform in UNIFORMS[start : start + DRAWS]]
    return [max(GAMMA_MIN, full * root * root * root * factor) for root, factor in zip(roots, factors, strict=True)]


def proven_rate(costed: CostedPosteriors) -> float:
    """The best carrier's conversion rate, less one standard deviation: the reference of the quality floor.

    The highest draw would not do: a carrier must not fall below the floor because another, of which little is known,
    was drawn high.
    """
    return max(
        posterior.mean - sqrt(posterior.mean * (1.0 - posterior.mean) / (posterior.alpha + posterior.beta + 1.0))
        for posterior, _cost in costed
    )


def bound_shares(shares: Mapping[int, float], objective: Objective) -> dict[int, float]:
    """Shares that sum to 1, each within the objective's bounds. Exploration is limited in sum as well
    (LEARN_EXPLORE_SHARE_MAX).
    """
    others = len(shares) - 1
    floor = min(objective.explore_min, LEARN_EXPLORE_SHARE_MAX / others, 1.0 / len(shares))
    ceiling = max(objective.share_max, 1.0 / len(shares))
    bounded = dict(shares)
    fixed: dict[int, float] = {}
    for _round in range(2 * len(shares)):
        free = {carrier_id: share for carrier_id, share in bounded.items() if carrier_id not in fixed}
        if not free:
            break
        rest, total = 1.0 - sum(fixed.values()), sum(free.values())
        scaled = {
            carrier_id: share / total * rest if total > 0 else rest / len(free) for carrier_id, share in free.items()
        }
        over = {carrier_id: ceiling for carrier_id, share in scaled.items() if share > ceiling + 1e-12}
        under = {carrier_id: floor for carrier_id, share in scaled.items() if share < floor - 1e-12}
        excess = sum(scaled[carrier_id] - ceiling for carrier_id in over)
        shortfall = sum(floor - scaled[carrier_id] for carrier_id in under)
        newly_fixed = over if excess >= shortfall else under
        bounded.update(scaled)
        if not newly_fixed:
            break
        fixed.update(newly_fixed)
        bounded.update(newly_fixed)
    return bounded


def to_weights(shares: Mapping[int, float]) -> dict[int, int]:
    """Shares as integers that add up to SHARES_TOTAL: the largest remainders are rounded up."""
    total = sum(shares.values())
    exact = {carrier_id: share / total * SHARES_TOTAL for carrier_id, share in shares.items()}
    weights = {carrier_id: int(share) for carrier_id, share in exact.items()}
    missing = SHARES_TOTAL - sum(weights.values())
    by_remainder = sorted(exact, key=lambda carrier_id: (weights[carrier_id] - exact[carrier_id], carrier_id))
    for carrier_id in by_remainder[:missing]:
        weights[carrier_id] += 1
    return weights


def _reason(weights: Mapping[int, int], costed: CostedPosteriors, objective: Objective, *, has_costs: bool) -> Reason:
    """Explains the largest share."""
    first = max(weights, key=lambda carrier_id: (weights[carrier_id], -carrier_id))
    posterior, cost = next((posterior, cost) for posterior, cost in costed if posterior.carrier_id == first)
    share_ppm, basis = ppm(weights[first] / SHARES_TOTAL), SOURCE_REASONS[posterior.source]
    if objective.worth_micro is None and not has_costs:
        return Reason.of(
            ReasonCode.SHARES_BY_RATE,
            share_ppm=share_ppm,
            carriers=len(weights),
            rate_ppm=ppm(posterior.mean),
            basis=basis,
        )
    if objective.worth_micro is None:
        return Reason.of(
            ReasonCode.SHARES_BY_COST,
            share_ppm=share_ppm,
            carriers=len(weights),
            conversion_cost_micro=round(cost / posterior.mean),
            basis=basis,
        )
    return Reason.of(
        ReasonCode.SHARES_BY_GAIN,
        share_ppm=share_ppm,
        carriers=len(weights),
        message_gain_micro=round(objective.worth_micro * posterior.mean - cost),
        basis=basis,
    )
