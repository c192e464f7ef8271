"""The mind and the judge together, against people and thieves on a clock of their own."""

import heapq
import random

import msgspec
import pytest

from homing.guard.judge import Judge
from homing.guard.mind import Mind
from homing.guard.remembering import Kept
from homing.guard.rules import RULES, Mode, Rules
from homing.kit import histogram
from homing.model import GENERAL, GuardAction
from homing.statistics.delta import Delta
from homing.text.numbers import Destination

START_S = 1_767_571_200
PLACE = Destination("ID", "62", "510", "10", "")
TICK_S = 5
RATE = 0.8


class World:
    """People of one network of ten million numbers, with a thief or an accident among them."""

    def __init__(self, seed: int, people_per_s: float = 1.0) -> None:
        self.draw = random.Random(seed)
        self.people_per_s = people_per_s
        self.mind, self.judge = Mind(), Judge()
        self.judge.obey(Rules({(GENERAL, rule): Mode.BLOCK for rule in RULES}))
        self.now_s = 0
        self.rate = RATE
        self.arrives = 1.0  # how many messages reach their people
        self.reporting = "reporting"
        self.due: list[tuple[float, int, Delta]] = []
        self.people = self.refused = self.theft = self.passed = 0

    def run(self, seconds: int, theft_per_s: float = 0.0, ranges: tuple[str, ...] = (), converts: float = 0.0) -> None:
        for _ in range(seconds // TICK_S):
            self.now_s += TICK_S
            self.judge.read(self.mind.verdicts())
            deltas: list[Delta] = []
            for _person in range(self._count(self.people_per_s)):
                self.people += 1
                self.refused += self._send(f"62812{self.draw.randrange(10**7):07}", self.rate * self.arrives, deltas)
            for _fake in range(self._count(theft_per_s)):
                self.theft += 1
                number = f"{self.draw.choice(ranges)}{self.draw.randrange(1000):03}"
                self.passed += not self._send(number, converts, deltas)
            while self.due and self.due[0][0] <= self.now_s:
                deltas.append(heapq.heappop(self.due)[2])
            self.mind.hear(deltas)
            self.mind.think(START_S + self.now_s, lambda _cell, _carrier: RATE, lambda _account, _app: self.reporting)

    def _count(self, per_s: float) -> int:
        whole, part = divmod(per_s * TICK_S, 1.0)
        return int(whole) + (self.draw.random() < part)

    def _send(self, number: str, converts: float, deltas: list[Delta]) -> bool:
        """Whether it was refused."""
        at_s = START_S + self.now_s
        if self.judge.judge(1, "app", number, PLACE, "S", 20_000, at_s).action is GuardAction.BLOCK:
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
        return 1 - self.passed / self.theft

    @property
    def refused_share(self) -> float:
        return self.refused / self.people


@pytest.fixture
def world() -> World:
    made = World(7)
    made.run(1800)
    assert made.refused == 0
    return made


def test_a_burst_into_few_ranges_loses_hardly_anything(world: World) -> None:
    world.run(900, theft_per_s=10, ranges=("628121111", "628122222"))
    assert world.stopped > 0.99
    assert world.refused_share <= 0.001


def test_ranges_that_rotate_are_each_stopped_within_a_few_messages(world: World) -> None:
    for turn in range(5):
        world.run(300, theft_per_s=2, ranges=tuple(f"62812{3000 + 17 * (3 * turn + n)}" for n in range(3)))
    assert world.stopped > 0.93
    assert world.refused_share <= 0.001


def test_a_drip_is_stopped_by_its_silence(world: World) -> None:
    world.run(3 * 3600, theft_per_s=1 / 60, ranges=("628127777",))
    assert world.stopped > 0.8
    assert world.refused_share <= 0.001


def test_a_thief_who_makes_some_convert_is_stopped(world: World) -> None:
    world.run(3600, theft_per_s=1, ranges=tuple(f"62812{5000 + 31 * n}" for n in range(10)), converts=0.3)
    assert world.stopped > 0.8
    assert world.refused_share <= 0.002  # one in a thousand lives in one of these ranges


def test_forged_conversions_do_not_excuse_a_crowd(world: World) -> None:
    world.run(1800, theft_per_s=1, ranges=("628124444",), converts=0.95)
    assert world.stopped > 0.8


def test_ten_times_the_people_are_people(world: World) -> None:
    world.people_per_s *= 10
    world.run(600)
    assert world.refused_share <= 0.001


def test_an_outage_is_no_theft(world: World) -> None:
    world.arrives = 0.0
    world.run(1200)
    assert world.refused_share <= 0.001


def test_a_customer_that_stops_reporting_is_no_thief(world: World) -> None:
    world.arrives, world.reporting = 0.0, "silent"
    world.run(1800)
    assert world.refused == 0


def test_a_country_that_opens_is_no_theft() -> None:
    world = World(3, people_per_s=5)
    world.run(900)
    assert world.refused_share <= 0.001


def test_what_a_mind_kept_another_remembers(world: World) -> None:
    world.run(300, theft_per_s=5, ranges=("628121111",))
    verdicts = world.mind.verdicts().verdicts
    assert verdicts
    heir = Mind()
    for name, kept in world.mind.keep(0, 100):
        heir.remember(name, msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Kept))
    for cohort, verdict in verdicts.items():
        heir.uphold(cohort, verdict)
    heir.think(START_S + world.now_s, lambda _cell, _carrier: RATE, lambda _account, _app: "reporting")
    assert set(heir.verdicts().verdicts) == set(verdicts)


