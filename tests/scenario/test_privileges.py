"""What a real `homing serve` may do on its machine: its database's role, its files, its processes."""

import asyncio
import contextlib
import json
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from homing import config, demo, errors
from homing.dialects.registry import DIALECTS
from homing.privileges import LOW_PORTS_END, ProcessOwner, choose_owner, denial, low_port, settle_run
from homing.store.embedded.location import ClusterOwner, unprivileged_user
from homing.store.embedded.server import EmbeddedPostgres
from tests.support.client import signed
from tests.support.installation import Customer, Installation, eventually, nothing_left
from tests.support.interpreter import copy_python, environment_of, open_to_all
from tests.support.waiting import until


async def as_superuser(data: Path, statement: str) -> None:
    embedded = EmbeddedPostgres(data)
    await asyncio.to_thread(embedded.open)
    try:
        connection = await asyncpg.connect(embedded.superuser_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
    finally:
        await asyncio.to_thread(embedded.close)


async def test_a_role_that_may_do_more_than_needed_is_said(room: Path, worker: str) -> None:
    """The role of a database of an earlier release is its superuser, and so may that of a server of one's own be."""
    installation = Installation(room / f"role-{worker}", workers=1)
    with nothing_left(installation):
        await installation.start()
        assert (await installation.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))[0][0] is False
        assert await installation.stop() == 0
        assert "the database role is a superuser" not in installation.log.read_text()
        await as_superuser(installation.data, "ALTER ROLE homing SUPERUSER")
        await installation.start()
        assert await installation.stop() == 0
    (said,) = [line for line in installation.log.read_text().splitlines() if "the database role is a superuser" in line]
    assert said.startswith("Warning: the database role is a superuser, because the database was created by an earlier")


def open_to_others(data: Path) -> Iterator[str]:
    """What of a data folder its group or everybody may read, write, enter or run."""
    for path in [data, *data.rglob("*")]:
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue  # it runs, and files come and go
        mode = stat.S_IMODE(found.st_mode)
        allowed = 0o711 if path == data and os.geteuid() == 0 else 0o700
        if mode & ~allowed and not stat.S_ISLNK(found.st_mode):
            yield f"{path.relative_to(data)} {mode:04o}"


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
async def test_nothing_in_the_data_folder_is_for_others(room: Path, worker: str, umask: int) -> None:
    """What any umask would leave open, the first of these does; what any would keep shut, the second."""
    installation = Installation(room / f"modes-{umask:o}-{worker}", workers=1, umask=umask)
    with nothing_left(installation):
        await installation.start()
        written = installation.data / "run" / "metrics" / "api-1.prom"
        await until(written.exists)
        assert not list(open_to_others(installation.data))
        if os.geteuid() == 0:
            assert stat.S_IMODE(installation.data.stat().st_mode) == 0o711, "the database's user passes through it"
        assert await installation.stop() == 0
    assert not list(open_to_others(installation.data))


async def test_what_an_earlier_release_left_open_is_closed(room: Path, worker: str) -> None:
    installation = Installation(room / f"left-open-{worker}", workers=1)
    metrics = installation.data / "run" / "metrics"
    metrics.mkdir(parents=True)
    lock = installation.data / "serve.lock"
    for file in (lock, metrics / "api-1.new"):
        file.touch(0o644)
    installation.data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    with nothing_left(installation):
        await installation.start()
        await until((metrics / "api-1.prom").exists)
        assert not list(open_to_others(installation.data))
        assert await installation.stop() == 0


# ---- Processes under root

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about root, who alone can become another user")


@pytest.fixture(scope="module")
def everybodys() -> Iterator[Path]:
    """A folder that everybody may enter, with an interpreter and Homing that everybody can run."""
    folder = Path(tempfile.mkdtemp(prefix="homing-test-everybodys-", dir="/tmp")).resolve()
    copy_python(folder)
    open_to_all(folder)
    yield folder
    shutil.rmtree(folder)


def installed(everybodys: Path, name: str, **settings: str) -> Installation:
    python = everybodys / "bin" / "python"
    return Installation(everybodys / name, workers=1, python=python, more=environment_of(python) | settings)


