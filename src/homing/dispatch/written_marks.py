"""Marks of the claimed messages that may have been written to their carrier, made before the first octet is written.

A claim is durable before its message is submitted, so after a process is killed the database cannot tell which of its
claims were submitted. The marks can: they are in a file under the data folder, whose content the operating system keeps
when a process is killed. They prove nothing after a reboot, which may have lost the latest marks, or on another
machine, which does not see them; without proof a message counts as possibly sent.
"""

import contextlib
import os
import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

import msgspec
import structlog

from homing.store.owners import is_dead

WRITTEN_SLOTS: Final = 4_096  # of marks, by which their file grows
WRITTEN_KEPT_S: Final = 7 * 86_400.0  # the marks of a dead process: a carrier may be disabled for days
log = structlog.get_logger()

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Linux's ID of the running boot. On a system without it, marks prove nothing."""
HEAD_BYTES: Final = 64
SLOT: Final = struct.Struct("<q")
SUFFIX: Final = ".marks"


class EndedClaim(msgspec.Struct, frozen=True):
    """A claim that has ended without an answer: its message, the process that made it, and when."""

    message_id: int
    owner: str
    claimed_at: datetime


class WrittenMarks:
    """The marks of this process, and those that dead processes of this machine have left. A message has a mark for each
    attempt: it may be submitted to its next carrier before the mark of the previous attempt is erased.

    The file has 64 octets with the boot ID, then slots of eight octets: a message ID, or 0 for a free slot. Making a
    mark is one write of two microseconds.
    """

    def __init__(self, *, folder: Path, owner: str, clock: Callable[[], datetime], boot_id: Path = BOOT_ID) -> None:
        """`owner`: this process, as in `queue.claimed_by`. `clock`: as for `queue.claimed_at`."""
        self._folder = folder
        self._owner = owner
        self._clock = clock
        self._boot_id = boot_id
        self._slots: dict[tuple[int, int], int] = {}  # by message and attempt
        self._marked: Counter[int] = Counter()
        self._free: list[int] = []
        self._size = 0
        self._file: int | None = None
        self._opened_at = clock()
        self._marked_by_dead: dict[str, frozenset[int] | None] = {}

    @property
    def _path(self) -> Path:
        return self._folder / f"{quote(self._owner, safe='')}{SUFFIX}"

    def open(self) -> None:
        """Reads the marks of an earlier process of the same name, and creates this process's file. If the file cannot
        be written, as on a full disk, marks are kept in memory alone, and later processes have no proof.
        """
        self._opened_at = self._clock()
        self._marked_by_dead[self._owner] = self._read(self._path)  # of a process before us that had our name
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._delete_old_files()
            boot = self._boot()
            if boot is None:
                return
            self._path.unlink(missing_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            os.pwrite(self._file, boot, 0)
            self._grow()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Deletes the file, unless it has marks of messages whose answers are not stored."""
        if self._file is None:
            return
        os.close(self._file)
        self._file = None
        if not self._slots:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def mark(self, attempts: Sequence[tuple[int, int]]) -> None:
        """Marks (message ID, attempt) pairs; to be called before their first octet is written."""
        try:
            for attempt in attempts:
                if attempt in self._slots:
                    continue
                if not self._free:
                    self._grow()
                slot = self._slots[attempt] = self._free.pop()
                self._marked[attempt[0]] += 1
                if self._file is not None:
                    os.pwrite(self._file, SLOT.pack(attempt[0]), HEAD_BYTES + slot * SLOT.size)
        except OSError as error:
            self._give_up(error)
            self.mark(attempts)

    def erase(self, message_id: int, attempt: int) -> None:
        """Removes an attempt's mark; its answer is stored."""
        slot = self._slots.pop((message_id, attempt), None)
        if slot is None:
            return
        self._free.append(slot)
        self._marked[message_id] -= 1
        if not self._marked[message_id]:
            del self._marked[message_id]
        if self._file is not None:
            try:
                os.pwrite(self._file, SLOT.pack(0), HEAD_BYTES + slot * SLOT.size)
            except OSError as error:
                self._give_up(error)

    def is_marked(self, message_id: int, attempt: int) -> bool:
        """Whether this process has marked the attempt."""
        return (message_id, attempt) in self._slots

    def may_have_left(self, claim: EndedClaim) -> bool:
        """False when the claim's message was certainly not written to its carrier."""
        if claim.owner == self._owner and claim.claimed_at >= self._opened_at:
            return claim.message_id in self._marked
        if claim.owner not in self._marked_by_dead:
            if not is_dead(claim.owner, self._owner):
                return True  # the process is alive and may still submit it
            self._marked_by_dead[claim.owner] = self._read(self._folder / f"{quote(claim.owner, safe='')}{SUFFIX}")
        marked = self._marked_by_dead[claim.owner]
        return marked is None or claim.message_id in marked

    def _boot(self) -> bytes | None:
        try:
            return self._boot_id.read_bytes().strip().ljust(HEAD_BYTES)[:HEAD_BYTES]
        except OSError:
            return None

    def _read(self, path: Path) -> frozenset[int] | None:
        """The IDs of the messages that are marked in a file; None: it proves nothing."""
        try:
            content = path.read_bytes()
        except OSError:
            return None
        boot = self._boot()
        if boot is None or content[:HEAD_BYTES] != boot:
            return None
        slots = content[HEAD_BYTES:]
        whole = slots[: len(slots) // SLOT.size * SLOT.size]
        return frozenset(message_id for (message_id,) in SLOT.iter_unpack(whole) if message_id)

    def _grow(self) -> None:
        """Adds slots and writes them at once, so that later marks need no more room on the disk."""
        if self._file is not None:
            empty = bytes(WRITTEN_SLOTS * SLOT.size)
            if os.pwrite(self._file, empty, HEAD_BYTES + self._size * SLOT.size) != len(empty):
                raise OSError("no room for more marks")
        self._free.extend(range(self._size + WRITTEN_SLOTS - 1, self._size - 1, -1))
        self._size += WRITTEN_SLOTS

    def _give_up(self, error: OSError) -> None:
        """Deletes the file: one that lacks a mark would prove that a message was not submitted."""
        log.warning("written_marks_off", detail=str(error))
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, bytes(HEAD_BYTES), 0)
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _delete_old_files(self) -> None:
        """Deletes the files of processes that died so long ago that none of their claims is left."""
        before_s = time.time() - WRITTEN_KEPT_S
        for path in self._folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before_s and is_dead(unquote(path.stem), self._owner):
                    path.unlink()
