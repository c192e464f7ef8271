"""Files and folders that only their owner may read or enter, independent of the umask."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

FILE: Final = 0o600
FOLDER: Final = 0o700
ROOTS_DATA: Final = 0o711


def make_data_folder(data: Path) -> None:
    """Homing's data folder, unless there is something of that name. Raises OSError.

    Root's can be entered but not listed: it contains the database and files of processes that run as an unprivileged
    user. Every secret in it is a file of mode 0600. Parents that are missing get the umask's modes.
    """
    mode = ROOTS_DATA if os.geteuid() == 0 else FOLDER
    with contextlib.suppress(FileExistsError):
        data.mkdir(mode, parents=True)
        data.chmod(mode)


def make_private_folder(folder: Path) -> None:
    """Makes `folder` and missing parents with mode 0700; an existing one of ours gets that mode. Raises OSError."""
    if not folder.parent.exists():
        make_private_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(FOLDER)
    status = folder.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != FOLDER:
        folder.chmod(FOLDER)


def open_private(path: Path, flags: int) -> int:
    """A descriptor of the file, which is created if missing, with mode 0600; an existing one of ours gets that mode. A
    symbolic link is refused. `flags`: os.open's. Raises OSError.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE)
    try:
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != FILE:
            os.fchmod(descriptor, FILE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
