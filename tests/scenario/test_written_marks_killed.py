"""Marks of what may have left, read after the process that made them was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homing.dispatch.written_marks import WRITTEN_KEPT_S, EndedClaim, WrittenMarks

HERE = f"here:{os.getpid()}:link-1"
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
LATER = STARTED + timedelta(seconds=10)
KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from homing.dispatch.written_marks import WrittenMarks

clock = lambda: datetime(2026, 1, 1, tzinfo=UTC)
marks = WrittenMarks(folder=Path(sys.argv[1]), owner=f"here:{os.getpid()}:link-2", clock=clock)
marks.open()
marks.mark([(message_id, 1) for message_id in range(1, 6001)])
for message_id in range(1, 6001, 2):
    marks.erase(message_id, 1)
marks.mark([(7, 1)])
print("marked", flush=True)
sys.stdin.read()
"""


def opened(folder: Path, owner: str = HERE, **more: Path) -> WrittenMarks:
    marks = WrittenMarks(folder=folder, owner=owner, clock=lambda: STARTED, **more)
    marks.open()
    return marks


def left(marks: WrittenMarks, owner: str, message_ids: Sequence[int], at: datetime = LATER) -> list[bool]:
    return [marks.may_have_left(EndedClaim(message_id, owner, at)) for message_id in message_ids]


def killed(folder: Path) -> str:
    """The owner that a process had which was killed with marks 2, 4, 6, 7, 8 ... 6000."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "marked\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return f"here:{process.pid}:link-2"


def test_what_a_killed_process_had_not_marked_has_certainly_not_left(tmp_path: Path) -> None:
    owner = killed(tmp_path)
    marks = opened(tmp_path)
    assert left(marks, owner, [1, 2, 5, 6, 7, 8, 5999, 6000, 6001]) == [
        *(False, True, False, True, True, True),
        *(False, True, False),
    ]


def test_without_a_file_or_after_the_machine_has_started_anew_anything_may_have_left(tmp_path: Path) -> None:
    owner = killed(tmp_path)
    boot = tmp_path / "boot_id"
    boot.write_text("another start\n")
    assert left(opened(tmp_path, boot_id=boot), owner, [1, 2]) == [True, True]
    assert left(opened(tmp_path, boot_id=tmp_path / "none"), owner, [1, 2]) == [True, True]
    for file in tmp_path.glob("*.marks"):
        file.unlink()
    assert left(opened(tmp_path), owner, [1, 2]) == [True, True]


def test_marks_of_the_long_dead_are_forgotten(tmp_path: Path) -> None:
    owner = killed(tmp_path)
    (file,) = tmp_path.glob("*link-2.marks")
    long_ago = file.stat().st_mtime - WRITTEN_KEPT_S - 1
    os.utime(file, (long_ago, long_ago))
    assert left(opened(tmp_path), owner, [1]) == [True]
    assert not file.exists()