def status(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: words.split() for name, _, words in (line.partition(":") for line in lines)}


def assert_unprivileged(installation: Installation, uid: int) -> None:
    """Every process but the parent is that user's, with no group but his own and nothing that root may."""
    children = installation.roles()
    assert len(children) == 4
    assert status(installation.pid)["Uid"] == ["0"] * 4
    gid = str(pwd.getpwuid(uid).pw_gid)
    for pid in children:
        found = status(pid)
        assert found["Uid"] == [str(uid)] * 4 != ["0"] * 4
        assert found["Gid"] == [gid] * 4
        assert found["Groups"] == []
        assert int(found["CapEff"][0], 16) == int(found["CapPrm"][0], 16) == 0


async def why_root(installation: Installation) -> list[str]:
    """What stands in its log, after the one warning that all of these have."""

    def said() -> str:
        return installation.log.read_text()

    await until(
        lambda: said().count("Warning: customers can make Homing send requests") == said().count("Homing serves")
    )
    return re.findall("^Warning: the processes run as root: (.*)$", said(), re.MULTILINE)


async def a_message_is_delivered(installation: Installation, order: str) -> None:
    """By both dialects: laaffic's signature and the carriers need the key that lies in root's file."""
    body = {"appId": demo.APP_ID, "numbers": "8613800130001", "content": "Your code is 123456", "orderId": order}
    async with aiohttp.ClientSession() as session:
        url = f"{installation.url}/v3/sendSms"
        async with session.post(url, data=json.dumps(body), headers=signed(Customer())) as response:
            answer = await response.json(content_type=None)
        assert answer["status"] == "0", answer
        message_id = answer["array"][0]["msgId"]

        async def is_delivered() -> bool:
            url = f"{installation.url}/v3/getReport?appId={demo.APP_ID}&msgIds={message_id}"
            async with session.get(url, headers=signed(Customer())) as response:
                report = await response.json(content_type=None)
            assert report["status"] == "0", report
            return [row["status"] for row in report["array"]] == ["0"]

        await until(is_delivered)
        async with session.get(f"http://127.0.0.1:{installation.console_port}/", allow_redirects=True) as page:
            assert page.status == 200
            assert "<html" in await page.text()

        async def all_are_measured() -> bool:
            async with session.get(f"{installation.url}/metrics") as response:
                text = await response.text()
            return {"api-1", "link-1"} <= set(re.findall('process="([^"]+)"', text))

        await until(all_are_measured)
    written = {f"{name}-1.prom" for name in ("api", "link", "smpp", "console")}
    await until(lambda: written <= {path.name for path in (installation.data / "run" / "metrics").iterdir()})


@as_root
async def test_as_root_the_processes_run_as_the_databases_user(everybodys: Path) -> None:
    installation = installed(everybodys, "data")
    with nothing_left(installation):
        await installation.start()
        uid = installation.cluster.stat().st_uid
        assert_unprivileged(installation, uid)
        assert await why_root(installation) == []
        await a_message_is_delivered(installation, "first")
        assert not list(open_to_others(installation.data))
        key = (installation.data / "secret.key").stat()
        assert (key.st_uid, stat.S_IMODE(key.st_mode)) == (0, 0o600)

        (link,) = installation.roles("link")
        await installation.killed(link)
        await until(lambda: len(installation.roles()) == 4)
        assert_unprivileged(installation, uid)

        command = await installation.command("account", "list")
        out, err = await command.communicate()
        assert b"demo" in out, err
        assert await installation.stop() == 0
        await eventually(lambda: not installation.servers(), 30, "PostgreSQL ends")


