"""End users' addresses as evidence: the model and the enforcer against attacks that are spread over many ranges, on a
virtual clock.
"""

import copy
import heapq
import random

import msgspec
import pytest

from homing.common import histogram
from homing.guard.address_model import GUARD_ADDRESSES_MAX, AddressDelta, AddressModel
from homing.guard.end_users import EndUserAddress
from homing.guard.enforcement import Enforcer, GuardRequest
from homing.guard.model import FraudModel
from homing.guard.policy import GuardPolicy
from homing.guard.rules import RULES, GuardRules, RuleMode
from homing.guard.state import AppState
from homing.model import GENERAL, GuardAction
from homing.reasons import ReasonCode
from homing.statistics.delta import Delta
from homing.text.numbers import Destination

START_S = 1_767_571_200
PLACE = Destination("ID", "62", "510", "10", "")
TICK_S = 5
RATE = 0.8
OFFICE, ATTACKERS = 10_000, range(20_000, 20_006)
Change = Delta | AddressDelta


def address_of(host: int) -> EndUserAddress:
    """Of IPv4: ten hosts share a /24."""
    return EndUserAddress(host, 1_000_000 + host // 10)


class World:
    """People, each with an address, and many behind one carrier's NAT; their messages convert. `named`: whether
    addresses reach the guard.
    """

    def __init__(self, named: bool) -> None:
        self.draw = random.Random(7)
        self.named = named
        self.model, self.enforcer = FraudModel(), Enforcer()
        self.enforcer.use_rules(GuardRules({(GENERAL, rule): RuleMode.BLOCK for rule in RULES}))
        self.now_s = 0
        self.delivered = 1.0  # share of messages
        self.people_per_s, self.nat_per_s = 0.4, 0.3
        self.due: list[tuple[float, int, Delta, AddressDelta]] = []
        self.sent = {"people": 0, "nat": 0, "attack": 0}
        self.blocked = dict.fromkeys(self.sent, 0)
        self.reasons: set[str] = set()

    def run(self, seconds: int, attack_per_s: float = 0.0) -> None:
        for _ in range(seconds // TICK_S):
            self.now_s += TICK_S
            self.enforcer.use_snapshot(self.model.snapshot)
            changes: list[Change] = []
            for who, per_s in (
                ("people", self.people_per_s),
                ("nat", self.nat_per_s),
                ("attack", attack_per_s),
            ):
                for _message in range(self._count(per_s)):
                    self._send(who, changes)
            while self.due and self.due[0][0] <= self.now_s:
                changes += heapq.heappop(self.due)[2:]
            self.model.observe([change for change in changes if isinstance(change, Delta)])
            if self.named:
                self.model.observe_addresses([change for change in changes if isinstance(change, AddressDelta)])
            self.model.update(START_S + self.now_s, lambda _cell, _carrier: RATE, lambda _account, _app: "reporting")

    def _count(self, per_s: float) -> int:
        whole, part = divmod(per_s * TICK_S, 1.0)
        return int(whole) + (self.draw.random() < part)

    def _send(self, who: str, changes: list[Change]) -> None:
        hosts = {"people": range(5_000), "nat": [OFFICE], "attack": ATTACKERS}
        end_user = address_of(self.draw.choice(hosts[who]))
        number = f"62812{self.draw.randrange(10**7):07}"
        at_s = START_S + self.now_s
        self.sent[who] += 1
        decision = self.enforcer.decide(
            GuardRequest(
                account_id=1,
                app_id="app",
                message_id=1,
                number=number,
                destination=PLACE,
                charge_micro=20_000,
                end_user=end_user if self.named else None,
            ),
            at_s,
        )
        if decision.reason is not None:
            self.reasons.add(decision.reason.code)
        if decision.action is GuardAction.BLOCK:
            self.blocked[who] += 1
            return
        facts = (at_s // 60, 1, "app", "ID", "51010", number[:-3], 1, "S")
        changes.append(Delta(*facts, submitted=1, revenue_micro=20_000))
        delta = AddressDelta(
            account_id=1, app_id="app", network="51010", minute=at_s // 60, end_user=end_user, number=int(number)
        )
        changes.append(delta)
        if who != "attack" and self.draw.random() < RATE * self.delivered:
            took_s = self.draw.lognormvariate(3.4, 0.7)
            back = Delta(*facts, converted=1, conversion_bucket=histogram.bucket_of(took_s))
            converted = msgspec.structs.replace(delta, is_conversion=True)
            heapq.heappush(self.due, (self.now_s + took_s, len(self.due), back, converted))

    @property
    def passed(self) -> int:
        return self.sent["attack"] - self.blocked["attack"]

    @property
    def genuine_blocked(self) -> int:
        return self.blocked["people"] + self.blocked["nat"]


@pytest.fixture(scope="module")
def warm() -> World:
    """Twenty minutes of genuine traffic."""
    made = World(named=True)
    made.run(1200)
    assert made.genuine_blocked == 0
    return made


@pytest.fixture
def world(warm: World) -> World:
    return copy.deepcopy(warm)


def test_an_attack_on_thousands_of_ranges_is_stopped_by_its_addresses_and_not_without_them(world: World) -> None:
    unnamed = World(named=False)
    for each in (world, unnamed):
        if each is unnamed:
            each.run(1200)
        each.run(900, attack_per_s=1.0)
    assert world.sent["attack"] > 800
    assert world.passed < 0.2 * world.sent["attack"]
    assert unnamed.passed > 0.6 * unnamed.sent["attack"], "a message or two in each range say little"
    assert world.genuine_blocked <= 2
    assert ReasonCode.GUARD_ADDRESS_UNCONVERTED in world.reasons


def test_many_people_behind_one_address_are_not_taken_for_an_attack(world: World) -> None:
    world.nat_per_s = 3.0
    world.run(1200)
    assert world.blocked["nat"] == 0


def test_an_outage_is_no_evidence_against_the_address_that_most_people_share(world: World) -> None:
    world.delivered = 0.0
    world.run(1200)
    assert ReasonCode.GUARD_ADDRESS_UNCONVERTED not in world.reasons


def test_a_burst_from_one_address_is_held_before_its_conversions_are_due(world: World) -> None:
    world.run(30, attack_per_s=50.0)
    assert world.passed <= 6 * 2 * 40
    assert ReasonCode.GUARD_ADDRESS_BURST in world.reasons


def test_a_verdict_ends_and_an_address_that_converts_by_then_stays_free() -> None:
    model = model_of()
    model.observe(people_of(0))
    for number in range(40):
        model.observe([delta_of(1, number, minute=0)])
    model.update(300.0)
    (flagged,) = [key for key, standing in model.standings.items() if standing.verdict is not None]
    assert flagged == (1, "app", 1), "the prefix is judged without the address that is flagged"
    model.update(300.0 + GuardPolicy().address_verdict_s)
    assert not model.standings
    for number in range(40):
        model.observe([delta_of(1, number, minute=40), delta_of(1, number, minute=40, is_conversion=True)])
    model.update(50 * 60.0)
    assert all(standing.verdict is None for standing in model.standings.values())


def test_a_lifted_verdict_ends_and_what_was_before_it_is_no_evidence_any_more() -> None:
    before = [*people_of(0), *(delta_of(1, number, minute=0) for number in range(40))]
    key = 1, "app", 1
    model, successor = model_of(), model_of()
    model.observe(before)
    model.update(300.0)
    assert model.standings[key].verdict is not None
    successor.lift(key, 302.0)  # one that starts anew reads lifts before it reads the messages
    successor.observe(before)
    for each in (model, successor):
        each.lift(key, 302.0)
        each.update(304.0)
        assert key not in each.standings
        each.observe([*people_of(10), *(delta_of(1, number, minute=10) for number in range(100, 140))])
        each.update(900.0)
        assert each.standings[key].verdict is not None, "what comes later is"
        each.lift(key, 302.0)  # the same again
        each.update(902.0)
        assert each.standings[key].verdict is not None


def test_one_persons_repeated_requests_are_no_evidence() -> None:
    model = model_of()
    for _again in range(60):
        model.observe([delta_of(1, 7, minute=0)])
    model.update(600.0)
    assert not model.standings


def test_without_anybody_who_converts_silence_is_no_evidence() -> None:
    model = model_of()
    model.observe([delta_of(1, number, minute=0) for number in range(40)])
    model.update(300.0)
    assert all(standing.verdict is None for standing in model.standings.values())
    assert model.standings[1, "app", 1].limit == 40, "but it is bounded"


def test_addresses_that_share_a_prefix_count_together() -> None:
    model = model_of()
    model.observe(people_of(0))
    for number in range(60):
        model.observe([delta_of(number % 10, number, minute=0)])
    model.update(300.0)
    flagged = [key[2] for key, standing in model.standings.items() if standing.verdict is not None]
    assert address_of(0).prefix in flagged


def test_forged_addresses_take_no_more_memory_than_there_is() -> None:
    model = model_of()
    for start in range(0, 40_000, 1_000):
        model.observe([delta_of(10 * host, host, minute=0) for host in range(start, start + 1_000)])
    assert model.size == GUARD_ADDRESSES_MAX
    model.update(300.0)
    assert not model.standings


def test_forged_addresses_end_no_verdict() -> None:
    model = model_of()
    model.observe(people_of(0))
    model.observe([delta_of(1, number, minute=0) for number in range(40)])
    model.update(300.0)
    model.observe([delta_of(10 * host, host, minute=5) for host in range(1, 40_000)])
    model.update(302.0)
    assert model.size == GUARD_ADDRESSES_MAX
    assert model.standings[1, "app", 1].verdict is not None


def model_of() -> AddressModel:
    app = AppState()
    app.reports_conversions = True
    policy = GuardPolicy()
    return AddressModel(
        policy=policy,
        app_of=lambda _account, _app: app,
        rate_of=lambda _account, _app, _network: RATE,
        needed_nats=lambda _account: policy.flag_nats,
    )


def people_of(minute: int) -> list[AddressDelta]:
    """Messages of sixty people, each at a /24 of their own, who enter their codes."""
    hosts = range(100_000, 100_600, 10)
    return [delta_of(host, host, minute, is_conversion) for host in hosts for is_conversion in (False, True)]


def delta_of(host: int, number: int, minute: int, is_conversion: bool = False) -> AddressDelta:
    return AddressDelta(
        account_id=1,
        app_id="app",
        network="51010",
        minute=minute,
        end_user=address_of(host),
        number=number,
        is_conversion=is_conversion,
    )
