"""The roles by name. A process imports its own role alone: all of them would cost it a second and 20 MB."""

import importlib
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Final

from homing.app.runtime import Runtime

OpenRole = Callable[[Runtime], Coroutine[None, None, None]]

ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api": "open_api",
        "link": "open_link",
        "smpp": "open_smpp",
        "console": "open_console",
    }
)
"""The function that opens each role, in the module `ROLE_role`."""


def load_role(role: str) -> OpenRole:
    """Raises KeyError for no role."""
    opens: OpenRole = getattr(importlib.import_module(f"homing.app.{role}_role"), ROLES[role])
    return opens
