"""Which claimed messages may have left: a mark for each, made before its carrier is written to.

A claim is durable before its message is handed over, so a process that is killed in between leaves claims of which the
database cannot say whether they went. The marks can: they lie in a file under the data folder, which the operating
system keeps when a process is killed. They are no proof after the machine itself has been started anew, for then it may
have lost the last of them; and another machine does not see them. Without proof a message may have gone.
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
"""Linux's name for the time since the machine was started. Where there is none, nothing is proof."""
HEAD_BYTES: Final = 64
SLOT: Final = struct.Struct("<q")
SUFFIX: Final = ".marks"


class EndedClaim(msgspec.Struct, frozen=True):
    """A claim that has ended without an answer: its message, who made it, and when."""

    message_id: int
    owner: str
    claimed_at: datetime


class WrittenMarks:
    """This process's marks, and those that dead processes of this machine have left. A message has one for each of its
    attempts: the next carrier may have it in hand before the former one's mark is erased.

    The file: 64 octets that name the machine's start, then a slot of eight for each message in hand, 0 where free. A
    mark is one write into it, and takes some two microseconds.
    """

    def __init__(self, *, folder: Path, owner: str, clock: Callable[[], datetime], boot_id: Path = BOOT_ID) -> None:
        """`owner`: this process, as claims name it. `clock`: the one that claims are dated by."""
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
        self._left: dict[str, frozenset[int] | None] = {}

    @property
    def _path(self) -> Path:
        return self._folder / f"{quote(self._owner, safe='')}{SUFFIX}"

    def open(self) -> None:
        """Without a file, as on a disk that is full, there are no marks to be read after us, and all goes on."""
        self._opened_at = self._clock()
        self._left[self._owner] = self._read(self._path)  # of a process before us that had our name
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._forget_old()
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
        """Takes the file away, unless something that may have left was not answered for."""
        if self._file is None:
            return
        os.close(self._file)
        self._file = None
        if not self._slots:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def mark(self, attempts: Sequence[tuple[int, int]]) -> None:
        """Before the first octet of these messages may leave: their ids, each with the number of its attempt."""
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
        """The attempt's answer is stored: the claim has ended, and nobody will ask."""
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
        """Whether this process has marked it."""
        return (message_id, attempt) in self._slots

    def may_have_left(self, claim: EndedClaim) -> bool:
        """False when the claim's message was certainly not written to its carrier."""
        if claim.owner == self._owner and claim.claimed_at >= self._opened_at:
            return claim.message_id in self._marked
        if claim.owner not in self._left:
            if not is_dead(claim.owner, self._owner):
                return True  # it may write yet
            self._left[claim.owner] = self._read(self._folder / f"{quote(claim.owner, safe='')}{SUFFIX}")
        left = self._left[claim.owner]
        return left is None or claim.message_id in left

    def _boot(self) -> bytes | None:
        try:
            return self._boot_id.read_bytes().strip().ljust(HEAD_BYTES)[:HEAD_BYTES]
        except OSError:
            return None

    def _read(self, path: Path) -> frozenset[int] | None:
        """The messages marked in another's file; None where it proves nothing."""
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
        """More slots, which are written at once: a mark of later needs no room on the disk any more."""
        if self._file is not None:
            empty = bytes(WRITTEN_SLOTS * SLOT.size)
            if os.pwrite(self._file, empty, HEAD_BYTES + self._size * SLOT.size) != len(empty):
                raise OSError("no room for more marks")
        self._free.extend(range(self._size + WRITTEN_SLOTS - 1, self._size - 1, -1))
        self._size += WRITTEN_SLOTS

    def _give_up(self, error: OSError) -> None:
        """A file that lacks a mark would be taken for proof that a message has not left: it must go."""
        log.warning("written_marks_off", detail=str(error))
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, bytes(HEAD_BYTES), 0)
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _forget_old(self) -> None:
        """Of processes that are long dead: nobody has a claim of theirs any more."""
        before_s = time.time() - WRITTEN_KEPT_S
        for path in self._folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before_s and is_dead(unquote(path.stem), self._owner):
                    path.unlink()
