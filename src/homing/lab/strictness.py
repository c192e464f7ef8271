"""What strictness costs and saves in a guard scenario: people refused and money stopped, for each guard and room."""

from collections.abc import Sequence

import msgspec

from homing.lab.figures import Runs
from homing.lab.means import mean_of
from homing.lab.policies import CURVE, GUARDS, HOMING
from homing.lab.scenario import Scenario

ROOM_MARK = "@"


class StrictnessPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A guard at one strictness: means over its seeds. `room`: what its limits are multiplied by. `stopped`: of the
    attacks' money; None without attacks. `passed_micro`: what attacks cost the customer all the same. `refused`: the
    share of people, and `refused_people` their number.
    """

    scenario: str
    guard: str
    room: float
    seeds: int
    stopped: float | None
    passed_micro: float
    refused: float
    refused_people: float


class SameRefusals(msgspec.Struct, frozen=True, kw_only=True):
    """The baseline that stops most while it refuses no more people than Homing does; `guard` "": each refuses more."""

    scenario: str
    guard: str
    stopped: float
    homing_stopped: float
    refused_max: float


def strictness_points(scenario: Scenario, runs: Runs) -> list[StrictnessPoint]:
    """Of the guards that were run, each at its rooms, in order of room."""
    points = []
    for policy in (HOMING, *GUARDS, *CURVE):
        results = [run for (name, _seed, by), run in runs.items() if (name, by) == (scenario.name, policy)]
        if not results or scenario.goal != "guard":
            continue
        guard, _mark, room = policy.partition(ROOM_MARK)
        wanted = [sum(attack.wanted_micro for attack in result.attacks) for result in results]
        spent = [sum(attack.spent_micro for attack in result.attacks) for result in results]
        stopped = mean_of([1 - passed / whole for passed, whole in zip(spent, wanted, strict=True) if whole])
        count = len(results)
        points.append(
            StrictnessPoint(
                scenario=scenario.name,
                guard=guard,
                room=float(room or 1),
                seeds=count,
                stopped=None if stopped is None else stopped.mean,
                passed_micro=sum(spent) / count,
                refused=sum(result.refused_share for result in results) / count,
                refused_people=sum(result.refused for result in results) / count,
            )
        )
    return sorted(points, key=lambda point: (point.guard != HOMING, point.guard, point.room))


def at_same_refusals(points: Sequence[StrictnessPoint]) -> SameRefusals | None:
    """Of one scenario. None without an attack or without Homing's run."""
    own = next((point for point in points if (point.guard, point.room) == (HOMING, 1.0)), None)
    if own is None or own.stopped is None:
        return None
    rivals = [point for point in points if point.guard != HOMING and point.refused <= own.refused]
    best = max(rivals, key=lambda point: point.stopped or 0.0, default=None)
    return SameRefusals(
        scenario=own.scenario,
        guard="" if best is None else f"{best.guard}{ROOM_MARK}{best.room:g}",
        stopped=0.0 if best is None else best.stopped or 0.0,
        homing_stopped=own.stopped,
        refused_max=own.refused,
    )
