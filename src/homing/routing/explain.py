"""Which carriers a number could be routed to, and why, for the command line and the console. Nothing is sent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from homing.common.ids import IdSource
from homing.model import Strategy
from homing.reasons import Reason, ReasonCode
from homing.routing.catalogue import Catalogue
from homing.routing.catalogue_cache import SharesReader, read_catalogue
from homing.routing.rules import RouteCandidate, RouteRequest, RouteRule
from homing.routing.selection import RankedCandidates, order
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.learning import LearnChoiceRow, SharesPageRow, SharesReason
from homing.text.numbers import Destination, Numbering


class CandidateStatus(msgspec.Struct, frozen=True):
    """A candidate's place in the order of attempts.

    `position`: from 1; None: not used, for the reason in `excluded`. `share`: its part of its tier's traffic, 0..1;
    None: it is alone in its tier. `above_cheapest_micro`: its cost above the cheapest usable one's, under least-cost
    routing where the cost is known.
    """

    position: int | None
    candidate: RouteCandidate
    cost_micro: int | None
    share: float | None
    is_down: bool
    excluded: Reason | None
    above_cheapest_micro: int | None = None


class RouteExplanation(msgspec.Struct, frozen=True):
    """`rule` is None where no rule applies or the number has no price. `reason` explains the shares of an adaptive
    rule, or why it has none. `evidence`: rows of `candidate_evidence`, empty when no longer stored; None: the shares do
    not come from a stored choice.
    """

    number: str
    destination: Destination
    price_micro: int | None
    rule: RouteRule | None
    ceiling_micro: int | None
    reason: Reason | None
    statuses: Sequence[CandidateStatus]
    evidence: Sequence[Mapping[str, Any]] | None

    @property
    def is_refused(self) -> bool:
        return not any(status.position for status in self.statuses)


async def explain(
    database: Database, numbering: Numbering, number: str, *, account_id: int, app_id: str, sender: str, traffic: int
) -> RouteExplanation:
    """Explains the route of a number in E.164 digits for a message of this account (0: any), app and sender ('': any).

    Raises a `PlatformFailure`.
    """
    destination = numbering.locate(number)
    catalogue = await read_catalogue(database)
    shares = SharesReader()
    await shares.read(database)
    catalogue = catalogue.with_shares(shares.table)
    price = catalogue.price(account_id, number)
    request = RouteRequest(
        account_id, app_id, sender, traffic, number, destination.country, destination.mcc + destination.mnc
    )
    ranked = None if price is None else catalogue.rank(request, price.micro)
    if price is None or ranked is None:
        return RouteExplanation(number, destination, None if price is None else price.micro, None, None, None, (), None)
    evidence = None
    if ranked.version:
        choice = await statements.learning.learn_choice(database, account_id=account_id, version=ranked.version)
        evidence = [] if choice is None else list(candidate_evidence(choice))
    ceiling_micro = price.micro if ranked.rule.ceiling_micro is None else ranked.rule.ceiling_micro
    statuses = list(_statuses(ranked, catalogue))
    reason = _reason(ranked, catalogue, request)
    return RouteExplanation(number, destination, price.micro, ranked.rule, ceiling_micro, reason, statuses, evidence)


def _reason(ranked: RankedCandidates, catalogue: Catalogue, request: RouteRequest) -> Reason | None:
    if ranked.reason is not None or all(rule.scope != ranked.rule.scope for rule in catalogue.adaptive_rules()):
        return ranked.reason
    if catalogue.objective(request.account_id, request.app_id).opted_out:
        return Reason.of(ReasonCode.ROUTE_OPTED_OUT)
    return Reason.of(ReasonCode.ROUTE_NO_RECENT_TRAFFIC)


def candidate_evidence(choice: LearnChoiceRow | SharesReason | SharesPageRow) -> Iterator[dict[str, Any]]:
    """The figures of each carrier of a stored choice, the largest share first: carrier_id, share (per 10,000),
    messages, conversions, mean, low and high of the rate, delivered, cost_micro, source; and the choice's version,
    made_at and reason.
    """
    candidates = msgspec.json.decode(choice.rests_on)["candidates"]
    for figures in sorted(candidates, key=lambda figures: (-figures["share"], figures["carrier_id"])):
        yield {**figures, "version": choice.version, "made_at": choice.made_at, "reason": choice.reason}


def _statuses(ranked: RankedCandidates, catalogue: Catalogue) -> Iterator[CandidateStatus]:
    """Candidates in the order of attempts. Within a tier it is an example: the order is drawn for each message."""
    tiers = {row.route_id: tier for tier in ranked.tiers for row in tier.candidates}
    by_cost = ranked.rule.strategy is Strategy.LEAST_COST
    rows = list(order(ranked, IdSource(0).next()))
    cheapest = min((ranked.costs[row.carrier_id] for row in rows if row.carrier_id in ranked.costs), default=0)
    for position, row in enumerate(rows, 1):
        tier = tiers[row.route_id]
        share = row.weight / tier.weight if len(tier.candidates) > 1 else None
        cost = ranked.costs.get(row.carrier_id)
        above = cost - cheapest if by_cost and cost is not None else None
        yield CandidateStatus(position, row, cost, share, catalogue.is_down(row.carrier_id), None, above)
    for row, reason in ranked.excluded:
        yield CandidateStatus(
            None, row, ranked.costs.get(row.carrier_id), None, catalogue.is_down(row.carrier_id), reason
        )
