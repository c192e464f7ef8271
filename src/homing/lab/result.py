"""The result of a run: small enough to send between processes and to write into the report."""

import math
from typing import Final

import msgspec
import numpy as np

from homing.lab.counts import RunCounts
from homing.lab.scenario import AttackKind, Scenario
from homing.lab.world import World

SHIFTED_SHARE: Final = 0.10
SHIFT_WINDOW_S: Final = 30
"""A carrier counts as left when its share of the messages in a window of so many seconds is below `SHIFTED_SHARE`."""
LATE_PART: Final = 0.25
"""The last part of a run, reported separately: it shows the remaining cost of learning."""
COURSE_MIN: Final = 10
ORDINARY: Final = "ordinary"
"""The kind of the crowd that no event brings."""


class AttackResult(msgspec.Struct, frozen=True):
    """Amounts of the whole attack, and of what came after its first hour."""

    kind: AttackKind
    messages: int
    wanted_micro: int
    spent_micro: int
    converted: int
    later_wanted_micro: int = 0
    later_spent_micro: int = 0

    @property
    def stopped(self) -> float:
        """The share of the money, 0..1."""
        return 1 - self.spent_micro / self.wanted_micro if self.wanted_micro else 1.0

    @property
    def later_stopped(self) -> float:
        """Likewise after the attack's first hour."""
        return 1 - self.later_spent_micro / self.later_wanted_micro if self.later_wanted_micro else 1.0


class CrowdResult(msgspec.Struct, frozen=True):
    """People of ordinary traffic or of one event, each counted once. `refused`: at least once."""

    kind: str
    people: int
    refused: int

    @property
    def refused_share(self) -> float:
        return self.refused / self.people if self.people else 0.0


class RunResult(msgspec.Struct, frozen=True):
    """The result of one scenario, seed and policy, counted from `measure_from_h` on. `cpu_s`: CPU time of the run.

    `people` and `refused` count a person anew for each code that they want; `crowds` count a person once. They are
    ordinary traffic and then the scenario's events, in guard scenarios alone.
    """

    scenario: str
    seed: int
    policy: str
    hours: float
    people: int
    refused: int
    messages: int
    converted: int
    cost_micro: int
    late_converted: int
    late_cost_micro: int
    shift_s: float | None  # seconds until the watched carrier is left; None: none is watched
    attacks: tuple[AttackResult, ...]
    course: tuple[tuple[float, ...], ...]  # shares by carrier, every COURSE_MIN
    refused_course: tuple[int, ...]  # messages of real people and of attacks, every COURSE_MIN
    cpu_s: float
    crowds: tuple[CrowdResult, ...] = ()

    @property
    def cost_per_conversion(self) -> float:
        """Micro-units."""
        return self.cost_micro / self.converted if self.converted else float("inf")

    @property
    def late_cost_per_conversion(self) -> float:
        return self.late_cost_micro / self.late_converted if self.late_converted else float("inf")

    @property
    def conversion(self) -> float:
        """The share of people who convert."""
        return self.converted / self.people if self.people else 0.0

    @property
    def yielded(self) -> float:
        """Conversions per message."""
        return self.converted / self.messages if self.messages else 0.0

    @property
    def refused_share(self) -> float:
        return self.refused / self.people if self.people else 0.0

    @property
    def distinct_refused_share(self) -> float:
        """Of all people, each counted once, those who were refused at least once."""
        people = sum(crowd.people for crowd in self.crowds)
        return sum(crowd.refused for crowd in self.crowds) / people if people else 0.0


def result_of(world: World, policy: str, counts: RunCounts, cpu_s: float) -> RunResult:
    scenario = world.scenario
    since = int(scenario.measure_from_h * 60)
    late = since + int((world.minutes - since) * (1 - LATE_PART))
    return RunResult(
        scenario.name,
        world.seed,
        policy,
        scenario.hours,
        int(counts.people[since:].sum()),
        int(counts.refused[since:].sum()),
        int(counts.messages[since:].sum()),
        int(counts.converted[since:].sum()),
        int(counts.cost_micro[since:].sum()),
        int(counts.converted[late:].sum()),
        int(counts.cost_micro[late:].sum()),
        _shift_s(world, counts),
        tuple(
            AttackResult(
                attack.kind,
                int(counts.attack_messages[n, since:].sum()),
                int(counts.attack_wanted_micro[n, since:].sum()),
                int(counts.attack_spent_micro[n, since:].sum()),
                int(counts.attack_converted[n, since:].sum()),
                int(counts.attack_wanted_micro[n, int((attack.from_h + 1) * 60) :].sum()),
                int(counts.attack_spent_micro[n, int((attack.from_h + 1) * 60) :].sum()),
            )
            for n, attack in enumerate(scenario.attacks)
        ),
        _course(counts),
        tuple(int(counts.refused_messages[at : at + COURSE_MIN].sum()) for at in range(0, world.minutes, COURSE_MIN)),
        cpu_s,
        () if scenario.goal == "routing" else _crowds(scenario, counts),
    )


def _crowds(scenario: Scenario, counts: RunCounts) -> tuple[CrowdResult, ...]:
    kinds = (ORDINARY, *(event.kind for event in scenario.events))
    return tuple(
        CrowdResult(kind, len(people), len(refused))
        for kind, people, refused in zip(kinds, counts.numbers, counts.refused_numbers, strict=True)
    )


def shift_begins_s(scenario: Scenario) -> float | None:
    """When the watched carrier begins to lose messages, at a whole minute; None when none is watched."""
    for carrier in scenario.carriers:
        if carrier.name == scenario.watched and carrier.changes:
            return math.ceil(min(change.from_h for change in carrier.changes) * 60 - 1e-9) * 60.0
    return None


def _shift_s(world: World, counts: RunCounts) -> float | None:
    """Seconds from the loss until the carrier is left; if it never is, until the end."""
    scenario = world.scenario
    begins_s = shift_begins_s(scenario)
    if begins_s is None:
        return None
    watched = [carrier.name for carrier in scenario.carriers].index(scenario.watched or "")
    window = max(1, SHIFT_WINDOW_S // scenario.tick_s)
    sums = np.cumsum(counts.ticks, axis=0)
    first = int(begins_s // scenario.tick_s) + window - 1
    for tick in range(first, len(sums)):
        recent = sums[tick] - (sums[tick - window] if tick >= window else 0)
        if recent.sum() and recent[watched] < SHIFTED_SHARE * recent.sum():
            return (tick + 1) * scenario.tick_s - begins_s
    return scenario.hours * 3600 - begins_s


def _course(counts: RunCounts) -> tuple[tuple[float, ...], ...]:
    parts = []
    for minute in range(0, len(counts.messages) - 1, COURSE_MIN):
        messages = counts.messages[minute : minute + COURSE_MIN].sum(axis=0)
        parts.append(tuple(round(float(share), 4) for share in messages / max(1, messages.sum())))
    return tuple(parts)
