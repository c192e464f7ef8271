"""The learner's posteriors, and what must not move them. Deltas are made by hand, the clock is a number."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from homing import limits
from homing.aggregation.routing_listener import LEARN_BUSY_SHARE_MAX, interval_s
from homing.common.histogram import bucket_of
from homing.learning.learner import RoutingLearner
from homing.learning.posterior import Posterior
from homing.learning.shares import ShareCalculator
from homing.model import Strategy
from homing.reasons import Reason, ReasonCode
from homing.routing.cells import CellKey
from homing.routing.objective import Objective
from homing.routing.rules import RouteCandidate, RouteRule, RouteScope
from homing.routing.shares import RouteShares
from homing.statistics.delta import Delta

START_S = 1_800_000_000
MINUTE = START_S // 60
CELL = CellKey(7, "app", "CN", "46000")
POOR, GOOD, THIRD = 1, 2, 3
COSTS = {POOR: 10_000, GOOD: 10_000, THIRD: 10_000}


def sent(minute: int, carrier: int, count: int, cell: CellKey = CELL) -> Delta:
    return Delta(
        minute, cell.account_id, cell.app_id, cell.country, cell.network, "8613800138", carrier, "S",
        submitted=count, sent=count,
    )  # fmt: skip


def delivered(minute: int, carrier: int, count: int, of: int, took_s: float = 3, cell: CellKey = CELL) -> list[Delta]:
    """`count` of `of` messages; the rest are reported as lost."""
    facts: tuple[dict[str, Any], ...] = ({"delivered": count}, {"undelivered": of - count})
    return [
        Delta(
            minute, cell.account_id, cell.app_id, cell.country, cell.network, "8613800138", carrier, "S",
            receipt_bucket=bucket_of(took_s), **fact,
        )
        for fact in facts
    ]  # fmt: skip


def converted(minute: int, carrier: int, count: int, took_s: float = 20, cell: CellKey = CELL) -> Delta:
    return Delta(
        minute, cell.account_id, cell.app_id, cell.country, cell.network, "8613800138", carrier, "S",
        converted=count, conversion_bucket=bucket_of(took_s),
    )  # fmt: skip


class World:
    """A learner that observes minute by minute. `rates`: carrier -> (delivered, converted) of its messages."""

    def __init__(self, learner: RoutingLearner | None = None) -> None:
        self.learner = learner or RoutingLearner()
        self.minute = MINUTE

    def minutes(
        self,
        count: int,
        rates: dict[int, tuple[float, float]],
        messages: int = 100,
        cell: CellKey = CELL,
        took_s: float = 20,
        shares: dict[int, float] | None = None,
        beside: Callable[["World"], object] = lambda _world: None,
    ) -> None:
        """`beside`: called in each minute, to add other events."""
        for _minute in range(count):
            self.add(rates, messages, cell, took_s, shares)
            beside(self)
            self.minute += 1
            self.learner.update(self.minute * 60.0)

    def add(
        self,
        rates: dict[int, tuple[float, float]],
        messages: int = 100,
        cell: CellKey = CELL,
        took_s: float = 20,
        shares: dict[int, float] | None = None,
    ) -> None:
        facts: list[Delta] = []
        for carrier, (reached, came_back) in rates.items():
            given = round(messages * (shares or {}).get(carrier, 1.0))
            facts.append(sent(self.minute, carrier, given, cell))
            facts += delivered(self.minute, carrier, round(given * reached), given, cell=cell)
            if came_back:
                facts.append(converted(self.minute, carrier, round(given * came_back), took_s, cell))
        self.learner.observe(facts)

    def waits(self, minutes: int) -> None:
        self.minute += minutes
        self.learner.update(self.minute * 60.0)

    def posterior(self, carrier: int, cell: CellKey = CELL) -> Posterior:
        (found,) = self.learner.posteriors(cell, [carrier])
        return found


def rule_of(*carriers: int, ceiling: int | None = None) -> RouteRule:
    return RouteRule(RouteScope(), Strategy.ADAPTIVE, ceiling, tuple(RouteCandidate(n, n, n, 1) for n in carriers))


def shares_of(
    posteriors: Sequence[Posterior],
    costs: dict[int, int] = COSTS,
    objective: Objective | None = None,
    down: Iterable[int] = (),
    ceiling: int | None = None,
    calculator: ShareCalculator | None = None,
    now_s: float = START_S,
    rng: random.Random | None = None,
) -> RouteShares:
    rule = rule_of(*(one.carrier_id for one in posteriors), ceiling=ceiling)
    return (calculator or ShareCalculator()).share(
        cell=CELL,
        rule=rule,
        costs=costs,
        down=frozenset(down),
        posteriors=posteriors,
        objective=objective or Objective(),
        now_s=now_s,
        rng=rng or random.Random(1),
    )


def beta(carrier: int, conversions: float, messages: float) -> Posterior:
    alpha, other = conversions + 1, messages - conversions + 1
    mean = alpha / (alpha + other)
    return Posterior(carrier, messages, conversions, mean, mean, mean, alpha, other, None, "conversions")


# ---- Silence


def test_silence_says_nothing_before_the_window_and_all_after_it_while_times_are_not_known() -> None:
    world = World()
    world.learner.declare("app", True)
    world.minutes(1, {GOOD: (1.0, 0.0)})
    assert world.posterior(GOOD).trials == 0
    world.waits(55)
    assert world.posterior(GOOD).trials == 0
    world.waits(20)
    assert world.posterior(GOOD).trials == pytest.approx(100, rel=0.05)


def test_silence_counts_as_far_as_conversions_of_its_age_use_to_have_come() -> None:
    world = World()
    world.minutes(60, {GOOD: (1.0, 0.3)}, took_s=20)
    exact = world.posterior(GOOD).trials
    world.learner.observe([sent(world.minute, GOOD, 1_000), *delivered(world.minute, GOOD, 400, 400)])
    world.learner.update(world.minute * 60.0 + 5)
    assert world.posterior(GOOD).trials - exact < 350, "five seconds old"
    world.learner.observe([converted(world.minute, GOOD, 300), *delivered(world.minute, GOOD, 600, 600)])
    world.learner.update(world.minute * 60.0 + 60)
    assert world.posterior(GOOD).trials - exact == pytest.approx(1_000, rel=0.05), "all come within half a minute"


def test_a_conversion_long_after_the_window_still_counts() -> None:
    world = World()
    world.minutes(30, {GOOD: (1.0, 0.3)})
    first = world.minute - 1
    world.waits(300)
    before = world.posterior(GOOD).conversions
    world.learner.observe([converted(first, GOOD, 50, took_s=18_000)])
    world.waits(1)
    assert world.posterior(GOOD).conversions - before == pytest.approx(50, rel=0.5), "less by what age makes of it"
    assert world.posterior(GOOD).conversions > before + 20


# ---- Thin cells


def test_a_cell_with_one_message_believes_what_its_carriers_do_elsewhere() -> None:
    world = World()
    world.minutes(60, {POOR: (0.95, 0.1), GOOD: (0.95, 0.4)})
    thin = CellKey(7, "app", "CN", "46011")
    world.learner.observe([sent(world.minute, POOR, 1, thin), converted(world.minute, POOR, 1, cell=thin)])
    world.waits(1)
    assert world.posterior(GOOD, thin).mean > 2.5 * world.posterior(POOR, thin).mean
    assert shares_of(world.learner.posteriors(thin, [POOR, GOOD])).weights[GOOD] > 9_000


def test_a_cell_that_is_unlike_the_others_is_believed_once_it_has_shown_it() -> None:
    world = World()
    other = CellKey(7, "app", "IN", "40410")
    unlike = {POOR: (0.95, 0.4), GOOD: (0.95, 0.1)}
    world.minutes(60, {POOR: (0.95, 0.1), GOOD: (0.95, 0.4)}, beside=lambda world: world.add(unlike, cell=other))
    assert shares_of(world.learner.posteriors(CELL, [POOR, GOOD])).weights[GOOD] == 9_900
    assert shares_of(world.learner.posteriors(other, [POOR, GOOD])).weights[POOR] == 9_900


# ---- Bad input


def test_a_customer_that_invents_conversions_does_not_move_anothers_routes() -> None:
    honest, forger = CellKey(7, "app", "CN", "46000"), CellKey(8, "forged", "CN", "46000")
    world = World()
    forged = {POOR: (0.95, 0.95), GOOD: (0.95, 0.0)}
    world.minutes(
        60,
        {POOR: (0.95, 0.1), GOOD: (0.95, 0.4)},
        messages=20,
        cell=honest,
        beside=lambda world: world.add(forged, 2_000, forger),
    )
    assert shares_of(world.learner.posteriors(honest, [POOR, GOOD])).weights[GOOD] == 9_900
    thin = CellKey(7, "app", "CN", "46011")
    assert world.posterior(GOOD, thin).mean > world.posterior(POOR, thin).mean


def test_who_stops_reporting_is_routed_by_what_was_known_and_then_by_receipts() -> None:
    world = World()
    world.minutes(60, {POOR: (0.5, 0.2), GOOD: (0.95, 0.4)})
    known = world.posterior(GOOD).mean
    world.minutes(20, {POOR: (0.5, 0.0), GOOD: (0.95, 0.0)})
    assert world.learner.reporting(7, "app") == "reporting"
    assert world.posterior(GOOD).mean == pytest.approx(known, rel=0.15), "silence of all is not the carriers' fault"
    world.minutes(20, {POOR: (0.5, 0.0), GOOD: (0.95, 0.0)})
    assert world.learner.reporting(7, "app") == "silent"
    assert world.posterior(GOOD).source == "receipts"
    shares = shares_of(world.learner.posteriors(CELL, [POOR, GOOD]))
    assert shares.weights[GOOD] > 9_000
    assert shares.reason.values["basis"] == Reason.of(ReasonCode.SHARES_FROM_RECEIPTS)
    world.minutes(3, {POOR: (0.5, 0.2), GOOD: (0.95, 0.4)})
    assert world.learner.reporting(7, "app") == "reporting"


def test_long_silence_leaves_what_conversions_taught_and_receipts_decide() -> None:
    """A carrier that becomes worse hours after the last report is left, and the others' honesty stays as it was."""
    world = World()
    world.minutes(90, {POOR: (0.96, 0.8), GOOD: (0.95, 0.79), THIRD: (1.0, 0.2)})
    silent = {POOR: (0.96, 0.0), GOOD: (0.95, 0.0), THIRD: (1.0, 0.0)}
    world.minutes(8 * 60, silent, messages=20)
    worse = {**silent, POOR: (0.6, 0.0)}
    world.minutes(8 * 60, worse, messages=20)
    found = {one.carrier_id: one for one in world.learner.posteriors(CELL, [POOR, GOOD, THIRD])}
    assert {one.source for one in found.values()} == {"receipts"}
    assert found[GOOD].mean == pytest.approx(0.95, abs=0.05)
    assert found[POOR].mean == pytest.approx(0.6, abs=0.08)
    assert found[THIRD].mean < 0.45, "its receipts were found out when conversions came"
    costs = {POOR: 20_000, GOOD: 26_000, THIRD: 10_000}
    assert shares_of(list(found.values()), costs).weights[GOOD] > 9_500


