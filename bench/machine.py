"""The machine that figures were taken on: what a reader needs to weigh them, and nothing that names it."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def describe() -> dict[str, str | int | float]:
    """Processor, cores, memory (GiB), kernel, Python, the date (UTC, ISO 8601). No host name, no paths."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def cpu_seconds(pids: list[int]) -> float:
    """CPU that these processes and their ended children have used so far, user and system, in seconds.

    The difference over a run, divided by its requests, is a cost that other users of the machine blur less than a rate.
    """
    ticks = 0
    for pid in pids:
        try:
            line = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a database worker that has just ended: its parent counts it from now on
        # proc(5): own time is in fields 14 and 15, the reaped children's in 16 and 17; the second field may hold
        # spaces, so count from its bracket
        ticks += sum(map(int, line.rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _field(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
