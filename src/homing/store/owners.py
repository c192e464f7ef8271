"""Processes as rows name them: `host:pid:process`."""

import os


def is_dead(owner: str, beside: str) -> bool:
    """Whether an owner (`host:pid:process`) ran where we do and runs no longer."""
    host, pid, _process = owner.rsplit(":", 2)
    if host != beside.rsplit(":", 2)[0] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