def test_a_new_process_does_not_take_the_silence_of_hours_for_a_no() -> None:
    restored = RoutingLearner()
    began = MINUTE + 20 * 60
    restored.begin_restore(began * 60.0, {(7, "app"): (MINUTE + 3 * 60) * 60.0})
    times = [0] * 17
    for hour in range(20):
        for carrier, rate in ((POOR, 0.1), (GOOD, 0.4)):
            came = round(6_000 * rate) if hour < 3 else 0
            fact = Delta(
                MINUTE + hour * 60, 7, "app", "CN", "46000", "861380", carrier, "S",
                sent=6_000, delivered=5_700, converted=came,
            )  # fmt: skip
            restored.restore(fact, [0, 0, 5_700, *times[3:]], [*times[:5], came, *times[6:]])
    for second in range(0, 60, 5):
        restored.update(began * 60.0 + second)
    assert restored.reporting(7, "app") == "silent"
    restored.observe([converted(began, GOOD, 5)])
    restored.update(began * 60.0 + 65)
    restored.update(began * 60.0 + 70)
    assert restored.reporting(7, "app") == "reporting"
    poor, good = restored.posteriors(CELL, [POOR, GOOD])
    assert good.mean > 2.5 * poor.mean


def test_an_app_that_never_reported_is_routed_by_receipts() -> None:
    world = World()
    world.minutes(90, {POOR: (0.5, 0.0), GOOD: (0.95, 0.0)})
    assert world.learner.reporting(7, "app") == "silent"
    assert shares_of(world.learner.posteriors(CELL, [POOR, GOOD])).weights[GOOD] == 9_900


