"""Where the embedded PostgreSQL lies and as whom it runs.

An ordinary user runs it as himself, straight from the wheel, everything under the data folder:

    data/postgres/cluster      PostgreSQL's own data folder
    data/postgres/server.log   its log
    data/postgres/.s.PGSQL...  its socket, unless that path is too long: then in a private temporary folder

PostgreSQL refuses to run as root. So root runs it as an existing unprivileged user, from a copy of the
programs that the user can reach. The cluster stays under the data folder if the user can enter that, and
otherwise lies beside the copy:

    /var/lib/homing/postgres-<wheel version>/
    /var/lib/homing/clusters/<fingerprint of the data folder's path>/

Only folders made here ever get a mode or an owner: no parent is loosened.
"""

import contextlib
import hashlib
import os
import pwd
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from homing.store.embedded.errors import EmbeddedError
from homing.store.embedded.files import write_durably
from homing.store.embedded.programs import copied_programs, own_folder, wheel_programs

ROOT_HOME = Path("/var/lib/homing")
USER_VARIABLE = "HOMING_USER"
USERS = ("homing", "postgres", "nobody", "daemon")
"""The user that root becomes by default: the first of these that exists. Other programs may run as all but the first.
"""

MEMORY_NAME = "postgres.path"
"""The file in the data folder that says where its database lies."""

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 103
"""sockaddr_un.sun_path holds 104 bytes on macOS (108 on Linux), one of them the final zero."""

CHECK_S = 30.0
"""Time-out of the small program that tries to enter a folder as another user."""


@dataclass(frozen=True, slots=True)
class ClusterOwner:
    """The operating system's user that the server's processes run as and its files belong to."""

    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


@dataclass(frozen=True, slots=True)
class ClusterLocation:
    """Where one database lies: `folder` is private to `owner`, `programs` holds `postgres` and `initdb`."""

    folder: Path
    owner: ClusterOwner
    programs: Path
    set_aside: Path | None = None
    """The new place of a database that a removed data folder had left behind."""

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"


def find_location(data: Path, user: str | None, root_home: Path) -> ClusterLocation:
    """The place of the database of `data` (an existing folder, symlinks resolved), made on first use.

    The choice is stored in data/postgres.path, so a later change of modes or settings does not move it.
    `user`: the user that root becomes for a new database; None: HOMING_USER, else USERS.
    Raises EmbeddedError, OSError.
    """
    inside = data / "postgres"
    outside = root_home / "clusters" / fingerprint(data)
    memory = data / MEMORY_NAME
    known_folder, set_aside = _known_folder(memory, inside, outside), None
    if os.geteuid() != 0:
        folder, owner, programs = known_folder or inside, ClusterOwner(os.geteuid(), os.getegid()), wheel_programs()
    else:
        programs = copied_programs(root_home)
        owner = _owner_of(known_folder or inside) or _chosen_user(user)
        folder = known_folder or (inside if _can_enter(owner, data) and socket_fits(inside) else outside)
        if folder == outside:
            own_folder(outside.parent)
            if known_folder is None:
                set_aside = _set_aside_left_behind(data, outside)
            owner = _owner_of(outside) or owner
    _settle(folder, owner)
    if not owner.is_us and not _can_enter(owner, folder):
        raise EmbeddedError(
            f"The database in {folder} belongs to the user {owner.name}, who can no longer enter it: "
            f"allow passing (x) through its parent folders as before."
        )
    if known_folder is None:
        write_durably(memory, f"{folder.relative_to(data) if folder == inside else folder}\n")
    return ClusterLocation(folder, owner, programs, set_aside)


def has_cluster(data: Path) -> bool:
    """Whether a data folder has a database, or the remains of one, which `open` reports."""
    return (data / MEMORY_NAME).exists() or (data / "postgres").exists()


def socket_folder(location: ClusterLocation) -> Path:
    """The folder for the server's socket: the place itself, or a private temporary one if that is too long.

    Raises EmbeddedError if somebody else has made a folder of that name, who could then pose as the database.
    """
    if socket_fits(location.folder):
        return location.folder
    name = f"homing-{location.owner.uid}-{fingerprint(location.folder)}"
    candidates = [Path(tempfile.gettempdir()) / name, Path("/tmp") / name]  # noqa: S108  # made and checked below
    folder = next((path for path in candidates if socket_fits(path)), candidates[-1])
    _settle(folder, location.owner)
    return folder


def socket_fits(folder: Path) -> bool:
    """Whether a socket in `folder` has a path short enough, and not one that PostgreSQL reads as a list."""
    path = os.fsencode(folder / SOCKET_NAME)
    return len(path) <= SOCKET_PATH_BYTES_MAX and not set(b',"') & set(path)


