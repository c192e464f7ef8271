"""Which carrier takes a message: pure, from a rule, facts and a draw, so that every choice can be told and replayed."""

from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec

from homing.common.mixing import mix64
from homing.model import Strategy
from homing.reasons import Reason, ReasonCode
from homing.routing.rules import RouteCandidate, RouteRule
from homing.routing.shares import RouteShares


class Tier(msgspec.Struct, frozen=True):
    """Candidates that share the traffic by weight."""

    rows: tuple[RouteCandidate, ...]
    weight: int


class RankedCandidates(msgspec.Struct, frozen=True):
    """A rule's candidates in their order, and those that cannot be used, with the reason.

    `notes`: what of the choice the rule's own words do not say: costs, carriers that are down, others too dear.
    """

    rule: RouteRule
    groups: tuple[Tier, ...]
    barred: tuple[tuple[RouteCandidate, Reason], ...]
    costs: Mapping[int, int]
    notes: tuple[Reason, ...]
    reason: Reason | None = None  # of an adaptive rule: why its shares are as they are
    version: int = 0  # of those shares, where what they rest on is stored; 0: it is not


def rank(
    rule: RouteRule, costs: Mapping[int, int], price_micro: int, down: Set[int], shares: RouteShares | None = None
) -> RankedCandidates:
    """Puts a rule's candidates in order.

    `costs`: carrier id → micro-units a segment to this number, where known; what costs more than the rule's ceiling (or
    else than the customer pays) is barred. Carriers that are `down` come last, all others by the strategy; of an
    adaptive rule by the `shares`, and where there are none by cost.
    """
    if rule.strategy is Strategy.ADAPTIVE and shares is not None:
        rule = _by_shares(rule, shares)
    ceiling_micro = price_micro if rule.ceiling_micro is None else rule.ceiling_micro
    usable = [row for row in rule.candidates if costs.get(row.carrier_id, 0) <= ceiling_micro]
    barred = tuple(
        (row, Reason.of(ReasonCode.ROUTE_ABOVE_CEILING, cost_micro=costs[row.carrier_id], ceiling_micro=ceiling_micro))
        for row in rule.candidates
        if row not in usable
    )
    by_rank: dict[tuple[int, ...], list[RouteCandidate]] = {}
    for row in sorted(usable, key=lambda row: row.route_id):
        by_rank.setdefault(_rank(row, rule.strategy, costs, down, shares is not None), []).append(row)
    groups = tuple(Tier(tuple(rows), sum(row.weight for row in rows)) for _rank, rows in sorted(by_rank.items()))
    learnt = (None, 0) if shares is None else (shares.reason, shares.version)
    return RankedCandidates(rule, groups, barred, costs, _notes(rule, usable, barred, costs, down, shares), *learnt)


def by_priority(rule: RouteRule) -> RouteRule:
    """The rule as it holds for customers who want no adaptive routing."""
    return msgspec.structs.replace(rule, strategy=Strategy.PRIORITY)


def _by_shares(rule: RouteRule, shares: RouteShares) -> RouteRule:
    """The rule with its shares as weights. A carrier without one is kept for when the others fail: it draws last."""
    rows = tuple(
        msgspec.structs.replace(row, weight=max(1, shares.weights.get(row.carrier_id, 0))) for row in rule.candidates
    )
    return msgspec.structs.replace(rule, candidates=rows)


def choose(offered: RankedCandidates, draw: int) -> RouteCandidate | None:
    """The first in order; `draw` is any integer, the message's id for one. None when every candidate is barred."""
    if not offered.groups:
        return None
    best = offered.groups[0]
    return best.rows[0] if len(best.rows) == 1 else _pick(best.rows, best.weight, draw)


def order(offered: RankedCandidates, draw: int) -> Iterator[RouteCandidate]:
    """All usable candidates, the choice first: where the message goes when the ones before it fail."""
    for group in offered.groups:
        rows, weight = list(group.rows), group.weight
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
    barred: Sequence[tuple[RouteCandidate, Reason]],
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
    if away := sum(1 for row in usable if row.carrier_id in down):
        notes.append(Reason.of(ReasonCode.ROUTE_CARRIERS_DOWN, down=away, carriers=len(usable)))
    if barred:
        notes.append(Reason.of(ReasonCode.ROUTE_CARRIERS_TOO_DEAR, carriers=len(barred)))
    return tuple(notes)


def _least_cost(carriers: int, known_micro: Sequence[int]) -> Reason:
    if not known_micro:
        return Reason.of(ReasonCode.ROUTE_LEAST_COST_UNKNOWN, carriers=carriers)
    return Reason.of(ReasonCode.ROUTE_LEAST_COST, carriers=carriers, cost_micro=min(known_micro))


def _reference(shares: RouteShares, total: int) -> Reason:
    """Short, since every message keeps it: the whole is stored under the version. `total`: what was drawn of."""
    if not shares.version:
        return shares.reason
    return Reason.of(ReasonCode.ROUTE_SHARES, version=shares.version, total=total)
