"""Chooses the user that the processes of `homing serve` run as when root starts it: an unprivileged one, if possible.

Their needs are first tried as that user, so that a file which a process cannot read is reported at the start and not
hours later. If something is not possible they run as root, and the reason is reported.

    python -m homing.privileges     run as that user with a process's environment: prints the obstacle, if any
"""

import asyncio
import contextlib
import getpass
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

import homing
from homing import errors
from homing.common.private_files import FOLDER, make_private_folder
from homing.config import Settings, host_port
from homing.roles import MARKS, METRICS, RUN
from homing.store.embedded.location import USER_VARIABLE, USERS, ClusterOwner, unprivileged_user

LOW_PORTS_END: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
LOW_PORTS_END_USUAL: Final = 1024
TRIAL_S: Final = 60.0
"""Time-out of a trial. On a busy machine a process needs some seconds to load its modules."""

RUN_FOLDERS: Final = (METRICS, MARKS)
"""Folders that the processes write, under data/run."""

DENIED: Final = 10
"""The exit status of a trial whose standard output is the obstacle."""

TRY_PATHS: Final = """
import json, os, sys
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[2]))
passed = {}
for path, mode in json.load(sys.stdin):
    for whole in (path, os.path.realpath(path)):
        parts = whole.split("/")
        for length in range(1, len(parts)):
            passed.setdefault("/".join(parts[:length]) or "/", os.X_OK)
    passed.setdefault(path, mode)
for path, mode in passed.items():
    if not os.access(path, mode):
        print("read" if mode == os.R_OK else "enter" if os.path.isdir(path) else "run", path)
        sys.exit(10)
"""
"""Tries paths, their parents and those of link targets, and prints the first that the user cannot access."""


class ProcessOwner(msgspec.Struct, frozen=True):
    """`owner`: the user that the processes run as, None: ours. `reason`: why they run as root, else empty."""

    owner: ClusterOwner | None = None
    reason: str = ""


def choose_owner(
    settings: Settings, data: Path, dsn: str, key: str, database_owner: ClusterOwner | None
) -> ProcessOwner:
    """Chooses the user and gives `data`/run to it. Takes a second, as root.

    `key`: their HOMING_SECRET_KEY. `database_owner`: the owner of the embedded database, None for a server of
    HOMING_DATABASE_URL. Raises `InvalidInput` when the processes cannot run as the user in HOMING_USER.
    """
    if os.geteuid() != 0:
        settle_run(data, None)
        return ProcessOwner()
    user = os.environ.get(USER_VARIABLE, "")
    if user == "root":
        settle_run(data, None)
        return ProcessOwner(None, f"{USER_VARIABLE} says so")
    owner = unprivileged_user(user or None) if user or not database_owner else database_owner
    reason = (
        _obstacle(owner, settings, data, dsn, key, database_owner)
        if owner
        else f"there is no other user {user or ', '.join(USERS)}"
    )
    if not reason:
        return ProcessOwner(owner)
    settle_run(data, None)
    if user:
        raise errors.InvalidInput(
            f"the processes cannot run as {user}: {reason}; with {USER_VARIABLE}=root they run as root"
        )
    return ProcessOwner(None, reason)


def environment_of(owner: ClusterOwner, key: str) -> Mapping[str, str]:
    """Variables of a process of `owner` in addition to ours: the key, whose file only root can read, and a home that is
    not root's. A database URL without a role still means the role with our name.
    """
    try:
        home = pwd.getpwuid(owner.uid).pw_dir
    except KeyError:
        home = "/"
    return {
        "HOME": home,
        "HOMING_SECRET_KEY": key,
        "PGUSER": os.environ.get("PGUSER") or getpass.getuser(),
    }


def settle_run(data: Path, owner: ClusterOwner | None) -> None:
    """Makes `data`/run, mode 0700, for `owner` or for us. Raises OSError when it cannot be given to `owner`; one that
    cannot be made for us fails when it is written to.

    As root, another user's folders there are replaced, so that root never follows a path that the user controls. The
    files of `homing.dispatch.written_marks` are moved and not copied: an earlier process may still write to one.
    """
    folder = data / RUN
    if os.geteuid() != 0:
        with contextlib.suppress(OSError):
            make_private_folder(folder)
    elif owner:
        _settle_as_root(folder, owner)
    else:
        with contextlib.suppress(OSError):
            _settle_as_root(folder, ClusterOwner(os.geteuid(), os.getegid()))


def _settle_as_root(folder: Path, owner: ClusterOwner) -> None:
    if not all(_is_theirs(path, owner) for path in (folder, *(folder / name for name in RUN_FOLDERS))):
        fresh = folder.with_name(f"{folder.name}.new")
        _remove(fresh)
        for name in RUN_FOLDERS:
            make_private_folder(fresh / name)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            _move_files(folder, fresh, MARKS)
        _remove(folder)
        for path in (*fresh.rglob("*"), fresh):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
        fresh.rename(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, FOLDER)
    finally:
        os.close(descriptor)