def test_a_lifted_range_passes_again(world: World) -> None:
    world.run(300, theft_per_s=5, ranges=("628121111",))
    for name in world.mind.verdicts().verdicts:
        world.mind.lift(name, START_S + world.now_s)
    world.mind.think(START_S + world.now_s + 1, lambda _cell, _carrier: RATE, lambda _account, _app: "reporting")
    assert not world.mind.verdicts().verdicts


def day_of_people(
    mind: Mind, hours: float, per_min: int, seed: int = 5, outage_min: range = range(0), within: str = ""
) -> set[str]:
    """People of one network, minute by minute, a fifth of whom do not come back; nobody does who came in an outage.
    `within`: the last half hour's live in one range alone. Gives every range that was judged.
    """
    draw = random.Random(seed)
    judged: set[str] = set()
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
        mind.hear(deltas)
        mind.think(START_S + minute * 60.0 + 60, lambda _cell, _carrier: RATE, lambda _account, _app: "reporting")
        judged |= {name[3] for name in mind.verdicts().verdicts}
    return judged


def test_a_wide_range_is_held_against_its_network_as_of_the_same_time() -> None:
    """Messages become history after six hours: those of a wide range with those of its thousands."""
    assert not day_of_people(Mind(), 7, per_min=100)


def test_an_outage_is_no_theft_hours_later_either() -> None:
    """What is put away of it stays excused: how conversions fared is not asked anew when nobody knows any more."""
    assert not day_of_people(Mind(), 6, per_min=100, outage_min=range(40, 220))


def test_people_who_come_back_in_many_thousands_excuse_the_hundred_thousand_about_them() -> None:
    """A town that is told to register: forging that much is not what conversions' bound is against."""
    judged = day_of_people(Mind(), 3, per_min=20, within="6281277")
    assert not {digits for digits in judged if len(digits) == 7}


def test_a_range_of_people_that_was_judged_is_let_go_when_its_probes_convert(world: World) -> None:
    """A refused message makes no conversion: without probes nothing would ever speak for whom a judgement refuses."""
    firm = ("628125550",)
    world.run(600, theft_per_s=0.5, ranges=firm, converts=0.9)  # a crowd, but of people
    assert world.theft - world.passed > 100
    world.run(2400, theft_per_s=0.01, ranges=firm, converts=0.9)
    came, passed = world.theft, world.passed
    world.run(3000, theft_per_s=0.01, ranges=firm, converts=0.9)
    assert (world.passed - passed) / (world.theft - came) > 0.5


def test_a_thiefs_probes_do_not_let_it_go(world: World) -> None:
    stolen = ("628125550",)
    world.run(600, theft_per_s=0.5, ranges=stolen)
    came, passed = world.theft, world.passed
    world.run(3600, theft_per_s=0.5, ranges=stolen, converts=0.3)
    assert (world.passed - passed) / (world.theft - came) < 0.01


def test_a_flood_is_not_forgotten_because_it_is_refused() -> None:
    """In a range where people live, whose conversions speak for it: what is refused is no crowd to be seen."""
    world = World(7, people_per_s=3)
    town = ("628125550",)
    world.run(1800)
    world.run(7200, theft_per_s=0.006, ranges=town, converts=0.95)
    passed = world.passed
    assert passed == world.theft
    world.run(3000, theft_per_s=1, ranges=town)
    assert world.passed - passed < 20