@as_root
async def test_what_a_start_as_root_left_is_no_obstacle(everybodys: Path) -> None:
    """And the other way round: root writes nowhere that the user has laid out."""
    installation = installed(everybodys, "formerly", HOMING_USER="root")
    run = installation.data / "run"
    with nothing_left(installation):
        await installation.start()
        await until((run / "metrics" / "api-1.prom").exists)
        assert {status(pid)["Uid"][0] for pid in installation.roles()} == {"0"}
        assert await why_root(installation) == ["HOMING_USER says so"]
        await installation.killed(installation.pid, *installation.roles())  # leaves its files behind
        assert (run / "metrics" / "api-1.prom").stat().st_uid == 0
        (marks,) = (run / "written").glob("*.marks")
        marked = marks.read_bytes(), marks.stat().st_ino

        del installation.more["HOMING_USER"]
        await installation.start()
        uid = installation.cluster.stat().st_uid
        assert_unprivileged(installation, uid)
        await a_message_is_delivered(installation, "second")
        assert {path.stat().st_uid for path in [run, *run.rglob("*")]} == {uid}
        assert (marks.read_bytes(), marks.stat().st_ino) == marked, "what may have left is known as before"
        assert await installation.stop() == 0

        victim = everybodys / "victim"
        victim.write_text("root's")
        (run / "metrics" / "api-1.new").unlink(missing_ok=True)
        (run / "metrics" / "api-1.new").symlink_to(victim)
        (run / "written" / "soft.marks").symlink_to(victim)
        (run / "written" / "hard.marks").hardlink_to(victim)
        (run / "written" / "folder.marks").mkdir()
        installation.more["HOMING_USER"] = "root"
        await installation.start()
        await until((run / "metrics" / "api-1.prom").exists)
        assert {path.stat().st_uid for path in [run, *run.rglob("*")]} == {0}
        assert marks.stat().st_ino == marked[1]
        assert not {"soft.marks", "hard.marks", "folder.marks"} & {path.name for path in marks.parent.iterdir()}
        assert (victim.read_text(), victim.stat().st_uid, victim.stat().st_nlink) == ("root's", 0, 1)
        assert await installation.stop() == 0


@as_root
async def test_with_a_database_of_ones_own_the_usual_user_is_tried(everybodys: Path, postgres: str) -> None:
    """That database's socket lets one user in, who may or may not be the usual one: either way it is right."""
    embedded = EmbeddedPostgres(everybodys / "server", durable=False)
    with contextlib.closing(embedded), nothing_left(installed(everybodys, "external")):
        dsn = await asyncio.to_thread(embedded.open)
        usual = unprivileged_user(None)
        assert usual
        installation = installed(everybodys, "external", HOMING_DATABASE_URL=dsn)
        with nothing_left(installation):
            await installation.start()
            assert await why_root(installation) == []
            assert_unprivileged(installation, usual.uid)
            await a_message_is_delivered(installation, "external")
            assert await installation.stop() == 0
            installation.more["HOMING_USER"] = "daemon"  # whom the socket's folder does not let in
            process = await installation.command("serve", "--http", f"127.0.0.1:{installation.port}")
            _, err = await process.communicate()
            assert process.returncode == 1
            assert b"the processes cannot run as daemon: daemon cannot connect to the database: " in err
            assert b"HOMING_USER=root" in err


@as_root
async def test_where_the_user_cannot_enter_the_processes_stay_with_root_and_that_is_said(everybodys: Path) -> None:
    closed = everybodys / "closed"
    closed.mkdir(0o700)
    installation = installed(everybodys, "closed/data")
    with nothing_left(installation):
        await installation.start()
        assert {status(pid)["Uid"][0] for pid in installation.roles()} == {"0"}
        name = pwd.getpwuid(installation.cluster.stat().st_uid).pw_name
        assert await why_root(installation) == [f"{name} cannot enter {closed}"]
        assert not list(open_to_others(installation.data))
        assert await installation.stop() == 0
    left = installation.cluster.parent
    shutil.rmtree(left)
    left.with_name(f"{left.name}.device").unlink(missing_ok=True)


@pytest.fixture
def nobody() -> ClusterOwner:
    found = unprivileged_user("nobody")
    assert found
    return found


