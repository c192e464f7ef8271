"""What ends under a running Homing comes back by itself, and a full disk ends nothing that can still answer."""

import asyncio
import errno
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from homing import config, errors, limits
from homing.app.runtime import Runtime
from homing.dialects.registry import DIALECTS
from homing.store.alarms import DATABASE, RESTARTED, read_alarms
from homing.store.embedded.errors import EmbeddedError
from homing.store.embedded.revival import keep_running
from homing.store.embedded.server import EmbeddedPostgres
from homing.store.migrate import migrate
from homing.supervise import ChildProcess, Supervisor
from tests.support.installation import Installation, Traffic, eventually, is_gone, nothing_left
from tests.support.server import migrated_database
from tests.support.waiting import in_time, until

BACK_S = 30.0
DISK_BYTES = 400 * 2**20


@pytest.fixture(scope="module")
async def installation(room: Path, worker: str) -> AsyncIterator[Installation]:
    made = Installation(room / f"survival-{worker}", workers=1)
    with nothing_left(made):
        await made.start()
        await made.enrich("")
        yield made
        if made.is_running:
            assert await made.stop() == 0


async def accepted_again(installation: Installation, name: str) -> None:
    async with Traffic(installation.url, name, pause_s=0.01) as traffic:
        await traffic.until(20)


@pytest.mark.parametrize("keeper", [False, True], ids=["postmaster", "postmaster and keeper"])
async def test_a_postgresql_that_is_killed_is_started_again(installation: Installation, keeper: bool) -> None:
    children = installation.roles()
    async with Traffic(installation.url, f"pg-{keeper}", pause_s=0.005) as traffic:
        await traffic.until(50)
        await installation.killed(installation.postmaster(), *(installation.servers() if keeper else ()))

        async def is_healthy() -> bool:
            return await installation.health() == 200

        await until(is_healthy, within_s=BACK_S)
        await traffic.until(50)
    assert installation.roles() == children, "no process ended for it"
    async with installation.looked_into() as database, database.connection() as connection:
        stored = {
            row["reference"]
            for row in await connection.raw.fetch(
                "SELECT reference FROM message WHERE reference LIKE $1", f"pg-{keeper}-%"
            )
        }
        assert set(traffic.accepted) <= stored, "nothing that was acknowledged is lost"
        assert (DATABASE, RESTARTED) in [(one.component, one.code) for one in await read_alarms(database)]


async def test_the_processes_of_a_killed_serve_keep_their_database_while_they_drain(
    installation: Installation,
) -> None:
    """Their answers and receipts are stored: PostgreSQL goes after them, not under them."""
    children, before = installation.roles(), len(installation.log.read_text())
    async with Traffic(installation.url, "orphans", pause_s=0.002) as traffic:
        await traffic.until(100)
        await installation.killed(installation.pid)
        await eventually(lambda: all(map(is_gone, children)), 2 * limits.DRAIN_TIMEOUT_S, "the orphans end")
    said = installation.log.read_text()[before:]
    assert "draining" in said
    assert "database_unavailable" not in said
    await eventually(lambda: not installation.servers(), 30, "PostgreSQL ends after the last of them")
    await installation.start()
    await accepted_again(installation, "after-orphans")


# ---- A full disk


