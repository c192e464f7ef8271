"""Owners of leases: `host:pid:process`."""

import contextlib
import os
import socket


def is_dead(owner: str, own: str) -> bool:
    """Whether an owner ran on the machine of `own` and has ended."""
    host, pid, _process = owner.rsplit(":", 2)
    if host != own.rsplit(":", 2)[0] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def owner_of(process: str) -> str:
    """Of this process, by its name here."""
    return f"{machine()}:{os.getpid()}:{process}"


def machine() -> str:
    """The host, and the namespace of process ids where there are several of them (containers): it says whose ids those
    of owners are.
    """
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
        return f"{socket.gethostname()}/{namespace}"
    return socket.gethostname()
