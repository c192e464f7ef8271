"""From beliefs to shares: how much of a cell's traffic each carrier of a rule gets. Pure, given the chance it draws by.

A carrier's share is the probability that it is the best one (Thompson sampling as probability matching): posteriors are
drawn a hundred times, and the best of each draw counted.
"""

import random
from collections.abc import Mapping, Sequence, Set
from math import sqrt
from statistics import NormalDist
from typing import Final

import msgspec

from homing.reasons import Reason, ReasonCode, ppm
from homing.routing.cells import CellKey, Posterior
from homing.routing.rules import RouteRule, RouteScope

LEARN_DRAWS: Final = 100  # of each posterior and thought
LEARN_EXPLORE_SHARE_MAX: Final = 0.02  # of a cell's traffic, over all carriers that are only tried


WHOLE: Final = 10_000
GAIN: Final = 0.25
"""How far a share goes towards what the draws say, each time."""
LEAP: Final = 0.35
"""Draws that differ by more from the share are followed at once: equals differ by less."""
STILL: Final = 0.02
"""Shares that move by less in all stay as they are."""
STILL_S: Final = 300.0
NORMALS: Final = random.Random(0).sample(  # noqa: S311 - a table: a slice of it is as good as new draws, and cheaper
    [NormalDist().inv_cdf((n + 0.5) / 4096) for n in range(4096)], 4096
)
UNIFORMS: Final = random.Random(1).sample([(n + 0.5) / 4096 for n in range(4096)], 4096)  # noqa: S311 - likewise
FURTHEST: Final = max(NORMALS)  # they lie as far below zero as above it
HALF: Final = LEARN_DRAWS // 2
DRAWS: Final = 2 * HALF
UNFIT: Final = -1.0  # what a rate below the quality floor is worth, where that is never below zero
NORMAL_FROM: Final = 8.0  # a Beta with both parameters above it is drawn as a normal
GAMMA_LEAST: Final = 1e-12
BASES: Final = {
    "conversions": Reason.of(ReasonCode.SHARES_FROM_CONVERSIONS),
    "receipts": Reason.of(ReasonCode.SHARES_FROM_RECEIPTS),
    "prior": Reason.of(ReasonCode.SHARES_FROM_PRIOR),
}
"""By what a carrier's rate is known."""


class Objective(msgspec.Struct, frozen=True):
    """What a customer's conversion is worth, and how much may be tried.

    With a worth the best carrier has the highest worth x rate - cost; without one it has the lowest cost of a
    conversion, of those whose rate is at least `quality_floor` of the best carrier's. `explore_min` and `share_max` are
    shares 0..1.
    """

    worth_micro: int | None = None
    quality_floor: float = 0.9
    explore_min: float = 0.01
    share_max: float = 1.0
    opted_out: bool = False


class RouteShares(msgspec.Struct, frozen=True):
    """Per 10,000, by carrier id; they add up to 10,000. `version` names what they rest on where that is stored; 0: it
    is not.
    """

    weights: Mapping[int, int]
    reason: Reason
    version: int = 0


class _Held(msgspec.Struct):
    shares: dict[int, float]
    at_s: float
    made: RouteShares


