"""File locks that the kernel releases when their holder dies, however it dies: no crash leaves one behind."""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class FileLock:
    """One open file with, possibly, a `flock` on it.

    The lock belongs to the open file, not to the process. Two instances exclude each other even inside one
    process; a descriptor handed to a child is the same lock, which then lasts until parent and child have
    both closed it. That is why nothing here ever unlocks: closing is the only way to let go, and a child's
    copy is never broken.
    """

    def __init__(self, path: Path) -> None:
        """Opens `path`, creating it (mode 0600) if missing; takes no lock yet. Raises OSError."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_shared(self) -> bool:
        """Takes, or falls back to, a share. False when somebody holds the file exclusively. Never waits."""
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        """Takes the file for itself. False when anybody else holds it in any way. Never waits."""
        return self._try(fcntl.LOCK_EX)

    def fileno(self) -> int:
        """The descriptor, to hand to a child process."""
        return self._fd

    def close(self) -> None:
        """Lets go, unless a child was given the descriptor and still has it open. Call once."""
        os.close(self._fd)

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _try(self, operation: int) -> bool:
        try:
            fcntl.flock(self._fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
