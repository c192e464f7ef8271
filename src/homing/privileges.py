"""As whom the processes of `homing serve` run when root starts it: as an unprivileged user who can do their work.

What they need is tried as that user before, so that a process which cannot read a file says so at the start and not at
three in the morning. What stands against it leaves them with root, and is said.

    python -m homing.privileges     as that user, with a process's environment: its obstacle on standard output, if any
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
"""How long trying may take. A process of a busy machine needs some seconds to load what it runs."""

RUN_FOLDERS: Final = (METRICS, MARKS)
"""What the processes write, under data/run."""

DENIED: Final = 10
"""The exit status that says: the words on standard output are what stands against it."""

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
"""Tries paths, with what is above them and above where links lead, and says the first that does not let the user."""


class ProcessOwner(msgspec.Struct, frozen=True):
    """`owner`: whom the processes become; None: they stay who we are. `reason`: why they stay with root, else empty."""

    owner: ClusterOwner | None = None
    reason: str = ""


def choose(settings: Settings, data: Path, dsn: str, key: str, database_owner: ClusterOwner | None) -> ProcessOwner:
    """As whom the processes run, and `data`/run made theirs. Takes a second, as root.

    `key`: what HOMING_SECRET_KEY will say to them. `database_owner`: whom the embedded database belongs to, None
    where it is a server of HOMING_DATABASE_URL. Raises `InvalidInput` when HOMING_USER names somebody who cannot.
    """
    if os.geteuid() != 0:
        settle_run(data, None)
        return ProcessOwner()
    wanted = os.environ.get(USER_VARIABLE, "")
    if wanted == "root":
        settle_run(data, None)
        return ProcessOwner(None, f"{USER_VARIABLE} says so")
    owner = unprivileged_user(wanted or None) if wanted or not database_owner else database_owner
    reason = (
        _obstacle(owner, settings, data, dsn, key, database_owner)
        if owner
        else f"there is no other user {wanted or ', '.join(USERS)}"
    )
    if not reason:
        return ProcessOwner(owner)
    settle_run(data, None)
    if wanted:
        raise errors.InvalidInput(
            f"the processes cannot run as {wanted}: {reason}; with {USER_VARIABLE}=root they run as root"
        )
    return ProcessOwner(None, reason)


def environment_of(owner: ClusterOwner, key: str) -> Mapping[str, str]:
    """What a process of `owner` has to hear beside our environment: the key, which only root can read in its file, and
    a home that is not root's. A database URL without a role goes on to mean the role of our name.
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
    cannot be made for us is said by those who write there.

    As root, what another user has laid out there is replaced, so that root writes nowhere that he chose the way to. The
    marks of what may have left (`homing.dispatch.written_marks`) go along, by the same files: a process of before may
    still write into one.
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
            _take_files_along(folder, fresh, MARKS)
        _remove(folder)
        for path in (*fresh.rglob("*"), fresh):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
        fresh.rename(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, FOLDER)
    finally:
        os.close(descriptor)


def _take_files_along(old: Path, fresh: Path, name: str) -> None:
    """Moves the files of `old`/`name`, which another user may be changing meanwhile, into `fresh`/`name`, which is
    root's. Looked at when they are there: what is no file of that user's own alone (a link, also a hard one, to what
    he may not read) is removed.
    """
    with contextlib.ExitStack() as opened:

        def enter(path: Path | str, above: int | None) -> int:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
            opened.callback(os.close, descriptor)
            return descriptor

        source = enter(name, enter(old, None))
        target = enter(fresh / name, None)
        whose = os.fstat(source).st_uid
        for file in os.listdir(source):
            os.rename(file, file, src_dir_fd=source, dst_dir_fd=target)
            found = os.stat(file, dir_fd=target, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != whose:
                _remove(fresh / name / file)


def _is_theirs(path: Path, owner: ClusterOwner) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner.uid


def _remove(path: Path) -> None:
    """Whatever it is; links are not followed."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()


def low_port(settings: Settings) -> int | None:
    """A port among those to serve that only root may, None if there is none."""
    try:
        end = int(LOW_PORTS_END.read_text())
    except (OSError, ValueError):
        end = LOW_PORTS_END_USUAL
    smpp = settings.smpp
    places = (settings.http.address, smpp.address, smpp.address and smpp.tls_address, settings.console.address)
    return next((port for place in places if place and (port := host_port(place)[1]) < end), None)


def denied(owner: ClusterOwner, needs: Sequence[tuple[Path, int]]) -> str:
    """What `owner` cannot do of `needs`: paths, each with os.R_OK or os.X_OK. As words, such as `nobody cannot enter
    /srv/closed`; empty when nothing. Found out by trying as that user: that respects access lists, mounts and security
    modules.
    """
    tried = subprocess.run(  # noqa: S603  # our own interpreter, arguments as a list
        [sys.executable, "-I", "-S", "-c", TRY_PATHS, str(owner.gid), str(owner.uid)],
        check=False,
        cwd="/",
        input=json.dumps([(str(path.absolute()), mode) for path, mode in needs]),
        capture_output=True,
        text=True,
        timeout=TRIAL_S,
    )
    if tried.returncode == DENIED:
        return f"{owner.name} cannot {tried.stdout.strip()}"
    return _failure(tried, f"this root may not become {owner.name}")


def _obstacle(
    owner: ClusterOwner, settings: Settings, data: Path, dsn: str, key: str, database_owner: ClusterOwner | None
) -> str:
    """What stands against running as `owner`; empty when nothing does: then data/run is his."""
    if database_owner and database_owner != owner:
        return f"the embedded database belongs to {database_owner.name}, and nobody else can reach it"
    port = low_port(settings)
    if port is not None:
        return f"only root may serve port {port}"
    try:
        if reason := denied(owner, _needs(settings, data)):
            return reason
        settle_run(data, owner)
        tried = subprocess.run(
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
    if tried.returncode == DENIED:
        return f"{owner.name} cannot {tried.stdout.strip()}"
    return _failure(tried, f"they do not start as {owner.name}")


def _needs(settings: Settings, data: Path) -> Sequence[tuple[Path, int]]:
    """The files and folders that a process opens or passes, also late: our own texts and statements."""
    package = Path(homing.__file__).parent
    own = [file for file in sorted(package.rglob("*")) if file.is_file() and file.suffix != ".pyc"]
    smpp = settings.smpp
    certificates = [Path(name) for name in (smpp.tls_certificate, smpp.tls_key) if name]
    given = data / "homing.toml"
    return [
        (data, os.X_OK),
        *((file, os.R_OK) for file in ([given] if given.exists() else [])),
        *((file, os.R_OK) for file in certificates),
        (Path(sys.executable), os.X_OK),
        *((file, os.R_OK) for file in own),
    ]


def _failure(tried: "subprocess.CompletedProcess[str]", what: str) -> str:
    if tried.returncode == 0:
        return ""
    why = tried.stderr.strip().splitlines()[-1:] or [f"exit status {tried.returncode}"]
    return f"{what} ({why[0][:300]})"


def main() -> int:
    """Does as that user what every process does first."""
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
