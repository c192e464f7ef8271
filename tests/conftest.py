"""Fixtures: one throw-away PostgreSQL for all of a run's workers, a database and a server for each of them.

The controller of a run makes a room (a folder) before its workers start and removes it when they have ended. What is
in the room is made on first use, so a run of pure tests starts nothing.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from homing.store.embedded.server import EmbeddedPostgres
from tests.support import server as serving
from tests.support.sink import Sink

pytest_plugins = ["tests.support.quarantine"]

# How long an example takes says how busy the machine is: what must be fast is measured by tests of speed.
settings.register_profile("homing", deadline=None)
settings.load_profile("homing")

ROOM = "HOMING_TEST_ROOM"

LONGEST = (
    "browser/test_console_looks.py",
    "scenario/test_privileges.py",
    "scenario/test_docs_commands.py",
    "scenario/test_embedded.py",
    "simulation/test_lab_policies.py",
    "simulation/test_guard_model.py",
    "scenario/test_lab.py",
    "scenario/test_restart.py",
    "scenario/test_console_accounts.py",
    "wire/test_hostile.py",
    "scenario/test_cli.py",
    "property/test_statistics_machine.py",
    "scenario/test_survival.py",
    "scenario/test_clock_steps.py",
    "scenario/test_smpp_carrier_whole.py",
    "scenario/test_console_guard.py",
    "scenario/test_carriers_http.py",
    "property/test_ledger_machine.py",
    "wire/test_smpp_carrier.py",
    "scenario/test_pushes_starved.py",
    "scenario/test_bad_conversions.py",
    "scenario/test_database_away.py",
)
"""Files that take longest, the longest first: a run that begins with them does not end with one process at work."""


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        room = Path(tempfile.mkdtemp(prefix="homing-tests-"))
        room.chmod(0o711)  # root's PostgreSQL runs as an unprivileged user, who has to pass through
        os.environ[ROOM] = str(room)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and ROOM in os.environ:
        shutil.rmtree(os.environ.pop(ROOM), ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of LONGEST first, then the others of each folder."""
    folder = Path(__file__).parent
    places = {folder / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def room() -> Path:
    """A folder that all workers of this run share."""
    return Path(os.environ[ROOM])


@pytest.fixture(scope="session")
def worker() -> str:
    """This worker's name: `gw0`, or `main` without xdist."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def postgres(room: Path) -> Iterator[str]:
    """The DSN of the run's PostgreSQL, as Homing's own role. Make databases on it; leave its own alone."""
    # The setting that ships is for one installation; here each worker runs several on the one server.
    embedded = EmbeddedPostgres(room / "postgres", durable=False, settings={"max_connections": "400"})
    with embedded as dsn:
        asyncio.run(serving.let_make_databases(embedded.superuser_dsn))
        yield dsn


@pytest.fixture(scope="session")
async def server(postgres: str, room: Path, worker: str) -> AsyncIterator[serving.Server]:
    """This worker's running Homing. What it logged is held against the rules of logging when it has stopped."""
    data = room / worker
    data.mkdir()
    dsn = await serving.migrated_database(postgres, f"homing_{worker}")
    async with serving.running(dsn, data) as running:
        yield running
    logs = running.logs
    assert "Traceback" not in logs
    assert "api_password" not in logs, "a query string or a body was logged"
    assert not [secret for secret in running.secrets if secret in logs], "a secret was logged"
    running.log_lines()


@pytest.fixture(scope="session")
async def console(server: serving.Server) -> str:
    """The address of the worker's console, as a URL."""
    await server.start("console", "console-1")
    return f"http://{server.environment['HOMING_CONSOLE_ADDRESS']}"


@pytest.fixture(scope="session")
async def sink() -> AsyncIterator[Sink]:
    """A customer's machine that takes pushes."""
    async with Sink() as taking:
        yield taking
