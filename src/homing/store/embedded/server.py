"""The embedded PostgreSQL: started on first use, shared by all users of a data folder, stopped after the last.

Three lock files in the data folder carry the whole protocol. All are flocks, which the kernel releases with their
holder:

    database.lock         each user holds a share as long as it uses the server; the keeper waits for it exclusively
    database.start.lock   held while opening or closing, so that only one process decides at a time
    database.keeper.lock  held by the keeper, whose life is the server's life

`keeper_process` stops the server when the last share is gone; nothing else does.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from homing.common.private_files import make_data_folder
from homing.store.embedded import keeper_process
from homing.store.embedded.cluster import (
    DATABASE,
    ENVIRONMENT,
    ROLE,
    SUPERUSER,
    Postmaster,
    ensure_cluster,
    last_lines,
    password_of,
    read_postmaster,
    superuser_password,
)
from homing.store.embedded.errors import EmbeddedError
from homing.store.embedded.location import ROOT_HOME, ClusterLocation, ClusterOwner, find_location, socket_folder
from homing.store.embedded.lock import FileLock
from homing.store.embedded.settings import THROW_AWAY, server_command

POLL_S = 0.01
"""Poll interval. The server is up within 0.1 s, so longer intervals would be noticed."""

START_S = 600.0
"""How long the server may take to be ready. Replaying the write-ahead log after a crash can take minutes."""

STOP_S = sum(patience_s for _, patience_s in keeper_process.STOPPING) + 5.0
"""How long stopping may take: the keeper's time-outs, and some time for the processes to end."""

TURN_S = START_S + STOP_S
"""How long another process may keep us waiting while it starts or stops the server."""

HIRE_S = 30.0
"""How long the keeper may take to detach itself."""


