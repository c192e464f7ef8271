"""How the keeper stops a server: one that still recovers gets no fast shutdown, which it could wait on for ever."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from homing.store.embedded import keeper_process
from tests.support.waiting import until_blocking

SERVER = """
import os, signal, sys, time
def told(number, _frame):
    open(sys.argv[1], "a").write(signal.Signals(number).name + "\\n")
    os._exit(0)
for number in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, told)
open(sys.argv[1], "a").write("up\\n")
time.sleep(60)
"""


@pytest.mark.parametrize(("status", "signal_name"), [("ready", "SIGINT"), ("starting", "SIGQUIT")])
def test_the_first_signal_is_by_whether_the_server_is_ready(tmp_path: Path, status: str, signal_name: str) -> None:
    said, users, cluster = tmp_path / "said", tmp_path / "users", tmp_path / "cluster"
    cluster.mkdir()
    (cluster / "postmaster.pid").write_text("\n".join(["1", "", "", "", "", "", "", f"{status}   "]))
    with users.open("w") as share, users.open("w") as waited_for, (tmp_path / "keeper").open("w") as keeper:
        fcntl.flock(share, fcntl.LOCK_SH)
        files = waited_for.fileno(), keeper.fileno()
        words = (*files, -1, -1, cluster, tmp_path / "log", sys.executable, "-c", SERVER, said)
        subprocess.run(
            [sys.executable, "-I", "-S", keeper_process.__file__, *map(str, words)],
            check=True,
            pass_fds=files,
            env=dict(os.environ),
        )
        lines_of(said, 1)
        fcntl.flock(share, fcntl.LOCK_UN)
        assert lines_of(said, 2) == ["up", signal_name]


def lines_of(file: Path, lines: int) -> list[str]:
    return until_blocking(
        lambda: file.read_text().splitlines() if file.exists() else [], lambda found: len(found) >= lines
    )