@pytest.fixture
def passable() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="homing-test-", dir="/tmp")).resolve()
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@as_root
def test_the_first_thing_that_the_user_cannot_do_is_named(nobody: ClusterOwner, passable: Path) -> None:
    closed, file = passable / "closed", passable / "closed" / "key.pem"
    closed.mkdir(0o755)
    file.touch(0o600)
    (passable / "link").symlink_to(file)
    assert denial(nobody, [(passable, os.X_OK), (closed, os.R_OK)]) == ""
    assert denial(nobody, [(file, os.R_OK)]) == f"nobody cannot read {file}"
    assert denial(nobody, [(passable / "link", os.R_OK)]) == f"nobody cannot read {passable / 'link'}"
    file.chmod(0o644)
    assert denial(nobody, [(passable / "link", os.R_OK)]) == ""
    assert denial(nobody, [(file, os.X_OK)]) == f"nobody cannot run {file}"
    closed.chmod(0o700)
    assert denial(nobody, [(file, os.R_OK)]) == f"nobody cannot enter {closed}"
    assert denial(nobody, [(passable / "link", os.R_OK)]) == f"nobody cannot enter {closed}"


@as_root
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"HOMING_SMPP_ADDRESS": "127.0.0.1:775"}, "only root may serve port 775"),
        (
            {"HOMING_SMPP_TLS_CERTIFICATE": "{data}/a.pem", "HOMING_SMPP_TLS_KEY": "{data}/b.pem"},
            "cannot read {data}/b.pem",
        ),
        ({}, "cannot read {data}/homing.toml"),
    ],
    ids=["port", "key", "settings"],
)
def test_what_stands_against_it_is_said(
    nobody: ClusterOwner, passable: Path, settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, mode in {"a.pem": 0o644, "b.pem": 0o600, **({} if settings else {"homing.toml": 0o600})}.items():
        (passable / name).touch()
        (passable / name).chmod(mode)
    if "775" in said and LOW_PORTS_END.exists() and int(LOW_PORTS_END.read_text()) <= 775:
        pytest.skip("here anybody may serve low ports")
    chosen = config.load(passable, DIALECTS, {name: value.format(data=passable) for name, value in settings.items()})
    found = choose_owner(chosen, passable, "", "", nobody)
    assert found.owner is None
    assert found.reason.endswith(said.format(data=passable))
    monkeypatch.setenv("HOMING_USER", "nobody")
    with pytest.raises(errors.InvalidInput, match=r"cannot run as nobody: .*; with HOMING_USER=root"):
        choose_owner(chosen, passable, "", "", nobody)
    monkeypatch.setenv("HOMING_USER", "root")
    assert choose_owner(chosen, passable, "", "", nobody) == ProcessOwner(None, "HOMING_USER says so")
    monkeypatch.setenv("HOMING_USER", "nobody-of-that-name")
    with pytest.raises(errors.InvalidInput, match="there is no other user nobody-of-that-name"):
        choose_owner(chosen, passable, "", "", nobody)


@as_root
def test_a_user_who_is_not_the_databases_is_refused(
    passable: Path, nobody: ClusterOwner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMING_USER", "daemon")
    with pytest.raises(errors.InvalidInput, match="the embedded database belongs to nobody"):
        choose_owner(config.load(passable, DIALECTS, {}), passable, "", "", nobody)


def test_whoever_is_not_root_stays_who_he_is(passable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 1)
    monkeypatch.setenv("HOMING_USER", "nobody")
    assert choose_owner(config.load(passable, DIALECTS, {}), passable, "", "", None) == ProcessOwner()


def test_only_low_ports_need_root(tmp_path: Path) -> None:
    assert low_port(config.load(tmp_path, DIALECTS, {})) is None
    assert low_port(config.load(tmp_path, DIALECTS, {"HOMING_CONSOLE_ADDRESS": "[::]:1"})) == 1
    assert low_port(config.load(tmp_path, DIALECTS, {"HOMING_CONSOLE_ADDRESS": "", "HOMING_SMPP_ADDRESS": ""})) is None


@as_root
def test_a_link_in_the_place_of_run_is_not_followed(passable: Path, nobody: ClusterOwner) -> None:
    elsewhere = passable / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (passable / "run").symlink_to(elsewhere)
    settle_run(passable, nobody)
    assert (passable / "run").lstat().st_uid == nobody.uid
    assert stat.S_ISDIR((passable / "run").lstat().st_mode)
    assert elsewhere.stat().st_uid == 0
    assert (elsewhere / "kept").exists()
