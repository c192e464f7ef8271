"""structlog without rich, which it loads where it is installed for tracebacks that no log of ours shows: a tenth of the
time in which a process starts, and 5 MB of its memory. Imported for that effect, before anything that logs.
"""

import importlib
import sys
from typing import Any


def _load_without(name: str, hidden: str) -> None:
    """Imports a module that finds `hidden` not installed; it can be imported afterwards."""
    modules: dict[str, Any] = sys.modules
    if hidden in modules or name in modules:
        return
    modules[hidden] = None
    try:
        importlib.import_module(name)
    finally:
        del modules[hidden]


_load_without("structlog", "rich")
