"""How likely it is that a range or network is stolen from: prior odds, and conversions that stayed away. Pure."""

from math import exp, log1p

import msgspec

from homing import limits
from homing.guard.apps import AppMind
from homing.guard.book import RangeName
from homing.guard.cells import Cell
from homing.guard.docket import Docket
from homing.guard.evidence import silence
from homing.guard.policy import GuardPolicy
from homing.guard.ranges import Cohorts, H, Range
from homing.guard.spread import Crowd, crowd_of
from homing.reasons import Reason, ReasonCode, rounded


class Odds(msgspec.Struct, frozen=True):
    """Of a range, in nats, with the counts that they rest on: `exposed` messages whose conversions should have come,
    and `converted` that did; `due` is how many should have.
    """

    prior: float
    silence: float
    crowd: Crowd
    exposed: float
    converted: float
    due: float

    @property
    def total(self) -> float:
        return self.prior + self.silence + self.crowd.evidence

    @property
    def reason(self) -> Reason:
        """What says more: the conversions that are missing, or the density."""
        converted, expected, odds = round(self.converted), round(self.due, 1), odds_of_nats(self.total)
        if self.silence > self.crowd.evidence:
            return Reason.of(ReasonCode.GUARD_RANGE_UNCONVERTED, conversions=converted, expected=expected, odds=odds)
        return Reason.of(
            ReasonCode.GUARD_RANGE_DENSE,
            messages=round(self.crowd.count),
            usual=rounded(self.crowd.usual),
            conversions=converted,
            expected=expected,
            odds=odds,
        )


def odds_of_nats(nats: float) -> float:
    """So many to 1."""
    return rounded(exp(min(nats, 30.0)))


def odds_of(
    policy: GuardPolicy, app: AppMind, cell: Cell, docket: Docket, name: RangeName, found: Range, minute: int
) -> Odds:
    prior = prior_of(policy, cell, docket, name, found)
    told = exposed = converted = 0.0
    if app.sure:
        exposed, converted = found.exposed(minute, says(policy, app, cell, minute))
        exposed, converted = exposed + found.kept_e, converted + found.kept_c
        told = max(-_excuse(policy, found, minute), silence_of(policy, cell, exposed, converted))
    crowd = crowd_of(policy, cell, found, minute)
    return Odds(prior, told, crowd, exposed, converted, exposed * cell.rate)


def prior_of(policy: GuardPolicy, cell: Cell, docket: Docket, name: RangeName | None, found: Range | None) -> float:
    """Of a range, or of one that nothing is known of."""
    prior = policy.prior
    if cell.came < policy.proven:
        prior += policy.novelty
    prior += min(policy.contagion_max, policy.contagion * log1p(len(cell.judged)))
    key = cell.key
    prior += policy.risks.of(key.account_id, key.country, key.network, "" if found is None else found.digits)
    if found is not None and name is not None:
        if docket.is_judged_elsewhere(name):
            prior += policy.elsewhere
        prior += policy.repeated * min(2, found.times)
        if found.digits not in cell.judged and found.digits[:-2] in cell.near:
            prior += policy.sibling
    return min(policy.prior_max, prior)


def silence_of(policy: GuardPolicy, cell: Cell, exposed: float, converted: float) -> float:
    return silence(exposed, converted, cell.rate, policy.stubborn, policy.fractions)


def probed(
    policy: GuardPolicy, app: AppMind, cell: Cell, counted: Cohorts, since_s: float, minute: int
) -> tuple[float, float, float]:
    """(messages that passed since something was judged, conversions of them, odds that it is still theft). The odds
    begin at those that a judgement needs: what was before says what was, and a refused message cannot convert.
    """
    since = int(since_s // 60)
    exposed, converted = counted.exposed(minute, says(policy, app, cell, minute), since)
    return counted.since(since + 1), converted, policy.judged + silence_of(policy, cell, exposed, converted)


def says(policy: GuardPolicy, app: AppMind, cell: Cell, minute: int) -> list[float]:
    """How much a message's silence says, by its age in minutes: whether its conversion should have come, and how
    conversions of its minute fared everywhere. An outage is not theft: where nothing comes back of anybody's, silence
    says less. A network in which nobody ever came back has no such excuse of its own.
    """
    is_proven = cell.came >= policy.proven
    known_for = minute, app.votes.turns, cell.votes.turns, is_proven
    if cell.says_for != known_for:
        cell.says_for = known_for
        by, fared = app.curve.by, app.votes.fared
        found = [by(age) * fared(minute - age) for age in range(limits.GUARD_SAYS_MINUTES)]
        if is_proven:
            mine = cell.votes.fared
            found = [min(value, by(age) * mine(minute - age)) for age, value in enumerate(found)]
        cell.says = found
    return cell.says


def _excuse(policy: GuardPolicy, found: Range, minute: int) -> float:
    """The most that conversions may speak for a range. Who forges them does it for the thousands that it has."""
    if found.level == 0:
        return policy.excuse
    return max(policy.excuse, policy.excuse_each * found.since(minute - policy.long_min, H))
