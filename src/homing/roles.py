"""The interface between the parent process and its children."""

from typing import Final

READY: Final = "ready"
"""The line that a process prints when it is ready."""

RUN: Final = "run"
METRICS: Final = "metrics"
MARKS: Final = "written"
"""Folders that the processes write: `run` in the data folder, and in it those of metrics and written marks."""