def test_conversions_that_come_in_bulk_hours_later_teach_the_same() -> None:
    world = World()
    for _hour in range(4):
        first = world.minute
        for _minute in range(60):
            world.learner.observe([sent(world.minute, carrier, 20) for carrier in (POOR, GOOD)])
            world.minute += 1
            world.learner.update(world.minute * 60.0)
        world.learner.observe(
            converted(minute, carrier, count, took_s=(world.minute - minute) * 60)
            for minute in range(first, first + 60)
            for carrier, count in ((POOR, 2), (GOOD, 8))
        )
        world.learner.update(world.minute * 60.0)
    assert world.posterior(GOOD).mean > 2 * world.posterior(POOR).mean
    assert shares_of(world.learner.posteriors(CELL, [POOR, GOOD])).weights[GOOD] == 9_900


def test_a_minute_that_lies_ahead_of_the_clock_counts_as_now() -> None:
    world = World()
    world.minutes(30, {GOOD: (1.0, 0.3)})
    world.learner.observe([sent(world.minute + 10_000, GOOD, 100), converted(world.minute + 10_000, GOOD, 30)])
    world.minutes(10, {GOOD: (1.0, 0.3)})
    assert world.posterior(GOOD).mean == pytest.approx(0.3, abs=0.03)


def test_messages_that_move_to_another_carrier_leave_nothing_behind() -> None:
    world = World()
    world.minutes(30, {GOOD: (1.0, 0.3)})
    world.learner.observe([sent(world.minute, POOR, 50), sent(world.minute, POOR, -50), sent(world.minute, GOOD, 50)])
    world.waits(5)
    assert world.posterior(POOR).trials == pytest.approx(0)


