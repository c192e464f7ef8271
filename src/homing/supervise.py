"""`homing serve` as a parent: one process per role, started in order, restarted when one dies, stopped in reverse."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from homing import errors, limits
from homing.roles import READY
from homing.store.embedded.location import ClusterOwner

PROCESS_START_TIMEOUT_S: Final = 60.0
PROCESS_RESTART_PAUSE_S_MAX: Final = 30.0
log = structlog.get_logger()


class ChildProcess:
    """A process of a role. It ends by itself when its parent dies: its stdin is a pipe from the parent."""

    def __init__(
        self,
        *,
        role: str,
        number: int,
        environment: Mapping[str, str],
        descriptors: Sequence[int],
        owner: ClusterOwner | None = None,
    ) -> None:
        """`descriptors`: open files that it inherits. `owner`: the user that it runs as, with that user's group alone;
        None: ours.
        """
        self.role = role
        self._descriptors = tuple(descriptors)
        self._owner = owner
        self.name = f"{role}-{number}"
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it is ready. Raises `InvalidInput` when it is not ready in time or ends before, OSError when
        no process can be started.
        """
        owner = self._owner
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "homing.app",
            self.role,
            self.name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment,
            pass_fds=self._descriptors,
            start_new_session=True,  # Ctrl-C in a terminal is for the parent, which stops the children in order
            umask=0o077,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PROCESS_START_TIMEOUT_S):
                line = (await self._process.stdout.readline()).decode().strip()
        except TimeoutError:
            line = "silence"
        if line != READY:
            await self.stop()
            raise errors.InvalidInput(f"process {self.name} did not start; see its output above")

    async def ended(self) -> int:
        """Waits for its end; gives the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> int:
        """Sends SIGTERM, so that it drains, and SIGKILL when it does not. 0 when it drained, or had nothing to drain:
        it had ended already, or was not ready yet.
        """
        if self._process is None or self._process.returncode is not None:
            return 0
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(2 * limits.DRAIN_TIMEOUT_S + 5):
                code = await self._process.wait()
                return 0 if code == -signal.SIGTERM else code
        except TimeoutError:
            log.error("process_killed", process=self.name)
            self._signal(signal.SIGKILL)
            return await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """Not by asyncio, which reaps a process that has just ended, so that its exit code is lost."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


class Supervisor:
    """Runs the processes of an installation until `stop`."""

    def __init__(
        self,
        *,
        workers: Mapping[str, int],
        data: Path,
        dsn: str,
        descriptors: Sequence[int] = (),
        database_answers: Callable[[], Awaitable[bool]],
        owner: ClusterOwner | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`workers`: the number of processes of each role, in starting order. `descriptors`: files that each inherits,
        such as the share of the embedded PostgreSQL, which then runs until they have drained. `database_answers`:
        awaited before a process is restarted, since none starts without a database. `owner`: the user that they run as,
        None: ours. `environment`: variables added to ours.
        """
        self._database_answers = database_answers
        variables = {**os.environ, **(environment or {}), "HOMING_DATA": str(data), "HOMING_DATABASE_URL": dsn}
        self._children = [
            ChildProcess(role=role, number=number, environment=variables, descriptors=descriptors, owner=owner)
            for role, count in workers.items()
            for number in range(1, count + 1)
        ]
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Raises `InvalidInput` when a child does not start; those that did are stopped."""
        try:
            for child in self._children:
                await child.start()
        except BaseException:
            await self._stop(self._children)
            raise
        self._watchers = [asyncio.get_running_loop().create_task(self._watch(child)) for child in self._children]

    async def stop(self) -> int:
        """Stops the children, last started first; 0 when all drained in time."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        return await self._stop(list(reversed(self._children)))

    @staticmethod
    async def _stop(children: Sequence[ChildProcess]) -> int:
        codes = [await child.stop() for child in children]
        return 1 if any(codes) else 0

    async def _watch(self, child: ChildProcess) -> None:
        while True:
            code = await child.ended()
            log.error("process_ended", name=child.name, code=code)
            await self.restart(child)

    async def restart(self, child: ChildProcess) -> None:
        """Tries with growing pauses until it runs. While the database is unavailable it is not tried, and then at once:
        a pause that grew in an outage must not outlast it.
        """
        pause_s = limits.PROCESS_RESTART_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            while not await self._database_answers():
                pause_s = limits.PROCESS_RESTART_PAUSE_S
                await asyncio.sleep(limits.DATABASE_WATCH_S)
            try:
                await child.start()
                return
            except Exception as error:  # also RuntimeError, when no thread can be started to wait for its end
                pause_s = min(pause_s * 2, PROCESS_RESTART_PAUSE_S_MAX)
                log.error("process_not_restarted", name=child.name, detail=str(error), again_in_s=pause_s)
