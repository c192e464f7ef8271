"""The five worlds that were written without knowledge of guard and routing: they are what they claim, and run."""

import msgspec
import numpy as np
import pytest

from homing.lab.hostile import hostile_scenarios
from homing.lab.hostile_figures import HOSTILE, TARGETS, hostile_figures
from homing.lab.outside_worlds import outside_worlds
from homing.lab.scenario import Scenario
from homing.lab.worker_pool import RunTask, work
from homing.lab.world import BLOCK, World
from homing.text.numbers import Numbering

NUMBERING = Numbering.load()
WORLDS = {world.name: world for world in outside_worlds()}
MINUTE_H = 1 / 60


def first_minute(world: Scenario) -> Scenario:
    """The world with everything that begins later begun at once, and a minute long."""
    replace = msgspec.structs.replace
    return replace(
        world,
        hours=MINUTE_H,
        measure_from_h=0.0,
        attacks=tuple(replace(attack, from_h=0.0) for attack in world.attacks),
        events=tuple(replace(event, from_h=0.0, ramp_h=0.0) for event in world.events),
        carriers=tuple(
            replace(carrier, changes=tuple(replace(change, from_h=0.0) for change in carrier.changes))
            for carrier in world.carriers
        ),
    )


def blocks_of(world: World, source: int, spans: range) -> set[int]:
    """The blocks of a thousand numbers of a source's messages in some quarters of an hour."""
    demand = np.concatenate([world.demand(span) for span in spans])
    return {*(demand["number"][demand["source"] == source] // BLOCK).tolist()}


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_runs_for_a_minute_and_has_its_figures(name: str) -> None:
    world = first_minute(WORLDS[name])
    (homing,) = work(RunTask(world, 1, ("homing",)))
    assert homing.people > 100
    assert all(attack.messages for attack in homing.attacks)
    assert all(crowd.people for crowd in homing.crowds)
    others = ("oracle", "round-robin") if world.goal == "routing" else ("range-velocity",)
    runs = {(run.scenario, run.seed, run.policy): run for run in (homing, *work(RunTask(world, 1, others)))}
    figures = hostile_figures([world], runs)
    assert len(figures) == len(TARGETS[name])
    assert all(figure.met is not None for figure in figures)


def test_they_are_run_with_the_hostile_worlds_and_have_bounds() -> None:
    hostile = {world.name: world for world in hostile_scenarios()}
    assert len(WORLDS) == 5
    for name in WORLDS:
        assert HOSTILE in hostile[name].traits
        assert all(target.bound is not None for target in TARGETS[name])


def test_the_insider_pays_out_in_the_blocks_that_converted() -> None:
    world = World(WORLDS["insider"], 1, NUMBERING)
    earning = blocks_of(world, 1, range(1, 10))
    paying_out = blocks_of(world, 5, range(10, 11))
    assert len(earning) == 10
    assert paying_out == earning


def test_the_only_operators_customers_have_numbers_in_the_attacked_blocks() -> None:
    world = World(WORLDS["only-operator"], 1, NUMBERING)
    attacked = blocks_of(world, 1, range(10, 14))
    assert len(attacked) == 100
    assert len(attacked & blocks_of(world, 0, range(4))) > 95


def test_nobody_attacks_on_the_unusual_day() -> None:
    world = WORLDS["unusual-day"]
    assert not world.attacks
    assert all(carrier.changes[0].countries == ("PH",) for carrier in world.carriers)
