"""Networks and countries as a whole: how much may be open there, and when all of a network is theft. Pure."""

from homing.guard.apps import AppMind
from homing.guard.book import WHOLE_NETWORK, RangeName, Room, Verdict
from homing.guard.cells import Area, Cell
from homing.guard.docket import Docket
from homing.guard.odds import odds_of_nats, prior_of, probed, says, silence_of
from homing.guard.policy import GuardPolicy
from homing.reasons import Reason, ReasonCode


def open_of(policy: GuardPolicy, area: Area, minute: int, floor: float) -> Room:
    """Messages of the short window that nobody has come back of yet, and how many there may be."""
    counted, came, recent = area.recent(minute, minute - policy.short_min)
    return Room(max(0.0, counted - came), floor + policy.open_factor * (recent + max(area.busiest, area.hour_c)))


def judge_network(
    policy: GuardPolicy, app: AppMind, cell: Cell, docket: Docket, now_s: float, minute: int
) -> Verdict | None:
    """A network of which hardly anybody ever came back is judged as a whole, until the probes of it convert."""
    name = cell.key.account_id, cell.key.app_id, cell.key.network, WHOLE_NETWORK
    verdict = cell.verdict
    if verdict is not None and verdict.until_s > now_s:
        return _look_again(policy, app, cell, docket, name, verdict, minute)
    docket.forgo(name)
    if cell.came >= policy.proven or cell.since(minute - policy.long_min) < policy.short_min:
        return None
    exposed, converted = cell.exposed(minute, says(policy, app, cell, minute))
    exposed, converted = exposed + cell.kept_e, converted + cell.kept_c
    due = exposed * cell.rate
    if due <= 0 or converted / due > policy.people_min:
        return None
    odds = prior_of(policy, cell, docket, None, None) + silence_of(policy, cell, exposed, converted)
    if odds < policy.judged + 2.0:
        return None
    cell.clear()
    docket.expect(name, now_s, 0.0, 0.0, 1)
    reason = Reason.of(
        ReasonCode.GUARD_NETWORK_UNCONVERTED,
        conversions=round(converted),
        expected=round(due, 1),
        odds=odds_of_nats(odds),
    )
    return Verdict(reason, now_s, now_s + policy.hold_s)


def release(cell: Cell, docket: Docket) -> None:
    """Whoever says so knows more: the silence until now says nothing any more."""
    docket.forgo((cell.key.account_id, cell.key.app_id, cell.key.network, WHOLE_NETWORK))
    cell.verdict = None
    cell.clear()
    cell.kept_e = cell.kept_c = 0.0
    cell.is_touched = True


def _look_again(
    policy: GuardPolicy,
    app: AppMind,
    cell: Cell,
    docket: Docket,
    name: RangeName,
    verdict: Verdict,
    minute: int,
) -> Verdict | None:
    sent, converted, odds = probed(policy, app, cell, cell, verdict.since_s, minute)
    if odds < policy.cleared:
        docket.forgo(name)
        return None
    docket.expect(name, cell.last_s(verdict.since_s), sent, converted, 1)
    return verdict
