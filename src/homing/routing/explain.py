"""Which carriers a number could go by, and why: what the command line and the console tell. Nothing is sent."""

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
    """What becomes of a candidate. `place`: in the order in which they would be tried, from 1; None: it is not used,
    for the reason in `barred`. `share`: of those that are its equals, 0..1; None: it has none. `dearer_micro`: than the
    cheapest that is used, where cost puts them in order and is known.
    """

    place: int | None
    candidate: RouteCandidate
    cost_micro: int | None
    share: float | None
    is_down: bool
    barred: Reason | None
    dearer_micro: int | None = None


class RouteExplanation(msgspec.Struct, frozen=True):
    """`rule` is None where no rule leads there or the number has no price. `reason`: of an adaptive rule, why its
    shares are as they are, or why there are none. `learnt`: candidates as `candidates` gives them, of an adaptive rule
    whose shares are stored; None: there are none.
    """

    number: str
    place: Destination
    price_micro: int | None
    rule: RouteRule | None
    ceiling_micro: int | None
    reason: Reason | None
    verdicts: Sequence[CandidateStatus]
    learnt: Sequence[Mapping[str, Any]] | None

    @property
    def is_refused(self) -> bool:
        return not any(one.place for one in self.verdicts)


async def explain(
    database: Database, numbering: Numbering, number: str, *, account_id: int, app_id: str, sender: str, traffic: int
) -> RouteExplanation:
    """Of a number in E.164 digits, as a message of this account (0: anybody's), app and sender ('': any)."""
    place = numbering.locate(number)
    catalogue = await read_catalogue(database)
    shares = SharesReader()
    await shares.read(database)
    catalogue = catalogue.with_shares(shares.book)
    price = catalogue.price(account_id, number)
    wanted = RouteRequest(account_id, app_id, sender, traffic, number, place.country, place.mcc + place.mnc)
    offered = None if price is None else catalogue.offer(wanted, price.micro)
    if price is None or offered is None:
        return RouteExplanation(number, place, None if price is None else price.micro, None, None, None, (), None)
    learnt = None
    if offered.version:
        choice = await statements.learning.learn_choice(database, account_id=account_id, version=offered.version)
        learnt = [] if choice is None else list(candidates(choice))
    ceiling_micro = price.micro if offered.rule.ceiling_micro is None else offered.rule.ceiling_micro
    verdicts = list(_verdicts(offered, catalogue))
    reason = _reason(offered, catalogue, wanted)
    return RouteExplanation(number, place, price.micro, offered.rule, ceiling_micro, reason, verdicts, learnt)


def _reason(offered: RankedCandidates, catalogue: Catalogue, wanted: RouteRequest) -> Reason | None:
    if offered.reason is not None or all(rule.match != offered.rule.match for rule in catalogue.adaptive_rules()):
        return offered.reason
    if catalogue.terms(wanted.account_id, wanted.app_id).opted_out:
        return Reason.of(ReasonCode.ROUTE_OPTED_OUT)
    return Reason.of(ReasonCode.ROUTE_NO_RECENT_TRAFFIC)


def candidates(found: LearnChoiceRow | SharesReason | SharesPageRow) -> Iterator[dict[str, Any]]:
    """What is believed of each carrier of a stored choice (a row of learn_shares_of or learn_choice), the largest share
    first: carrier_id, share (per 10,000), messages, conversions, mean, low and high of the rate, delivered, cost_micro,
    source.
    """
    rests_on = msgspec.json.decode(found.rests_on)
    for one in sorted(rests_on["candidates"], key=lambda one: (-one["share"], one["carrier_id"])):
        yield {**one, "version": found.version, "made_at": found.made_at, "reason": found.reason}


def _verdicts(offered: RankedCandidates, catalogue: Catalogue) -> Iterator[CandidateStatus]:
    """Candidates in the order in which they would be tried; which of equals comes first is drawn for each message."""
    equals = {row.route_id: group for group in offered.groups for row in group.rows}
    by_cost = offered.rule.strategy is Strategy.LEAST_COST
    rows = list(order(offered, IdSource(0).next()))
    least = min((offered.costs[row.carrier_id] for row in rows if row.carrier_id in offered.costs), default=0)
    for place, row in enumerate(rows, 1):
        group = equals[row.route_id]
        share = row.weight / group.weight if len(group.rows) > 1 else None
        cost = offered.costs.get(row.carrier_id)
        dearer = cost - least if by_cost and cost is not None else None
        yield CandidateStatus(place, row, cost, share, catalogue.is_down(row.carrier_id), None, dearer)
    for row, reason in offered.barred:
        yield CandidateStatus(
            None, row, offered.costs.get(row.carrier_id), None, catalogue.is_down(row.carrier_id), reason
        )
