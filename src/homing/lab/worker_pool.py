"""Runs tasks on all cores, in stateless worker processes."""

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
    """One or more policies of a scenario and seed, run in turn: short runs share the cost of loading."""

    scenario: Scenario
    seed: int
    policies: tuple[str, ...]


def work(task: RunTask) -> list[RunResult]:
    """Runs a task in this process. Raises `InvalidInput` for an unknown policy or a prefix of another country."""
    numbering = Numbering.load()
    results = []
    for name in task.policies:
        began = time.process_time()
        world = World(paced(task.scenario, name), task.seed, numbering)
        policy = make(name, world)
        counts = run(world, policy.router, policy.acceptance, policy.with_blocks)
        results.append(result_of(world, name, counts, time.process_time() - began))
    return results


def _end_with_parent(parent: int) -> None:
    """Ends this process soon after its parent, which may be killed during a run of minutes."""

    def progress() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=progress, daemon=True).start()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gather(
    tasks: Sequence[RunTask], workers: int, progress: Callable[[int], None], may_begin: Callable[[RunTask], bool]
) -> Iterator[list[RunResult]]:
    """Results of tasks as they are finished. A task is left out if `may_begin` is False when its turn comes, and run
    again if its process died. Raises `InvalidInput` when processes keep dying.
    """
    pending = deque(tasks)
    running: dict[Future[list[RunResult]], RunTask] = {}
    done = deaths = 0
    context = multiprocessing.get_context("spawn")  # nothing of this process's threads and files is taken along
    while pending:
        with ProcessPoolExecutor(workers, context, _end_with_parent, (os.getpid(),)) as pool:
            try:
                while pending or running:
                    while pending and len(running) < workers:
                        task = pending.popleft()
                        if may_begin(task):
                            running[pool.submit(work, task)] = task
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        results = future.result()
                        del running[future]
                        done += 1
                        progress(done)
                        yield results
            except BrokenProcessPool:
                deaths += 1
                if deaths > DEATHS_MAX:
                    raise errors.InvalidInput("processes are killed again and again: out of memory?") from None
                pending.extendleft(running.values())
                running.clear()