def _move_files(old: Path, fresh: Path, name: str) -> None:
    """Moves the files of `old`/`name`, which another user may be changing, into `fresh`/`name`, which is root's.
    They are checked there: anything but a regular file of that user with a single link (a symbolic or hard link to a
    file that he may not read) is removed.
    """
    with contextlib.ExitStack() as opened:

        def enter(path: Path | str, above: int | None) -> int:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
            opened.callback(os.close, descriptor)
            return descriptor

        source = enter(name, enter(old, None))
        target = enter(fresh / name, None)
        owner_uid = os.fstat(source).st_uid
        for file in os.listdir(source):
            os.rename(file, file, src_dir_fd=source, dst_dir_fd=target)
            status = os.stat(file, dir_fd=target, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != owner_uid:
                _remove(fresh / name / file)


def _is_theirs(path: Path, owner: ClusterOwner) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner.uid


def _remove(path: Path) -> None:
    """Removes a file or folder; links are not followed."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()


def low_port(settings: Settings) -> int | None:
    """A configured port that only root may serve, None if there is none."""
    try:
        end = int(LOW_PORTS_END.read_text())
    except (OSError, ValueError):
        end = LOW_PORTS_END_USUAL
    smpp = settings.smpp
    addresses = (settings.http.address, smpp.address, smpp.address and smpp.tls_address, settings.console.address)
    return next((port for address in addresses if address and (port := host_port(address)[1]) < end), None)


def denial(owner: ClusterOwner, needs: Sequence[tuple[Path, int]]) -> str:
    """The first of `needs` (paths, each with os.R_OK or os.X_OK) that `owner` cannot do, such as `nobody cannot enter
    /srv/closed`; empty when there is none. Determined by trying as that user, which respects access lists, mounts and
    security modules.
    """
    result = subprocess.run(  # noqa: S603  # our own interpreter, arguments as a list
        [sys.executable, "-I", "-S", "-c", TRY_PATHS, str(owner.gid), str(owner.uid)],
        check=False,
        cwd="/",
        input=json.dumps([(str(path.absolute()), mode) for path, mode in needs]),
        capture_output=True,
        text=True,
        timeout=TRIAL_S,
    )
    if result.returncode == DENIED:
        return f"{owner.name} cannot {result.stdout.strip()}"
    return _failure(result, f"this root may not become {owner.name}")


def _obstacle(
    owner: ClusterOwner, settings: Settings, data: Path, dsn: str, key: str, database_owner: ClusterOwner | None
) -> str:
    """The obstacle to running as `owner`; empty when there is none: then data/run belongs to it."""
    if database_owner and database_owner != owner:
        return f"the embedded database belongs to {database_owner.name}, and nobody else can reach it"
    port = low_port(settings)
    if port is not None:
        return f"only root may serve port {port}"
    try:
        if reason := denial(owner, _needs(settings, data)):
            return reason
        settle_run(data, owner)
        result = subprocess.run(
            [sys.executable, "-m", "homing.privileges"],
            check=False,
            env={
                **os.environ,
                **environment_of(owner, key),
                "HOMING_DATA": str(data),
                "HOMING_DATABASE_URL": dsn,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TRIAL_S,
            user=owner.uid,
            group=owner.gid,
            extra_groups=[],
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{owner.name} cannot be tried: {error}"
    if result.returncode == DENIED:
        return f"{owner.name} cannot {result.stdout.strip()}"
    return _failure(result, f"they do not start as {owner.name}")


def _needs(settings: Settings, data: Path) -> Sequence[tuple[Path, int]]:
    """The files and folders that a process opens or passes at any time, our own texts and statements included."""
    package = Path(homing.__file__).parent
    package_files = [file for file in sorted(package.rglob("*")) if file.is_file() and file.suffix != ".pyc"]
    smpp = settings.smpp
    certificates = [Path(name) for name in (smpp.tls_certificate, smpp.tls_key) if name]
    settings_file = data / "homing.toml"
    return [
        (data, os.X_OK),
        *((file, os.R_OK) for file in ([settings_file] if settings_file.exists() else [])),
        *((file, os.R_OK) for file in certificates),
        (Path(sys.executable), os.X_OK),
        *((file, os.R_OK) for file in package_files),
    ]


def _failure(result: "subprocess.CompletedProcess[str]", what: str) -> str:
    if result.returncode == 0:
        return ""
    why = result.stderr.strip().splitlines()[-1:] or [f"exit status {result.returncode}"]
    return f"{what} ({why[0][:300]})"


def main() -> int:
    """Does the first steps of every process."""
    import homing.app.process  # noqa: F401
    from homing import config
    from homing.app.roles import ROLES, load_role
    from homing.dialects.registry import DIALECTS
    from homing.store.connecting import Connector

    for role in ROLES:  # all that the processes run can be read
        load_role(role)
    data = Path(os.environ["HOMING_DATA"])
    config.load(data, DIALECTS)
    if not os.access(data / RUN, os.W_OK | os.X_OK):
        print(f"write in {data / 'run'}")  # noqa: T201
        return DENIED

    async def connect() -> None:
        connection = await Connector(os.environ["HOMING_DATABASE_URL"]).connect()
        connection.terminate()

    try:
        asyncio.run(connect())
    except Exception as error:
        print(f"connect to the database: {str(error) or type(error).__name__}")  # noqa: T201
        return DENIED
    return 0


if __name__ == "__main__":
    sys.exit(main())
