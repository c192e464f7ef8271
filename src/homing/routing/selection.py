"""Which carrier takes a message. Pure: from a rule, costs, the state of carriers and a draw, so that every choice can
be explained and repeated.
"""

from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec

from homing.common.mixing import mix64
from homing.model import Strategy
from homing.reasons import Reason, ReasonCode
from homing.routing.rules import RouteCandidate, RouteRule
from homing.routing.shares import RouteShares


class Tier(msgspec.Struct, frozen=True):
    """Candidates of equal rank, which divide the traffic by weight. `weight` is their sum."""

    candidates: tuple[RouteCandidate, ...]
    weight: int


class RankedCandidates(msgspec.Struct, frozen=True):
    """A rule's candidates in the order in which they are tried, and the excluded ones with the reason.

    `costs`: carrier id -> micro-units per segment, where known. `notes` explain what the rule alone does not: costs,
    carriers that are down or too expensive. Of an adaptive rule `reason` explains its shares, and `version` is the id
    of the stored choice; 0: not stored.
    """

    rule: RouteRule
    tiers: tuple[Tier, ...]
    excluded: tuple[tuple[RouteCandidate, Reason], ...]
    costs: Mapping[int, int]
    notes: tuple[Reason, ...]
    reason: Reason | None = None
    version: int = 0


def rank(
    rule: RouteRule, costs: Mapping[int, int], price_micro: int, down: Set[int], shares: RouteShares | None = None
) -> RankedCandidates:
    """Puts a rule's candidates in order.

    `costs`: carrier id -> micro-units per segment to this number, where known. A candidate that costs more than the
    rule's ceiling, or without one more than `price_micro`, is excluded. Carriers in `down` come last. The others follow
    the rule's strategy: an adaptive rule its `shares`, or the cost when there are no shares.
    """
    if rule.strategy is Strategy.ADAPTIVE and shares is not None:
        rule = _by_shares(rule, shares)
    ceiling_micro = price_micro if rule.ceiling_micro is None else rule.ceiling_micro
    usable = [row for row in rule.candidates if costs.get(row.carrier_id, 0) <= ceiling_micro]
    excluded = tuple(
        (row, Reason.of(ReasonCode.ROUTE_ABOVE_CEILING, cost_micro=costs[row.carrier_id], ceiling_micro=ceiling_micro))
        for row in rule.candidates
        if row not in usable
    )
    by_rank: dict[tuple[int, ...], list[RouteCandidate]] = {}
    for row in sorted(usable, key=lambda row: row.route_id):
        by_rank.setdefault(_rank(row, rule.strategy, costs, down, shares is not None), []).append(row)
    tiers = tuple(Tier(tuple(rows), sum(row.weight for row in rows)) for _rank, rows in sorted(by_rank.items()))
    return RankedCandidates(
        rule,
        tiers,
        excluded,
        costs,
        _notes(rule, usable, excluded, costs, down, shares),
        reason=None if shares is None else shares.reason,
        version=0 if shares is None else shares.version,
    )


def by_priority(rule: RouteRule) -> RouteRule:
    """The rule for customers who opted out of adaptive routing."""
    return msgspec.structs.replace(rule, strategy=Strategy.PRIORITY)


def _by_shares(rule: RouteRule, shares: RouteShares) -> RouteRule:
    """The rule with its shares as weights. A carrier without a share has weight 1, so that failover can reach it."""
    rows = tuple(
        msgspec.structs.replace(row, weight=max(1, shares.weights.get(row.carrier_id, 0))) for row in rule.candidates
    )
    return msgspec.structs.replace(rule, candidates=rows)


def choose(ranked: RankedCandidates, draw: int) -> RouteCandidate | None:
    """The candidate to try first; None when all are excluded. `draw` is any integer, usually the message's id."""
    if not ranked.tiers:
        return None
    best = ranked.tiers[0]
    return best.candidates[0] if len(best.candidates) == 1 else _pick(best.candidates, best.weight, draw)


def order(ranked: RankedCandidates, draw: int) -> Iterator[RouteCandidate]:
    """All usable candidates in the order of failover, the choice first."""
    for tier in ranked.tiers:
        rows, weight = list(tier.candidates), tier.weight
        while rows:
            row = _pick(rows, weight, draw)
            rows.remove(row)
            weight -= row.weight
            yield row


def _pick(rows: Sequence[RouteCandidate], weight: int, draw: int) -> RouteCandidate:
    ticket = mix64(draw) % weight
    for row in rows:
        ticket -= row.weight
        if ticket < 0:
            return row
    raise AssertionError("a ticket is always below the sum of the weights")


def _rank(
    row: RouteCandidate, strategy: Strategy, costs: Mapping[int, int], down: Set[int], has_shares: bool
) -> tuple[int, ...]:
    is_down = int(row.carrier_id in down)
    if strategy is Strategy.WEIGHTED or (strategy is Strategy.ADAPTIVE and has_shares):
        return (is_down,)
    if strategy in (Strategy.LEAST_COST, Strategy.ADAPTIVE):
        cost_micro = costs.get(row.carrier_id)
        return is_down, int(cost_micro is None), cost_micro or 0, row.priority
    return is_down, row.priority


def _notes(
    rule: RouteRule,
    usable: Sequence[RouteCandidate],
    excluded: Sequence[tuple[RouteCandidate, Reason]],
    costs: Mapping[int, int],
    down: Set[int],
    shares: RouteShares | None,
) -> tuple[Reason, ...]:
    notes = []
    if rule.strategy is Strategy.ADAPTIVE:
        total = sum(row.weight for row in usable if row.carrier_id not in down)
        notes.append(Reason.of(ReasonCode.ROUTE_NOTHING_LEARNT) if shares is None else _reference(shares, total))
    if rule.strategy is Strategy.LEAST_COST:
        notes.append(_least_cost(len(usable), [costs[row.carrier_id] for row in usable if row.carrier_id in costs]))
    if down_count := sum(1 for row in usable if row.carrier_id in down):
        notes.append(Reason.of(ReasonCode.ROUTE_CARRIERS_DOWN, down=down_count, carriers=len(usable)))
    if excluded:
        notes.append(Reason.of(ReasonCode.ROUTE_CARRIERS_TOO_EXPENSIVE, carriers=len(excluded)))
    return tuple(notes)


def _least_cost(carriers: int, costs_micro: Sequence[int]) -> Reason:
    if not costs_micro:
        return Reason.of(ReasonCode.ROUTE_LEAST_COST_UNKNOWN, carriers=carriers)
    return Reason.of(ReasonCode.ROUTE_LEAST_COST, carriers=carriers, cost_micro=min(costs_micro))


def _reference(shares: RouteShares, total: int) -> Reason:
    """A short note, since every message stores it; the details are stored once, under the version. `total`: the sum of
    the weights drawn from.
    """
    if not shares.version:
        return shares.reason
    return Reason.of(ReasonCode.ROUTE_SHARES, version=shares.version, total=total)