# ---- Change


def seconds_until_it_leaves(lies: bool, conversion: float = 0.4) -> float:
    """At 20 messages/s, of which 98 % go by a carrier that begins to lose half."""
    world = World()
    rng = random.Random(3)
    shares = {POOR: 0.98, GOOD: 0.01, THIRD: 0.01}
    every = dict.fromkeys(shares, (0.95, 0.95 * conversion))
    world.minutes(120, every, messages=1_200, shares=shares)
    calculator, began_s = ShareCalculator(), world.minute * 60.0
    due: dict[int, list[Delta]] = {}
    for step in range(1, 200):
        now_s = began_s + step * 5
        minute = int(now_s - 1) // 60
        for carrier, share in shares.items():
            given = round(100 * share)
            reached = sum(rng.random() < (0.475 if carrier == POOR else 0.95) for _message in range(given))
            came_back = sum(rng.random() < conversion for _message in range(reached))
            due.setdefault(step, []).append(sent(minute, carrier, given))
            reported_count = round(given * 0.95) if lies else reached
            due.setdefault(step + 1, []).extend(delivered(minute, carrier, reported_count, given))
            due.setdefault(step + 5, []).append(converted(minute, carrier, came_back, took_s=22))
        world.learner.observe(due.pop(step))
        world.learner.update(now_s)
        found = shares_of(
            world.learner.posteriors(CELL, [POOR, GOOD, THIRD]), calculator=calculator, now_s=now_s
        ).weights
        if found[POOR] < 1_000:
            return now_s - began_s
        shares = {one: weight / 10_000 for one, weight in found.items()}
    return float("inf")


def test_a_carrier_that_begins_to_lose_half_is_left_within_two_minutes_by_its_receipts() -> None:
    assert seconds_until_it_leaves(lies=False) <= 120


def test_a_carrier_that_hides_its_losses_is_left_within_ten_minutes_by_its_conversions() -> None:
    assert seconds_until_it_leaves(lies=True) <= 600


def test_a_carrier_that_recovers_is_used_again() -> None:
    world = World()
    world.minutes(120, {POOR: (0.95, 0.4), GOOD: (0.95, 0.3)})
    world.minutes(30, {POOR: (0.3, 0.1), GOOD: (0.95, 0.3)}, shares={POOR: 0.05})
    assert shares_of(world.learner.posteriors(CELL, [POOR, GOOD])).weights[GOOD] == 9_900
    world.minutes(30, {POOR: (0.95, 0.4), GOOD: (0.95, 0.3)}, shares={POOR: 0.05})
    assert shares_of(world.learner.posteriors(CELL, [POOR, GOOD])).weights[POOR] > 5_000


