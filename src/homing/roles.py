"""What a parent and its processes agree on."""

from typing import Final

READY: Final = "ready"
"""The line that a process prints when it takes work."""

RUN: Final = "run"
METRICS: Final = "metrics"
MARKS: Final = "written"
"""Folders that the processes write: under the data folder, and in it those of metrics and of what may have left."""
