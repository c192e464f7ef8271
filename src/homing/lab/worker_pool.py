"""Runs on all cores: tasks of scenario, seed and policies, in processes that keep nothing between them."""

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Final

import msgspec

from homing import errors
from homing.lab.policies import make, paced
from homing.lab.result import RunResult, result_of
from homing.lab.run import run
from homing.lab.scenario import Scenario
from homing.lab.world import World
from homing.text.numbers import Numbering

DEATHS_MAX: Final = 3


class RunTask(msgspec.Struct, frozen=True):
    """One or more policies in turn: quick ones share a task, since a process must load what it needs for each."""

    scenario: Scenario
    seed: int
    policies: tuple[str, ...]


def work(task: RunTask) -> list[RunResult]:
    """The runs of a task, in this process. Raises `InvalidInput` for a policy or a prefix that does not fit."""
    numbering = Numbering.load()
    found = []
    for name in task.policies:
        began = time.process_time()
        world = World(paced(task.scenario, name), task.seed, numbering)
        policy = make(name, world)
        tally = run(world, policy.router, policy.door, policy.with_blocks)
        found.append(result_of(world, name, tally, time.process_time() - began))
    return found


def _live_no_longer_than(parent: int) -> None:
    """Ends this process soon after the one that it works for, which may be killed in the middle of a run of minutes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gather(
    tasks: Sequence[RunTask], workers: int, watch: Callable[[int], None], may_begin: Callable[[RunTask], bool]
) -> Iterator[list[RunResult]]:
    """Results of tasks as they come. A task that `may_begin` does not allow when its turn comes is left out; one whose
    process died is run again. Raises `InvalidInput` when processes keep dying.
    """
    todo = deque(tasks)
    running: dict[Future[list[RunResult]], RunTask] = {}
    done = deaths = 0
    context = multiprocessing.get_context("spawn")  # nothing of this process's threads and files is taken along
    while todo:
        with ProcessPoolExecutor(workers, context, _live_no_longer_than, (os.getpid(),)) as pool:
            try:
                while todo or running:
                    while todo and len(running) < workers:
                        task = todo.popleft()
                        if may_begin(task):
                            running[pool.submit(work, task)] = task
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        found = future.result()
                        del running[future]
                        done += 1
                        watch(done)
                        yield found
            except BrokenProcessPool:
                deaths += 1
                if deaths > DEATHS_MAX:
                    raise errors.InvalidInput("processes are killed again and again: out of memory?") from None
                todo.extendleft(running.values())
                running.clear()