def test_conversions_overrule_receipts_that_only_stopped_coming() -> None:
    world = World()
    world.minutes(120, {POOR: (0.95, 0.4), GOOD: (0.95, 0.3)})
    world.minutes(15, {POOR: (0.1, 0.4), GOOD: (0.95, 0.3)})
    assert world.posterior(POOR).mean > 0.35


def test_a_rate_that_falls_for_all_carriers_is_no_ones_fault() -> None:
    world = World()
    world.minutes(120, {POOR: (0.95, 0.2), GOOD: (0.95, 0.4)})
    world.minutes(20, {POOR: (0.95, 0.1), GOOD: (0.95, 0.2)})
    ratio = world.posterior(GOOD).mean / world.posterior(POOR).mean
    assert ratio == pytest.approx(2.0, rel=0.1)


def test_receipts_of_a_liar_are_not_trusted_and_an_honest_carrier_s_are() -> None:
    world = World()
    world.minutes(60, {POOR: (1.0, 0.05), GOOD: (0.9, 0.4), THIRD: (0.9, 0.38)})
    assert world.learner.trust(7, POOR) < 0.05
    assert world.learner.trust(7, GOOD) > 0.95
    silent = CellKey(9, "silent", "CN", "46000")
    reported = {POOR: (1.0, 0.05), GOOD: (0.9, 0.4), THIRD: (0.9, 0.38)}
    world.minutes(90, reported, beside=lambda world: world.add({POOR: (1.0, 0.0), GOOD: (0.9, 0.0)}, 20, silent))
    assert world.learner.reporting(9, "silent") == "silent"
    assert world.posterior(GOOD, silent).mean > 2 * world.posterior(POOR, silent).mean, "others' conversions tell"


def test_an_attack_that_converts_nobody_hardly_lowers_what_is_expected_of_people() -> None:
    world = World()
    world.minutes(180, {GOOD: (0.95, 0.4)})
    world.minutes(30, {GOOD: (0.95, 0.02)}, messages=2_000)
    assert world.learner.expected_rate(CELL, GOOD) > 0.25


def test_what_is_recalled_teaches_as_much_as_what_was_heard() -> None:
    observed = World()
    observed.minutes(180, {POOR: (0.95, 0.1), GOOD: (0.95, 0.4)})
    restored = RoutingLearner()
    restored.begin_restore(observed.minute * 60.0, {(7, "app"): observed.minute * 60.0})
    times = [0] * 17
    for hour in range(3):
        for carrier, count in ((POOR, 600), (GOOD, 2_400)):
            minute = MINUTE + hour * 60
            fact = Delta(
                minute, 7, "app", "CN", "46000", "861380", carrier, "S", sent=6_000, delivered=5_700, converted=count
            )
            restored.restore(fact, [0, 0, 5_700, *times[3:]], [*times[:5], count, *times[6:]])
    restored.update(observed.minute * 60.0)
    for carrier in (POOR, GOOD):
        (one,) = restored.posteriors(CELL, [carrier])
        assert one.mean == pytest.approx(observed.posterior(carrier).mean, rel=0.05)


# ---- Shares


def test_the_cheaper_of_equals_gets_the_traffic() -> None:
    posteriors = [beta(POOR, 4_000, 10_000), beta(GOOD, 4_000, 10_000)]
    assert shares_of(posteriors, {POOR: 8_000, GOOD: 10_000}).weights == {POOR: 9_900, GOOD: 100}


def test_a_carrier_under_the_quality_floor_is_not_used_however_cheap() -> None:
    posteriors = [beta(POOR, 8_000, 10_000), beta(GOOD, 4_000, 10_000)]
    costs = {POOR: 10_000, GOOD: 1_000}
    assert shares_of(posteriors, costs).weights[POOR] == 9_900
    assert shares_of(posteriors, costs, Objective(quality_floor=0.4)).weights[GOOD] == 9_900


