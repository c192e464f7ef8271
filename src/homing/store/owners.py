"""Owners of leases: `host:pid:process`."""

import os


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