class EmbeddedPostgres:
    """One process's use of the embedded PostgreSQL of a data folder.

        with EmbeddedPostgres(Path("data")) as dsn: ...

    Not for several threads at once. A forked child shares the parent's use: the server lives until both have
    ended or closed.
    """

    def __init__(
        self,
        data: Path,
        *,
        user: str | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        root_home: Path = ROOT_HOME,
    ) -> None:
        """Does nothing on disk yet.

        data: Homing's data folder, made on first use. user: the user that root runs a new database as, None for
        the default. durable: False is for tests only: nothing waits for the disk. settings: PostgreSQL's,
        over those of Homing, if this process starts the server. root_home: where root keeps the programs and the
        clusters that cannot lie in the data folder.
        """
        self._data = data
        self._user = user
        self._durable = durable
        self._settings = {**({} if durable else THROW_AWAY), **(settings or {})}
        self._root_home = root_home
        self._share: FileLock | None = None
        self._location: ClusterLocation | None = None
        self._sockets = Path()
        self._dsn = ""

    def open(self) -> str:
        """Starts the server unless it runs; returns its DSN, over a Unix socket: the database `homing` as its owner,
        the role `homing`, which is no superuser.

        Waits while another process starts or stops it. Once open, returns the DSN again. The DSN
        holds the password: do not log it. Raises EmbeddedError.
        """
        if self._share is not None:
            return self._dsn
        try:
            make_data_folder(self._data)
            self._data = self._data.resolve()
            with self._start_lock() as starting:
                share = self._take_share()
                try:
                    location = find_location(self._data, self._user, self._root_home)
                    password = password_of(self._data, location.cluster)
                    ensure_cluster(self._data, location, password, durable=self._durable, starting=starting)
                    postmaster = self._ensure_running(location)
                except BaseException:
                    share.close()  # and the keeper, if there is one already, stops what was started
                    raise
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedError(f"The database of {self._data} cannot be opened: {error}.") from error
        self._share, self._location = share, location
        self._sockets = postmaster.sockets
        self._dsn = self._dsn_of(ROLE, password)
        return self._dsn

    def close(self) -> None:
        """Ends this process's use. If it was the last, returns when PostgreSQL has stopped.

        Close every connection first: the server breaks off those that are left. Does nothing if not open.
        Raises EmbeddedError if the server does not stop, OSError if the data folder has gone.
        """
        if self._share is None or self._location is None:
            return
        share, self._share = self._share, None
        share.close()
        with self._start_lock():
            for _ in _ticks(STOP_S):
                if self._has_other_users() or not self._is_running(self._location):
                    return
        raise EmbeddedError(f"PostgreSQL has not stopped within {STOP_S:.0f} s, see {self._location.log}.")

    def revive(self) -> bool:
        """Restarts the server if it has ended; gives whether it had. The DSN stays the same.

        Waits while another process starts or stops it. Raises EmbeddedError when it does not start; that
        can be tried again.
        """
        assert self._share is not None
        assert self._location is not None
        try:
            with self._start_lock():
                if self._is_running(self._location):
                    return False
                self._ensure_running(self._location)
                return True
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedError(f"The database of {self._data} cannot be started again: {error}.") from error

    @property
    def superuser_dsn(self) -> str | None:
        """The DSN of the cluster's superuser, for operators and tests.

        None for a cluster made before there was such a role: the superuser of that is the role `homing`. Call while
        open.
        """
        assert self._share is not None
        password = superuser_password(self._data)
        return self._dsn_of(SUPERUSER, password) if password else None

    @property
    def share(self) -> int:
        """The descriptor of this process's use. A child that is given it uses the server too, as long as it lives."""
        assert self._share is not None
        return self._share.fileno()

    @property
    def pid(self) -> int | None:
        """The process id of the server (of its postmaster), None if it is not running or this is not open."""
        postmaster = read_postmaster(self._location.cluster) if self._share and self._location else None
        return postmaster.pid if postmaster else None

    @property
    def folder(self) -> Path | None:
        """Where the database lies; for root it may be outside the data folder. None before `open`."""
        return self._location.folder if self._location else None

    @property
    def set_aside(self) -> Path | None:
        """The new place of a database that a removed data folder of this name had left behind. None before `open`."""
        return self._location.set_aside if self._location else None

    @property
    def owner(self) -> ClusterOwner | None:
        """The database's owner, the only user beside root who can connect. None before `open`."""
        return self._location.owner if self._location else None

    def __enter__(self) -> str:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _dsn_of(self, role: str, password: str) -> str:
        host = quote(os.fsencode(self._sockets))
        return f"postgresql://{role}:{quote(password, safe='')}@/{DATABASE}?host={host}"

    @contextlib.contextmanager
    def _start_lock(self) -> Iterator[FileLock]:
        """Holds the start lock: inside, no other process starts, stops or counts the users."""
        with FileLock(self._data / "database.start.lock") as lock:
            for _ in _ticks(TURN_S):
                if lock.try_exclusive():
                    break
            else:
                raise EmbeddedError(
                    f"Another process has been starting or stopping the database of {self._data} for {TURN_S:.0f} s."
                )
            yield lock

    def _take_share(self) -> FileLock:
        """Joins the users, after a keeper that is just stopping the server has finished."""
        share = FileLock(self._data / "database.lock")
        for _ in _ticks(STOP_S):
            if share.try_shared():
                return share
        share.close()
        raise EmbeddedError(f"The last PostgreSQL of {self._data} has not stopped within {STOP_S:.0f} s.")

    def _ensure_running(self, location: ClusterLocation) -> Postmaster:
        """Returns once the server is ready, started by us if by nobody else. Our share keeps it from being stopped."""
        started = False
        for _ in _ticks(START_S):
            if not self._is_running(location):
                if started:
                    raise EmbeddedError(f"PostgreSQL did not start. Last log lines:\n{last_lines(location.log)}")
                self._start(location)
                started = True
            postmaster = read_postmaster(location.cluster)
            if postmaster and postmaster.ready and postmaster.answers():
                return postmaster
        raise EmbeddedError(
            f"PostgreSQL is not ready after {START_S:.0f} s. Last log lines:\n{last_lines(location.log)}"
        )

    def _is_running(self, location: ClusterLocation) -> bool:
        """Whether a keeper looks after a server. One that has lost its keeper gets a new one."""
        with self._keeper_lock() as lock:
            if not lock.try_exclusive():
                return True
            postmaster = read_postmaster(location.cluster)
            if postmaster is None or not postmaster.answers():
                return False
            self._start_keeper(location, lock, [], ENVIRONMENT)
            return True

    def _start(self, location: ClusterLocation) -> None:
        """Starts a keeper that starts the server. Only when it is not running, while we hold the start lock."""
        environment = dict(ENVIRONMENT)
        stale = read_postmaster(location.cluster)
        if stale is not None:
            # The server crashed and left its file. If its process id now belongs to somebody else of the same
            # user, PostgreSQL takes that for a running server, unless it is told that the process is its
            # grandparent (as pg_ctl tells it). Its other check, that nobody is attached to the old shared
            # memory, still holds.
            environment["PG_GRANDPARENT_PID"] = str(stale.pid)
        postgres = location.programs / "postgres"
        command = server_command(postgres, location.cluster, socket_folder(location), self._settings)
        with self._keeper_lock() as lock:
            if lock.try_exclusive():
                self._start_keeper(location, lock, command, environment)

    def _start_keeper(
        self, location: ClusterLocation, keeper_lock: FileLock, command: list[str], environment: Mapping[str, str]
    ) -> None:
        """Leaves a keeper behind that holds `keeper_lock`, which we hold and then only have to close."""
        owner = (-1, -1) if location.owner.is_us else (location.owner.uid, location.owner.gid)
        with FileLock(self._data / "database.lock") as users_lock:
            descriptors = (users_lock.fileno(), keeper_lock.fileno())
            arguments = (*descriptors, *owner, location.cluster, location.log, *command)
            result = subprocess.run(  # noqa: S603  # our own interpreter, arguments as a list
                [sys.executable, "-I", "-S", keeper_process.__file__, *map(str, arguments)],
                check=False,
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=descriptors,
                timeout=HIRE_S,
            )
        if result.returncode != 0:
            raise EmbeddedError(
                f"The keeper of {location.folder} could not be started (exit status {result.returncode})."
            )

    def _keeper_lock(self) -> FileLock:
        return FileLock(self._data / "database.keeper.lock")

    def _has_other_users(self) -> bool:
        """Whether anybody holds a share. Valid only while we hold the start lock and no share."""
        with FileLock(self._data / "database.lock") as lock:
            # If neither is possible, the keeper has it. That is no user: it is stopping the server.
            return not lock.try_exclusive() and lock.try_shared()


def _ticks(timeout_s: float) -> Iterator[None]:
    """Yields every POLL_S seconds, at once for the first time, until `timeout_s` has passed."""
    deadline = time.monotonic() + timeout_s
    yield
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        yield
