"""PostgreSQL's own data folder, the cluster: making it, checking its version, reading who serves it."""

import os
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from homing.store.embedded.errors import EmbeddedError
from homing.store.embedded.files import rename_durably, write_durably
from homing.store.embedded.location import SOCKET_NAME, ClusterLocation
from homing.store.embedded.lock import FileLock
from homing.store.embedded.programs import WHEEL, wheel_version

ROLE = "homing"
"""Homing's own role, which owns its database and nothing else."""

SUPERUSER = "homing_superuser"
"""The role that may do everything in the cluster, even run programs. Homing never connects as it."""

DATABASE = "homing"
PASSWORD_NAME = "database.password"  # noqa: S105  # a file's name
SUPERUSER_PASSWORD_NAME = "database.superuser"  # noqa: S105  # a file's name
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""All that PostgreSQL's programs see of ours: neither PG* variables nor a terminal's language may change things."""

PROGRAM_S = 180.0
"""How long initdb may take; on a slow disk it is a few seconds."""

ANSWER_S = 1.0
"""How long a connection to the server's socket may take to be accepted by the kernel."""

LOG_LINES = 15
"""How much of a program's output goes into an error's message."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The content of a cluster's postmaster.pid, which is true only if `answers`."""

    cluster: Path
    pid: int
    served: Path
    sockets: Path
    ready: bool

    def answers(self) -> bool:
        """Whether somebody listens on the socket. Only the server's user can, and after a crash nobody does.

        The process id says less: after a crash it may have passed to a stranger.
        """
        if self.served != self.cluster:
            return False  # the file came along when the data folder was moved or copied
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(ANSWER_S)
            try:
                client.connect(str(self.sockets / SOCKET_NAME))
            except (BlockingIOError, TimeoutError):
                return True  # so many are waiting that the queue is full
            except OSError:
                return False
            return True


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Reads postmaster.pid; None without the file or while it is still being written.

    Its lines: process id, data folder, start time, port, socket folder, address, shared memory key, status.
    """
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        ready = len(lines) > 7 and lines[7].strip() == "ready"
        return Postmaster(cluster, int(lines[0]), Path(lines[1]), Path(lines[4]), ready)
    except (FileNotFoundError, IndexError, ValueError):
        return None


def password_of(data: Path, cluster: Path) -> str:
    """The role's password, from data/database.password (mode 0600), which is there before the cluster is.

    Raises EmbeddedError if there is a cluster but no password for it.
    """
    path = data / PASSWORD_NAME
    if not path.exists() and cluster.exists():
        raise EmbeddedError(f"{path} is missing, and without it nobody can connect to the database: restore it.")
    return _stored_password(path)


def superuser_password(data: Path) -> str | None:
    """The superuser's password, from data/database.superuser (mode 0600), where there is one.

    Clusters of before it have none: there Homing's own role is the superuser.
    """
    try:
        return (data / SUPERUSER_PASSWORD_NAME).read_text().strip()
    except FileNotFoundError:
        return None


def ensure_cluster(data: Path, location: ClusterLocation, password: str, *, durable: bool, starting: FileLock) -> None:
    """Makes the cluster with its roles and database unless it is there; checks that our PostgreSQL can serve it.

    Homing's role gets `password` and owns the database; the superuser's password is in data/database.superuser
    before the cluster is there. It is made under another name and renamed when complete, so that a crash half
    way leaves nothing that looks like a cluster. The programs inherit `starting`, which the caller holds: should
    the caller be killed, the next one waits for them to end instead of working in the same folder. Raises
    EmbeddedError, OSError.
    """
    if not location.cluster.exists():
        fresh = location.folder / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password_file = location.folder / "password"
        write_durably(password_file, _stored_password(data / SUPERUSER_PASSWORD_NAME))
        os.chown(password_file, location.owner.uid, location.owner.gid, follow_symlinks=False)
        try:
            _initdb(location, fresh, password_file, durable, starting)
        finally:
            password_file.unlink(missing_ok=True)
        _run(
            location,
            # -j: a statement ends with a semicolon and an empty line. Single-user mode needs no server, so
            # role and database are part of what becomes visible by the rename. It goes on after a failed
            # statement unless told otherwise, and shows it, with the password.
            [
                *("postgres", "--single", "-j", "-D", str(fresh), *([] if durable else ["-F"])),
                *("-c", "exit_on_error=on", "-c", "log_min_error_statement=panic"),
                "postgres",
            ],
            starting,
            stdin=f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {_literal(password)};\n\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n\n",
        )
        rename_durably(fresh, location.cluster)
    wheel_major = wheel_version().split(".")[0]
    cluster_major = (location.cluster / "PG_VERSION").read_text().strip()
    if wheel_major != cluster_major:
        raise EmbeddedError(
            f"The database in {location.cluster} was made by PostgreSQL {cluster_major}, but the installed {WHEEL} is "
            f"{wheel_major}.*: install {WHEEL} {cluster_major}.*, or dump with that one and restore with this one."
        )


def last_lines(path: Path) -> str:
    """The end of a log file, to be shown; empty if it cannot be read."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-LOG_LINES:])
    except OSError:
        return ""


def _stored_password(path: Path) -> str:
    if not path.exists():
        write_durably(path, secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


def _literal(text: str) -> str:
    """As a string of SQL, where backslashes are letters (standard_conforming_strings, PostgreSQL's default)."""
    return "'" + text.replace("'", "''") + "'"


def _initdb(location: ClusterLocation, cluster: Path, password_file: Path, durable: bool, starting: FileLock) -> None:
    options = [
        "--encoding=UTF8",
        # Sorts by code point and knows the letters of all languages, from tables inside PostgreSQL: the order
        # of an index does not change with the operating system's library.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--auth=scram-sha-256",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        *([] if durable else ["--no-sync"]),
    ]
    _run(location, ["initdb", "-D", str(cluster), *options], starting)


def _run(location: ClusterLocation, command: list[str], starting: FileLock, stdin: str = "") -> None:
    """Runs a program of PostgreSQL's as the owner, in a session of its own so that Ctrl-C does not reach it."""
    us = location.owner.is_us
    result = subprocess.run(  # noqa: S603  # the wheel's program, arguments as a list
        [str(location.programs / command[0]), *command[1:]],
        check=False,
        cwd=location.folder,
        env=ENVIRONMENT,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PROGRAM_S,
        umask=0o077,
        start_new_session=True,
        user=None if us else location.owner.uid,
        group=None if us else location.owner.gid,
        extra_groups=None if us else [],
        pass_fds=(starting.fileno(),),
    )
    if result.returncode != 0:
        tail = "\n".join(result.stdout.splitlines()[-LOG_LINES:])
        raise EmbeddedError(f"PostgreSQL's {command[0]} could not make the database in {location.folder}:\n{tail}")
