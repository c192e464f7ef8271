"""Runs on all cores: tasks of scenario, seed and policies, in processes that keep nothing between them."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

import msgspec

from homing.lab.policies import make
from homing.lab.result import Result, result_of
from homing.lab.run import run
from homing.lab.scenario import Scenario
from homing.lab.world import World
from homing.text.numbers import Numbering


class Task(msgspec.Struct, frozen=True):
    """One or more policies in turn: quick ones share a task, since a process must load what it needs for each."""

    scenario: Scenario
    seed: int
    policies: tuple[str, ...]


def work(task: Task) -> list[Result]:
    """The runs of a task, in this process. Raises `OperatorError` for a policy or a prefix that does not fit."""
    numbering = Numbering.load()
    found = []
    for name in task.policies:
        began = time.process_time()
        world = World(task.scenario, task.seed, numbering)
        policy = make(name, world)
        tally = run(world, policy.router, policy.door, policy.with_blocks)
        found.append(result_of(world, name, tally, time.process_time() - began))
    return found


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gather(
    tasks: Sequence[Task], workers: int, watch: Callable[[int], None], may_begin: Callable[[Task], bool]
) -> Iterator[list[Result]]:
    """Results of tasks as they come. A task that `may_begin` does not allow when its turn comes is left out."""
    todo = iter(tasks)
    running: set[Future[list[Result]]] = set()
    done = 0
    context = multiprocessing.get_context("spawn")  # nothing of this process's threads and files is taken along
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        while True:
            while len(running) < workers and (task := next(todo, None)) is not None:
                if may_begin(task):
                    running.add(pool.submit(work, task))
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                done += 1
                watch(done)
                yield future.result()
