"""What a parent and its processes agree on."""

from typing import Final

READY: Final = "ready"
"""The line that a process prints when it takes work."""