def fingerprint(path: Path) -> str:
    """16 hexadecimal digits that stand for a path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _known_folder(memory: Path, inside: Path, outside: Path) -> Path | None:
    """The folder chosen before, None at first. Raises EmbeddedError if it is another data folder's."""
    if not memory.exists():
        return None
    folder = memory.parent / memory.read_text().strip()
    if folder not in (inside, outside):
        raise EmbeddedError(
            f"{memory} names {folder}, another data folder's database: {memory.parent} was moved or copied. "
            f"If it was moved, rename {folder} to {outside} and remove {memory}; "
            f"if it was copied, remove {memory} and database.password to begin with an empty database."
        )
    return folder


def _set_aside_left_behind(data: Path, outside: Path) -> Path | None:
    """Moves the database of a data folder that was removed out of the way of a new one; where it is then, None if there
    is none. Raises EmbeddedError when the folder may only be away, such as on a disk that is not mounted: then the
    data folder of now lies on another device than that of then.
    """
    device = outside.with_name(f"{outside.name}.device")
    here = str(data.stat().st_dev)
    aside = None
    if (outside / "cluster").exists() and not (data / "database.password").exists():
        if not device.exists() or device.read_text().strip() != here:
            raise EmbeddedError(
                f"{outside} holds the database of an earlier {data}, of which nothing else is there: if that lies on a "
                f"disk that is not mounted, mount it; if it was removed, remove {outside} too."
            )
        aside = outside.with_name(f"{outside.name}.removed-{int(time.time())}")
        os.rename(outside, aside)
    write_durably(device, f"{here}\n")
    return aside


def unprivileged_user(name: str | None) -> ClusterOwner | None:
    """The user of that name, or the first of USERS that there is; None if there is none but root."""
    for candidate in (name,) if name else USERS:
        try:
            entry = pwd.getpwnam(candidate)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return ClusterOwner(entry.pw_uid, entry.pw_gid)
    return None


def _chosen_user(user: str | None) -> ClusterOwner:
    """The unprivileged user for a new database of root's. HOMING_USER=root concerns the processes alone."""
    configured = os.environ.get(USER_VARIABLE, "")
    name = user or (configured if configured != "root" else "")
    if owner := unprivileged_user(name):
        return owner
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and there is no other user {name or ', '.join(USERS)}: "
        f"name an existing one in {USER_VARIABLE}, run Homing as an ordinary user, or set HOMING_DATABASE_URL."
    )


def _owner_of(folder: Path) -> ClusterOwner | None:
    """The owner of an existing folder: a database keeps its owner. None for root's folder or a missing one."""
    try:
        status = os.lstat(folder)
    except FileNotFoundError:
        return None
    if status.st_uid == 0:
        return None
    try:
        return ClusterOwner(status.st_uid, pwd.getpwuid(status.st_uid).pw_gid)
    except KeyError:
        return ClusterOwner(status.st_uid, status.st_gid)


def _settle(folder: Path, owner: ClusterOwner) -> None:
    """Makes `folder` the owner's private one, or checks that it is. Raises EmbeddedError if it is anything else."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    status = os.lstat(folder)
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() != owner.uid and not os.listdir(folder):
        # Made just now, or before a crash between the two steps. A symlink put here is not followed.
        os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)
        status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner.uid or status.st_mode & 0o077:
        raise EmbeddedError(
            f"{folder} must be a folder of the user {owner.name} that nobody else can enter (mode 0700), "
            f"but it belongs to {ClusterOwner(status.st_uid, status.st_gid).name}, "
            f"mode {stat.S_IMODE(status.st_mode):04o}: "
            f"remove it or, if it is your database, run Homing as its owner."
        )


def _can_enter(owner: ClusterOwner, folder: Path) -> bool:
    """Whether `owner` can pass through every parent into `folder`, determined by trying as that user.

    That respects access lists, mounts and security modules, which reading modes would not. Raises
    EmbeddedError if we, though root, may not become that user.
    """
    attempt = (
        "import os, sys\n"
        "os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[2]))\n"
        "sys.exit(0 if os.access(sys.argv[3], os.X_OK) else 10)\n"
    )
    result = subprocess.run(  # noqa: S603  # our own interpreter, arguments as a list
        [sys.executable, "-I", "-S", "-c", attempt, str(owner.gid), str(owner.uid), str(folder)],
        check=False,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=CHECK_S,
    )
    if result.returncode not in (0, 10):
        why = result.stderr.strip().splitlines()[-1:] or [f"exit status {result.returncode}"]
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and this root may not become {owner.name} ({why[0]}), "
            f"as in a container without other users: run Homing as an ordinary user, or set HOMING_DATABASE_URL."
        )
    return result.returncode == 0
