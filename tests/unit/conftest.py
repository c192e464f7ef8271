"""A unit test is pure: it starts no process and opens no connection. What tries fails where it tries."""

import sys
from collections.abc import Iterator

import pytest

PROCESSES = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
CONNECTIONS = ("socket.bind", "socket.connect", "socket.sendto")


class Purity:
    """An audit hook: Python can add one to a process, but never take it away again."""

    def __init__(self) -> None:
        self.is_demanded = False

    def __call__(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self.is_demanded and event in PROCESSES + CONNECTIONS:
            raise AssertionError(f"{event} in a unit test: what needs it belongs in tests/scenario or tests/wire")


@pytest.fixture(scope="session")
def purity() -> Purity:
    hook = Purity()
    sys.addaudithook(hook)
    return hook


@pytest.fixture(autouse=True)
def pure(purity: Purity) -> Iterator[None]:
    """For each test in this folder."""
    purity.is_demanded = True
    yield
    purity.is_demanded = False