class ShareCalculator:
    """Holds the last shares of each rule and cell, so that equals do not take turns in having all of it."""

    def __init__(self) -> None:
        self._held: dict[tuple[RouteScope, CellKey], _Held] = {}

    def share(
        self,
        cell: CellKey,
        rule: RouteRule,
        costs: Mapping[int, int],
        down: Set[int],
        beliefs: Sequence[Posterior],
        terms: Objective,
        now_s: float,
        chance: random.Random,
    ) -> RouteShares:
        """`costs`: micro-units a segment, where known. Carriers that are down or dearer than the rule's ceiling get
        nothing, as long as there are others. Raises ValueError when the rule names no carrier.
        """
        candidates = sorted({row.carrier_id for row in rule.candidates})
        if not candidates:
            raise ValueError("a rule names at least one carrier")
        key = (rule.match, cell)
        if terms.opted_out:
            self._held.pop(key, None)
            first = min(rule.candidates, key=lambda row: (row.carrier_id in down, row.priority, row.route_id))
            return RouteShares({first.carrier_id: WHOLE}, Reason.of(ReasonCode.ROUTE_OPTED_OUT))
        ceiling_micro = rule.ceiling_micro
        usable = [
            one for one in candidates if ceiling_micro is None or costs.get(one, 0) <= ceiling_micro
        ] or candidates
        usable = [one for one in usable if one not in down] or usable
        by_carrier = {belief.carrier_id: belief for belief in beliefs}
        listed = [by_carrier[one] for one in usable if one in by_carrier]
        if len(listed) <= 1:
            only = listed[0].carrier_id if listed else usable[0]
            self._held.pop(key, None)
            return RouteShares({only: WHOLE}, Reason.of(ReasonCode.ROUTE_ONLY_CARRIER))
        dear_micro = max((costs[belief.carrier_id] for belief in listed if belief.carrier_id in costs), default=1)
        priced = [(belief, max(1, costs.get(belief.carrier_id, dear_micro))) for belief in listed]
        wins = chances(priced, terms, chance)
        return self._settle(key, wins, priced, terms, now_s, has_costs=bool(costs))

    def _settle(
        self,
        key: tuple[RouteScope, CellKey],
        wins: Mapping[int, float],
        priced: Sequence[tuple[Posterior, int]],
        terms: Objective,
        now_s: float,
        *,
        has_costs: bool,
    ) -> RouteShares:
        held = self._held.get(key)
        if held is None or held.shares.keys() != wins.keys():
            shares = dict(wins)
        else:
            leaps = max(abs(wins[one] - share) for one, share in held.shares.items()) > LEAP
            gain = 1.0 if leaps else GAIN
            shares = {one: share + gain * (wins[one] - share) for one, share in held.shares.items()}
        bounded = bound(shares, terms)
        weights = whole(bounded)
        if held is not None and held.made.weights.keys() == weights.keys() and now_s - held.at_s < STILL_S:
            moved = sum(abs(weights[one] - weight) for one, weight in held.made.weights.items())
            if moved < STILL * WHOLE:
                held.shares = shares
                return held.made
        made = RouteShares(weights, _reason(weights, priced, terms, has_costs=has_costs))
        self._held[key] = _Held(shares, now_s, made)
        return made

    def forget(self, keep: Set[tuple[RouteScope, CellKey]]) -> None:
        """Lets go of what is held of all others."""
        self._held = {key: held for key, held in self._held.items() if key in keep}


def chances(priced: Sequence[tuple[Posterior, int]], terms: Objective, chance: random.Random) -> dict[int, float]:
    """The probability of each carrier that it is the best, from LEARN_DRAWS draws. `priced`: with its cost in
    micro-units a segment.
    """
    drawn = [PosteriorDraws(belief, chance) for belief, _cost in priced]
    worth = terms.worth_micro
    least = max(1e-9, terms.quality_floor * proven(priced))

    def value(rate: float, cost: int) -> float:
        if worth is not None:
            return worth * rate - cost
        return rate / cost if rate >= least else UNFIT

    sure = max(value(one.lowest, cost) for one, (_belief, cost) in zip(drawn, priced, strict=True))
    hopeful = [at for at, (_belief, cost) in enumerate(priced) if value(drawn[at].highest, cost) >= sure]
    won = [0] * len(priced)
    if len(hopeful) == 1:
        won[hopeful[0]] = DRAWS
    else:
        costs = [priced[at][1] for at in hopeful]
        for rates in zip(*(drawn[at].rates() for at in hopeful), strict=True):
            best, best_value = 0, None
            if worth is None:
                for at, rate in enumerate(rates):
                    if rate >= least:
                        value_drawn = rate / costs[at]
                        if best_value is None or value_drawn > best_value:
                            best, best_value = at, value_drawn
                if best_value is None:
                    best = rates.index(max(rates))
            else:
                for at, rate in enumerate(rates):
                    value_drawn = worth * rate - costs[at]
                    if best_value is None or value_drawn > best_value:
                        best, best_value = at, value_drawn
            won[hopeful[best]] += 1
    return {belief.carrier_id: count / DRAWS for (belief, _cost), count in zip(priced, won, strict=True)}


class PosteriorDraws:
    """The draws of one posterior, of which none lies outside `lowest` and `highest`. Written out only when asked for:
    who cannot win, or must, is known without.
    """

    __slots__ = ("_away", "_mean", "_rates", "_spread", "highest", "lowest")

    def __init__(self, belief: Posterior, chance: random.Random) -> None:
        alpha, beta = belief.alpha, belief.beta
        if alpha >= NORMAL_FROM and beta >= NORMAL_FROM:
            total = alpha + beta
            self._mean = mean = alpha / total
            self._spread = spread = sqrt(mean * (1.0 - mean) / (total + 1.0))
            self._away = chance.randrange(len(NORMALS) - HALF)
            self._rates: list[float] = []
            self.lowest, self.highest = mean - spread * FURTHEST, mean + spread * FURTHEST
        else:
            self._rates = [
                one / (one + other) for one, other in zip(_gammas(alpha, chance), _gammas(beta, chance), strict=True)
            ]
            self.lowest, self.highest = min(self._rates), max(self._rates)

    def rates(self) -> list[float]:
        if not self._rates:
            mean, spread, away = self._mean, self._spread, NORMALS[self._away : self._away + HALF]
            self._rates = [mean + spread * one for one in away] + [mean - spread * one for one in away]
        return self._rates