@pytest.mark.parametrize(("worth_micro", "best"), [(20_000, POOR), (500_000, GOOD)])
def test_a_worth_decides_what_a_better_carrier_may_cost(worth_micro: int, best: int) -> None:
    posteriors = [beta(POOR, 3_000, 10_000), beta(GOOD, 4_000, 10_000)]
    shares = shares_of(posteriors, {POOR: 4_000, GOOD: 10_000}, Objective(worth_micro=worth_micro))
    assert shares.weights[best] == 9_900


def test_carriers_that_are_down_or_too_dear_get_nothing() -> None:
    posteriors = [beta(POOR, 300, 1_000), beta(GOOD, 900, 1_000), beta(THIRD, 800, 1_000)]
    shares = shares_of(posteriors, {**COSTS, THIRD: 30_000}, down=[GOOD], ceiling=20_000)
    assert shares.weights == {POOR: 10_000}
    assert shares_of(posteriors, down=[POOR, GOOD, THIRD]).weights[GOOD] > 9_000, "all down: as if none were"


def test_who_opted_out_is_sent_by_priority() -> None:
    shares = shares_of([beta(POOR, 1, 1_000), beta(GOOD, 900, 1_000)], objective=Objective(opted_out=True))
    assert shares.weights == {POOR: 10_000}


def test_no_carrier_gets_more_than_the_most_one_may_have() -> None:
    posteriors = [beta(POOR, 100, 1_000), beta(GOOD, 900, 1_000), beta(THIRD, 100, 1_000)]
    assert shares_of(posteriors, objective=Objective(share_max=0.7)).weights[GOOD] == 7_000


def test_equals_do_not_take_turns() -> None:
    calculator, rng = ShareCalculator(), random.Random(5)
    posteriors = [beta(POOR, 400, 1_000), beta(GOOD, 400, 1_000)]
    seen = [shares_of(posteriors, calculator=calculator, now_s=START_S + 5.0 * n, rng=rng).weights for n in range(200)]
    moves = [abs(one[POOR] - other[POOR]) for one, other in zip(seen[1:], seen, strict=False)]
    assert max(moves) < 1_500
    assert sum(moves) / len(moves) < 250


def test_a_clear_loser_leaves_at_once() -> None:
    calculator, rng = ShareCalculator(), random.Random(5)
    before, after = [beta(POOR, 500, 1_000), beta(GOOD, 400, 1_000)], [beta(POOR, 20, 100), beta(GOOD, 400, 1_000)]
    assert shares_of(before, calculator=calculator, rng=rng).weights[POOR] > 9_500
    assert shares_of(after, calculator=calculator, now_s=START_S + 5, rng=rng).weights[POOR] < 500


def test_what_is_only_tried_costs_little_however_many_there_are() -> None:
    posteriors = [beta(1, 9_000, 10_000), *(beta(n, 100, 1_000) for n in range(2, 12))]
    weights = shares_of(posteriors, dict.fromkeys(range(1, 12), 10_000)).weights
    assert sum(weight for carrier, weight in weights.items() if carrier != 1) <= 200
    assert min(weights.values()) >= 19


def test_long_updates_come_less_often() -> None:
    assert interval_s(0.01) == limits.LEARN_S
    assert interval_s(limits.LEARN_S * LEARN_BUSY_SHARE_MAX) == limits.LEARN_S
    assert interval_s(4.0) == 4.0 / LEARN_BUSY_SHARE_MAX


@pytest.mark.parametrize("refused", [0, 1])
def test_a_new_account_whose_messages_no_carrier_took_stops_nobody_s_learning(refused: int) -> None:
    """Its first message waits for its carrier, or was refused: nothing was sent, and nothing is known of its app."""
    fresh = Delta(MINUTE, 77, "new-app", "CN", "46000", "861380013", 1, "", submitted=1, refused=refused)
    observed, restored = RoutingLearner(), RoutingLearner()
    observed.observe([fresh])
    restored.begin_restore(MINUTE * 60.0 + 60, {})
    restored.restore(fresh, (), ())
    for learner in (observed, restored):
        learner.update(MINUTE * 60.0 + 60)
        learner.observe([sent(MINUTE + 1, GOOD, 3)])
        learner.update(MINUTE * 60.0 + 120)
        assert learner.posteriors(CELL, [GOOD])[0].carrier_id == GOOD
