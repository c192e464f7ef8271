"""Marks of what may have left are never taken for proof when they may lack something."""

import errno
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homing.dispatch.written_marks import WRITTEN_SLOTS, EndedClaim, WrittenMarks

HERE = f"here:{os.getpid()}:link-1"
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
LATER = STARTED + timedelta(seconds=10)


def opened(folder: Path, owner: str = HERE, **more: Path) -> WrittenMarks:
    marks = WrittenMarks(folder=folder, owner=owner, clock=lambda: STARTED, **more)
    marks.open()
    return marks


def left(marks: WrittenMarks, owner: str, message_ids: Sequence[int], at: datetime = LATER) -> list[bool]:
    return [marks.may_have_left(EndedClaim(message_id, owner, at)) for message_id in message_ids]


def test_what_lives_or_runs_elsewhere_may_have_left(tmp_path: Path) -> None:
    marks = opened(tmp_path)
    assert left(marks, f"here:{os.getppid()}:link-1", [1]) == [True]
    assert left(marks, "elsewhere:1:link-1", [1]) == [True]


def test_its_own_claim_that_it_never_heard_of_has_not_left(tmp_path: Path) -> None:
    marks = opened(tmp_path)
    marks.mark([(5, 1)])
    assert left(marks, HERE, [5, 6]) == [True, False]
    marks.erase(5, 1)
    assert left(marks, HERE, [5]) == [False]


def test_each_attempt_has_a_mark_of_its_own(tmp_path: Path) -> None:
    marks = opened(tmp_path)
    marks.mark([(5, 1)])
    marks.mark([(5, 2)])
    marks.erase(5, 1)
    assert (marks.is_marked(5, 1), marks.is_marked(5, 2)) == (False, True)
    assert left(marks, HERE, [5]) == [True]
    marks.erase(5, 2)
    assert left(marks, HERE, [5]) == [False]


def test_a_process_of_its_name_that_was_there_before_is_another(tmp_path: Path) -> None:
    before = opened(tmp_path)
    before.mark([(5, 1)])
    marks = opened(tmp_path)
    earlier = STARTED - timedelta(seconds=1)
    assert left(marks, HERE, [5, 6], earlier) == [True, False]
    assert left(marks, HERE, [5, 6]) == [False, False]
    assert left(opened(tmp_path / "other"), HERE, [5, 6], earlier) == [True, True]


def test_marks_that_cannot_be_written_are_no_proof_for_others_and_are_kept_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = opened(tmp_path)
    write = os.pwrite

    def full(descriptor: int, octets: bytes, offset: int) -> int:
        if len(octets) > 1000:
            raise OSError(errno.ENOSPC, "no space")
        return write(descriptor, octets, offset)

    monkeypatch.setattr(os, "pwrite", full)
    many = range(1, WRITTEN_SLOTS + 10)
    marks.mark([(message_id, 1) for message_id in many])
    assert list(tmp_path.glob("*.marks")) == []
    assert left(marks, HERE, [*many, 10**9]) == [True] * len(many) + [False]
    monkeypatch.undo()
    assert opened(tmp_path / "a file" / "below").may_have_left(EndedClaim(1, "here:1:x", LATER))


def test_a_folder_that_cannot_be_written_costs_the_marks_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    marks = opened(tmp_path / "file")
    marks.mark([(1, 1)])
    assert left(marks, HERE, [1, 2]) == [True, False]
    marks.close()


def test_the_file_goes_with_a_process_that_leaves_nothing_behind(tmp_path: Path) -> None:
    marks = opened(tmp_path)
    marks.mark([(1, 1), (2, 1)])
    (file,) = tmp_path.glob("*.marks")
    assert file.stat().st_mode & 0o777 == 0o600
    marks.erase(1, 1)
    marks.erase(2, 1)
    marks.close()
    assert not file.exists()
    marks = opened(tmp_path)
    marks.mark([(1, 1)])
    marks.close()
    assert file.exists()
