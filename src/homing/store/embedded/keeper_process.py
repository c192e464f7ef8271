"""The keeper: a small process beside the embedded PostgreSQL that lets the server live no longer than its users.

Every process that uses the database holds a share of one lock file. The keeper waits for that file
exclusively. The kernel grants it when the last user has let go, whether by an orderly close or by `kill -9`;
then the keeper stops the server. So there is one way in which the server ends, and it does not depend on
anybody's clean-up code having run.

The keeper is also the server's parent, so it reaps it, and it reads what the server logs, so the log stays
within bounds. Its life is the server's life: while the keeper's own lock is held there is a server, when it
is free there is none. Only if a keeper was itself killed does the next user hire one for the running server;
that one cannot read the log.

It runs as the server's user, never as root, and is a plain script on a bare interpreter (about 9 MB), hence
no imports from Homing. Arguments:

    LOCK_FD KEEPER_FD UID GID CLUSTER LOG [COMMAND...]

    LOCK_FD     the users' lock file, opened for the keeper alone
    KEEPER_FD   the keeper's lock, already taken
    UID, GID    whom to become, or -1 to stay
    CLUSTER     PostgreSQL's data folder
    LOG         the log file's path
    COMMAND     the server to start, absolute path first; without it, look after the one in CLUSTER/postmaster.pid
"""

import contextlib
import fcntl
import os
import signal
import sys
import threading
import time

LOG_BYTES_MAX = 8 * 1024 * 1024
"""The log file is set aside as LOG.1 when it reaches this size; there are never more than the two."""

STOPPING = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
"""How a server is stopped: signal, and how many seconds it gets before the next one.

SIGINT is PostgreSQL's fast shutdown: roll back, checkpoint, exit. SIGQUIT skips the checkpoint: the next
start recovers from the log and loses nothing that was committed. A server that is not ready, since it still recovers
from a crash, gets that at once: a fast shutdown of one in recovery can wait for its checkpointer for ever (PostgreSQL
18.6), and there is nothing that it would save. SIGKILL is for a postmaster that no longer
reacts; its children notice.
"""

ADOPTED_POLL_S = 0.2
"""Interval at which a keeper that is not the server's parent checks that the server exists."""

NOT_FOR_US = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ignored: a supervisor that signals its whole group must not end the keeper before the server."""


def main(arguments: list[str]) -> None:
    """Runs a keeper to its end; returns only in the parent of the detached process, at once."""
    lock_fd, keeper_fd, uid, gid = map(int, arguments[:4])
    cluster, log, *command = arguments[4:]
    become(uid, gid)
    for number in NOT_FOR_US:
        signal.signal(number, signal.SIG_IGN)
    # PostgreSQL must inherit neither lock: its share of the open files would keep them held.
    os.set_inheritable(lock_fd, False)
    os.set_inheritable(keeper_fd, False)
    if os.fork():
        return  # whoever hired us waits for this process only, and is never the keeper's parent

    open_log(log)
    if command:
        pid, output = start(command)
        end_with_users(lock_fd, pid, cluster)
        copy_log(output, log)
        os.waitpid(pid, 0)
    else:
        adopted = postmaster_of(cluster)
        if adopted is not None:
            end_with_users(lock_fd, adopted, cluster)
            while postmaster_of(cluster) == adopted:
                time.sleep(ADOPTED_POLL_S)
    os._exit(0)  # the waiting thread, if any, has nothing left to do


def become(uid: int, gid: int) -> None:
    """Gives up root for good. -1 stays who we are. Files made from here on are for that user only."""
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)


def start(command: list[str]) -> tuple[int, int]:
    """Starts the server; returns its process ID and the reading end of its output. Raises OSError."""
    output, writing_end = os.pipe()
    pid = os.posix_spawn(
        command[0],
        command,
        dict(os.environ),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writing_end, 1),
            (os.POSIX_SPAWN_DUP2, writing_end, 2),
        ],
        setsigdef=(*NOT_FOR_US, signal.SIGPIPE),  # ignored by us and by Python, not by what the server runs
    )
    os.close(writing_end)
    return pid, output


def end_with_users(lock_fd: int, pid: int, cluster: str) -> None:
    """From now on stops process `pid` as soon as nobody holds a share of the lock file. Returns at once."""

    def wait_and_stop() -> None:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)  # kept while stopping: newcomers wait, then start afresh
        for number, patience_s in STOPPING if is_ready(cluster) else STOPPING[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            time.sleep(patience_s)  # cut short by the main thread, which ends the process with the server

    threading.Thread(target=wait_and_stop, daemon=True).start()


def open_log(path: str) -> None:
    """Makes `path` our own standard error, so that a keeper's own errors are in the log too."""
    log_fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.dup2(log_fd, 2)
    os.close(log_fd)


def copy_log(output: int, path: str) -> None:
    """Copies the server's output into the log until all its processes have ended."""
    while chunk := os.read(output, 65536):
        # A full disk costs the log, not the server: it would block on a pipe that nobody reads.
        with contextlib.suppress(OSError):
            if os.fstat(2).st_size + len(chunk) > LOG_BYTES_MAX:
                os.replace(path, path + ".1")
                open_log(path)
            os.write(2, chunk)


def is_ready(cluster: str) -> bool:
    """Whether the server takes connections, by the last line of CLUSTER/postmaster.pid."""
    try:
        with open(os.path.join(cluster, "postmaster.pid")) as lines:
            return lines.read().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def postmaster_of(cluster: str) -> int | None:
    """The live process that CLUSTER/postmaster.pid names, None if there is none that we may signal."""
    try:
        with open(os.path.join(cluster, "postmaster.pid")) as lines:
            pid = int(lines.readline())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


if __name__ == "__main__":
    main(sys.argv[1:])