def _gammas(shape: float, chance: random.Random) -> list[float]:
    """Draws of a gamma as the cube of a normal (Wilson and Hilferty), which is close from a shape of 1 on; below it one
    of a shape greater by 1 is drawn, times a uniform's root.
    """
    full = shape if shape >= 1.0 else shape + 1.0
    middle, spread = 1.0 - 1.0 / (9.0 * full), 1.0 / (3.0 * sqrt(full))
    away = chance.randrange(len(NORMALS) - DRAWS)
    roots = [middle + spread * one for one in NORMALS[away : away + DRAWS]]
    if shape >= 1.0:
        return [full * root * root * root if root > 0.0 else GAMMA_LEAST for root in roots]
    away, power = chance.randrange(len(UNIFORMS) - DRAWS), 1.0 / shape
    parts = [one**power for one in UNIFORMS[away : away + DRAWS]]
    return [max(GAMMA_LEAST, full * root * root * root * part) for root, part in zip(roots, parts, strict=True)]


def proven(priced: Sequence[tuple[Posterior, int]]) -> float:
    """The conversion rate that the best carrier has for certain, one standard deviation below its mean: a carrier must
    not fall under the quality floor because another, little known, has drawn well.
    """
    return max(
        belief.mean - sqrt(belief.mean * (1.0 - belief.mean) / (belief.alpha + belief.beta + 1.0))
        for belief, _cost in priced
    )


def bound(shares: Mapping[int, float], terms: Objective) -> dict[int, float]:
    """Each share within its floor and ceiling, and all of them 1. What is only tried is bounded in all as well."""
    others = len(shares) - 1
    floor = min(terms.explore_min, LEARN_EXPLORE_SHARE_MAX / others, 1.0 / len(shares))
    ceiling = max(terms.share_max, 1.0 / len(shares))
    bounded = dict(shares)
    fixed: dict[int, float] = {}
    for _round in range(2 * len(shares)):
        free = {one: share for one, share in bounded.items() if one not in fixed}
        if not free:
            break
        rest, total = 1.0 - sum(fixed.values()), sum(free.values())
        scaled = {one: share / total * rest if total > 0 else rest / len(free) for one, share in free.items()}
        over = {one: ceiling for one, share in scaled.items() if share > ceiling + 1e-12}
        under = {one: floor for one, share in scaled.items() if share < floor - 1e-12}
        fixing = (
            over if sum(scaled[one] - ceiling for one in over) >= sum(floor - scaled[one] for one in under) else under
        )
        bounded.update(scaled)
        if not fixing:
            break
        fixed.update(fixing)
        bounded.update(fixing)
    return bounded


def whole(shares: Mapping[int, float]) -> dict[int, int]:
    """Shares as integers that add up to 10,000: the largest remainders are rounded up."""
    total = sum(shares.values())
    exact = {one: share / total * WHOLE for one, share in shares.items()}
    weights = {one: int(share) for one, share in exact.items()}
    short = WHOLE - sum(weights.values())
    for one in sorted(exact, key=lambda one: (weights[one] - exact[one], one))[:short]:
        weights[one] += 1
    return weights


def _reason(
    weights: Mapping[int, int], priced: Sequence[tuple[Posterior, int]], terms: Objective, *, has_costs: bool
) -> Reason:
    first = max(weights, key=lambda one: (weights[one], -one))
    belief, cost = next((belief, cost) for belief, cost in priced if belief.carrier_id == first)
    share_ppm, basis = ppm(weights[first] / WHOLE), BASES[belief.source]
    if terms.worth_micro is None and not has_costs:
        return Reason.of(
            ReasonCode.SHARES_BY_RATE,
            share_ppm=share_ppm,
            carriers=len(weights),
            rate_ppm=ppm(belief.mean),
            basis=basis,
        )
    if terms.worth_micro is None:
        return Reason.of(
            ReasonCode.SHARES_BY_COST,
            share_ppm=share_ppm,
            carriers=len(weights),
            conversion_cost_micro=round(cost / belief.mean),
            basis=basis,
        )
    return Reason.of(
        ReasonCode.SHARES_BY_GAIN,
        share_ppm=share_ppm,
        carriers=len(weights),
        message_gain_micro=round(terms.worth_micro * belief.mean - cost),
        basis=basis,
    )
