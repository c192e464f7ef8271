"""The fraud model and the enforcer together, against genuine traffic and attacks on a virtual clock."""

import copy
import heapq
import random

import msgspec
import pytest

from homing.common import histogram
from homing.guard.enforcement import Enforcer, GuardRequest
from homing.guard.model import FraudModel
from homing.guard.persistence import SavedNetwork, export_networks, restore_network, restore_verdict
from homing.guard.rules import RULES, GuardRules, RuleMode
from homing.model import GENERAL, GuardAction
from homing.statistics.delta import Delta
from homing.text.numbers import Destination

START_S = 1_767_571_200
PLACE = Destination("ID", "62", "510", "10", "")
TICK_S = 5
RATE = 0.8


class World:
    """Genuine messages to one network of ten million numbers, with an attack or an incident among them."""

    def __init__(self, seed: int, genuine_per_s: float = 1.0) -> None:
        self.draw = random.Random(seed)
        self.genuine_per_s = genuine_per_s
        self.model, self.enforcer = FraudModel(), Enforcer()
        self.enforcer.use_rules(GuardRules({(GENERAL, rule): RuleMode.BLOCK for rule in RULES}))
        self.now_s = 0
        self.rate = RATE
        self.delivered = 1.0  # share of messages
        self.reporting = "reporting"
        self.due: list[tuple[float, int, Delta]] = []
        self.genuine = self.genuine_blocked = self.attack = self.attack_passed = 0

    def run(self, seconds: int, attack_per_s: float = 0.0, ranges: tuple[str, ...] = (), converts: float = 0.0) -> None:
        for _ in range(seconds // TICK_S):
            self.now_s += TICK_S
            self.enforcer.use_snapshot(self.model.snapshot)
            deltas: list[Delta] = []
            for _message in range(self._count(self.genuine_per_s)):
                self.genuine += 1
                self.genuine_blocked += self._send(
                    f"62812{self.draw.randrange(10**7):07}", self.rate * self.delivered, deltas
                )
            for _message in range(self._count(attack_per_s)):
                self.attack += 1
                number = f"{self.draw.choice(ranges)}{self.draw.randrange(1000):03}"
                self.attack_passed += not self._send(number, converts, deltas)
            while self.due and self.due[0][0] <= self.now_s:
                deltas.append(heapq.heappop(self.due)[2])
            self.model.observe(deltas)
            self.model.update(START_S + self.now_s, lambda _cell, _carrier: RATE, lambda _account, _app: self.reporting)

    def _count(self, per_s: float) -> int:
        whole, part = divmod(per_s * TICK_S, 1.0)
        return int(whole) + (self.draw.random() < part)

    def _send(self, number: str, converts: float, deltas: list[Delta]) -> bool:
        """Whether it was blocked."""
        at_s = START_S + self.now_s
        request = GuardRequest(
            account_id=1, app_id="app", message_id=1, number=number, destination=PLACE, charge_micro=20_000
        )
        if self.enforcer.decide(request, at_s).action is GuardAction.BLOCK:
            return True
        facts = (at_s // 60, 1, "app", "ID", "51010", number[:-3], 1, "S")
        deltas.append(Delta(*facts, submitted=1, revenue_micro=20_000))
        if self.draw.random() < converts:
            took_s = self.draw.lognormvariate(3.4, 0.7)
            back = Delta(*facts, converted=1, conversion_bucket=histogram.bucket_of(took_s))
            heapq.heappush(self.due, (self.now_s + took_s, len(self.due), back))
        return False

    @property
    def stopped(self) -> float:
        return 1 - self.attack_passed / self.attack

    @property
    def blocked_share(self) -> float:
        """Of genuine messages."""
        return self.genuine_blocked / self.genuine


@pytest.fixture(scope="module")
def warm() -> World:
    """Half an hour of genuine traffic."""
    made = World(7)
    made.run(1800)
    assert made.genuine_blocked == 0
    return made


@pytest.fixture
def world(warm: World) -> World:
    return copy.deepcopy(warm)


def test_a_burst_into_few_ranges_loses_hardly_anything(world: World) -> None:
    world.run(900, attack_per_s=10, ranges=("628121111", "628122222"))
    assert world.stopped > 0.99
    assert world.blocked_share <= 0.001


def test_rotating_ranges_are_each_stopped_within_a_few_messages(world: World) -> None:
    for turn in range(5):
        world.run(300, attack_per_s=2, ranges=tuple(f"62812{3000 + 17 * (3 * turn + n)}" for n in range(3)))
    assert world.stopped > 0.93
    assert world.blocked_share <= 0.001


def test_a_drip_is_stopped_by_its_missing_conversions(world: World) -> None:
    world.run(3 * 3600, attack_per_s=1 / 60, ranges=("628127777",))
    assert world.stopped > 0.8
    assert world.blocked_share <= 0.001


def test_an_attack_of_which_some_messages_convert_is_stopped(world: World) -> None:
    world.run(3600, attack_per_s=1, ranges=tuple(f"62812{5000 + 31 * n}" for n in range(10)), converts=0.3)
    assert world.stopped > 0.8
    assert world.blocked_share <= 0.002  # one in a thousand lives in one of these ranges


def test_forged_conversions_do_not_outweigh_density(world: World) -> None:
    world.run(1800, attack_per_s=1, ranges=("628124444",), converts=0.95)
    assert world.stopped > 0.8


def test_ten_times_the_genuine_traffic_is_not_blocked(world: World) -> None:
    world.genuine_per_s *= 10
    world.run(600)
    assert world.blocked_share <= 0.001


def test_an_outage_of_delivery_is_not_taken_for_fraud(world: World) -> None:
    world.delivered = 0.0
    world.run(1200)
    assert world.blocked_share <= 0.001


def test_a_customer_that_stops_reporting_is_not_blocked(world: World) -> None:
    world.delivered, world.reporting = 0.0, "silent"
    world.run(1800)
    assert world.genuine_blocked == 0


def test_the_launch_of_a_country_is_not_taken_for_fraud() -> None:
    world = World(3, genuine_per_s=5)
    world.run(900)
    assert world.blocked_share <= 0.001


def test_another_model_restores_what_one_exported(world: World) -> None:
    world.run(300, attack_per_s=5, ranges=("628121111",))
    verdicts = world.model.snapshot.verdicts
    assert verdicts
    successor = FraudModel()
    for network, saved in export_networks(world.model.state, START_S + world.now_s, 0, 100):
        decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=SavedNetwork)
        restore_network(successor.state, network, decoded)
    for key, verdict in verdicts.items():
        restore_verdict(successor.state, key, verdict)
    successor.update(START_S + world.now_s, lambda _cell, _carrier: RATE, lambda _account, _app: "reporting")
    assert set(successor.snapshot.verdicts) == set(verdicts)


def test_a_lifted_range_passes_again(world: World) -> None:
    world.run(300, attack_per_s=5, ranges=("628121111",))
    for key in world.model.snapshot.verdicts:
        world.model.lift(key)
    world.model.update(START_S + world.now_s + 1, lambda _cell, _carrier: RATE, lambda _account, _app: "reporting")
    assert not world.model.snapshot.verdicts


def flagged_in(
    model: FraudModel, hours: float, per_min: int, seed: int = 5, outage_min: range = range(0), within: str = ""
) -> set[str]:
    """Genuine messages to one network, a fifth of which do not convert, and none of the minutes of an outage. `within`:
    those of the last half hour are all to one range. Gives every range that was flagged.
    """
    draw = random.Random(seed)
    flagged: set[str] = set()
    coming: list[Delta] = []
    for minute in range(int(hours * 60)):
        deltas, coming = coming, []
        for _person in range(per_min):
            first = within if within and minute >= hours * 60 - 30 else "62812"
            block = f"{first}{draw.randrange(10 ** (9 - len(first))):0{9 - len(first)}}"
            facts = (START_S // 60 + minute, 1, "app", "ID", "51010", block, 1, "S")
            deltas.append(Delta(*facts, submitted=1, revenue_micro=20_000))
            if draw.random() < RATE and minute not in outage_min:
                coming.append(Delta(*facts, converted=1, conversion_bucket=histogram.bucket_of(20.0)))
        model.observe(deltas)
        model.update(START_S + minute * 60.0 + 60, lambda _cell, _carrier: RATE, lambda _account, _app: "reporting")
        flagged |= {key[3] for key in model.snapshot.verdicts}
    return flagged


def test_the_history_of_a_wide_range_and_of_its_network_are_of_the_same_time() -> None:
    """Messages become history after six hours: those of a wide range with those of its thousands."""
    assert not flagged_in(FraudModel(), 7, per_min=100)


def test_an_outage_is_not_taken_for_fraud_hours_later_either() -> None:
    """Exposure is fixed with the conversion ratios of its time: hours later these are no longer known."""
    assert not flagged_in(FraudModel(), 6, per_min=100, outage_min=range(40, 220))


def test_conversions_in_many_thousands_clear_the_hundred_thousand_around_them() -> None:
    """A town that is asked to register: the cap on conversions is not meant for forgery on that scale."""
    flagged = flagged_in(FraudModel(), 3, per_min=20, within="6281277")
    assert not {digits for digits in flagged if len(digits) == 7}


def test_a_genuine_range_is_cleared_when_its_probes_convert(world: World) -> None:
    """A blocked message cannot convert: without probes nothing would ever speak for a flagged range."""
    firm = ("628125550",)
    world.run(600, attack_per_s=0.5, ranges=firm, converts=0.9)  # dense, but genuine
    assert world.attack - world.attack_passed > 100
    world.run(2400, attack_per_s=0.01, ranges=firm, converts=0.9)
    came, passed = world.attack, world.attack_passed
    world.run(3000, attack_per_s=0.01, ranges=firm, converts=0.9)
    assert (world.attack_passed - passed) / (world.attack - came) > 0.5


def test_an_attacks_probes_do_not_clear_its_range(world: World) -> None:
    attacked = ("628125550",)
    world.run(600, attack_per_s=0.5, ranges=attacked)
    came, passed = world.attack, world.attack_passed
    world.run(3600, attack_per_s=0.5, ranges=attacked, converts=0.3)
    assert (world.attack_passed - passed) / (world.attack - came) < 0.01


def test_a_verdict_is_not_ended_because_blocked_messages_are_not_counted() -> None:
    """In a range with genuine messages, whose conversions speak for it: those blocked add no density. The
    conversions of the last ten minutes make a little room.
    """
    world = World(7, genuine_per_s=3)
    town = ("628125550",)
    world.run(1800)
    world.run(7200, attack_per_s=0.006, ranges=town, converts=0.95)
    passed = world.attack_passed
    assert passed == world.attack
    world.run(3000, attack_per_s=1, ranges=town)
    assert world.attack_passed - passed < 30