@pytest.fixture
async def small_disk(tmp_path: Path) -> AsyncIterator[Path]:
    """A file system of its own, which can be filled without harm."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0711", "tmpfs", str(folder)]
    if (mounted := subprocess.run(size, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    for parent in folder.parents:
        if parent != Path("/") and str(parent).startswith(str(tmp_path.parents[1])):
            parent.chmod(parent.stat().st_mode | 0o011)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """The rest of the disk, to the last block."""
    ballast = folder / "ballast"
    ballast.touch()
    while fill_again(ballast):
        pass
    return ballast


async def test_a_full_disk_ends_no_process_and_all_resumes_when_there_is_room(small_disk: Path) -> None:
    installation = Installation(small_disk / "data", workers=1)
    with nothing_left(installation):
        await installation.start()
        await installation.enrich("")
        children = installation.roles()
        async with Traffic(installation.url, "full", pause_s=0.005) as traffic:
            await traffic.until(50)
            ballast = fill(small_disk)

            async def full_disk() -> object:
                async with aiohttp.request("GET", f"{installation.url}/healthz") as answer:
                    return (await answer.json()).get("disk")

            await until(full_disk)
            accepted = len(traffic.accepted)
            for _look in range(4):
                await asyncio.sleep(1.0)
                fill_again(ballast)
            assert installation.roles() == children, "no process ended for want of room"
            async with aiohttp.request("GET", f"{installation.url}/metrics") as answer:
                assert answer.status == 200
            ballast.unlink()
            await traffic.until(50)
        assert len(traffic.accepted) > accepted
        assert installation.roles() == children
        async with installation.looked_into() as database, database.connection() as connection:
            rows = await connection.raw.fetch("SELECT reference FROM message WHERE reference LIKE 'full-%'")
            assert set(traffic.accepted) <= {row["reference"] for row in rows}
        assert (await installation.proof()).holds
        assert await installation.stop() == 0


def fill_again(ballast: Path) -> bool:
    """A block more; also what PostgreSQL has given back meanwhile. False when there is none."""
    try:
        with ballast.open("ab", buffering=0) as file:
            file.write(bytes(65536))
    except OSError:
        return False
    return True


# ---- Background loops


async def test_a_background_loop_that_fails_is_started_again_and_stands_as_an_alarm_until_it_holds(
    postgres: str, worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homing.store.loops.LOOP_RESTART_PAUSE_S", 0.05)
    monkeypatch.setattr("homing.store.loops.LOOP_STEADY_S", 0.3)
    dsn = await migrated_database(postgres, f"loops_{worker}")
    await migrate(dsn)
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        await asyncio.Event().wait()

    async with runtime_of(tmp_path, dsn) as runtime:

        async def alarms() -> list[tuple[str, int]]:
            return [(alarm.code, alarm.times) for alarm in await read_alarms(runtime.database)]

        runtime.background("sweeper", work)
        await until(alarms, lambda found: found == [("sweeper_failed", 3)])
        await until(alarms, lambda found: not found)
        assert runs == 4


def runtime_of(data: Path, dsn: str) -> Runtime:
    return Runtime(data=data, settings=config.load(data, DIALECTS, {}), dsn=dsn, process="api-1", dialects=DIALECTS)


# ---- Parts that do not open or close


class Part:
    """Notes what is done with it; `error` is raised by `open`."""

    def __init__(self, name: str, steps: list[str], error: Exception | None = None) -> None:
        self.name = name
        self.steps = steps
        self.error = error

    async def open(self) -> None:
        if self.error:
            raise self.error
        self.steps.append(f"{self.name} opened")

    async def close(self) -> None:
        self.steps.append(f"{self.name} closed")


async def test_a_part_that_does_not_open_has_the_earlier_ones_closed_in_reverse(
    tmp_path: Path, postgres: str, worker: str
) -> None:
    dsn = await migrated_database(postgres, f"unwinding_{worker}")
    await migrate(dsn)
    steps: list[str] = []
    runtime = runtime_of(tmp_path, dsn)

    async def open_three() -> None:
        async with runtime:
            await runtime.enter(Part("first", steps))
            await runtime.enter(Part("second", steps))
            await runtime.enter(Part("third", steps, OSError("the address is taken")))

    with pytest.raises(OSError, match="taken"):
        await open_three()
    assert steps == ["first opened", "second opened", "second closed", "first closed"]
    with pytest.raises(errors.PlatformFailure):  # the pool is closed as well
        async with runtime.database.connection():
            raise AssertionError("the pool is open")


async def test_a_part_that_does_not_close_in_time_is_named_and_the_others_are_closed(
    tmp_path: Path, postgres: str, worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DRAIN_TIMEOUT_S", 0.2)
    dsn = await migrated_database(postgres, f"hanging_{worker}")
    await migrate(dsn)
    steps: list[str] = []

    async def hang() -> None:
        await asyncio.Event().wait()

    async with runtime_of(tmp_path, dsn) as runtime:
        await runtime.enter(Part("first", steps))
        runtime.on_close(hang)
    assert steps == ["first opened", "first closed"]
    assert len(runtime.undrained) == 1
    assert "hang" in runtime.undrained[0]


# ---- No room for another process


class Restarted(ChildProcess):
    """A child whose first starts the machine has no room for."""

    def __init__(self, refusals: Iterator[Exception]) -> None:
        super().__init__(role="api", number=1, environment={}, descriptors=())
        self.refusals = refusals
        self.starts = 0

    async def start(self) -> None:
        self.starts += 1
        if (error := next(self.refusals, None)) is not None:
            raise error


NO_ROOM = [
    *(OSError(code, os.strerror(code)) for code in (errno.EMFILE, errno.EAGAIN, errno.ENOMEM)),
    RuntimeError("can't start new thread"),  # of whoever waits for the process's end
]


@pytest.mark.parametrize("refusal", NO_ROOM, ids=str)
async def test_a_process_that_the_machine_has_no_room_for_is_tried_again(
    refusal: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROCESS_RESTART_PAUSE_S", 0.01)
    looks = iter([False, False, True, True, True])

    async def answers() -> bool:
        return next(looks)

    child = Restarted(iter([refusal, refusal]))
    supervisor = Supervisor(workers={}, data=tmp_path, dsn="", database_answers=answers)
    async with in_time():
        await supervisor.restart(child)
    assert child.starts == 3
    assert next(looks, None) is None, "while there was no database it was not tried"


@pytest.mark.parametrize("refusal", [NO_ROOM[-1], EmbeddedError("its disk is full")], ids=str)
async def test_a_postgresql_that_the_machine_has_no_room_for_is_tried_again(
    refusal: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DATABASE_WATCH_S", 0.01)
    embedded, told = EmbeddedPostgres(tmp_path), asyncio.Event()
    outcomes = iter([refusal, refusal])

    def revive() -> bool:
        for failure in outcomes:
            raise failure
        return True

    async def revived() -> None:
        told.set()

    monkeypatch.setattr(embedded, "revive", revive)
    keeping = asyncio.get_running_loop().create_task(keep_running(embedded, revived))
    try:
        async with in_time():
            await told.wait()
    finally:
        keeping.cancel()
