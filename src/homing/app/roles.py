"""The roles by name."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Final

from homing.app.api_role import open_api
from homing.app.console_role import open_console
from homing.app.link_role import open_link
from homing.app.runtime import Runtime
from homing.app.smpp_role import open_smpp

ROLES: Final[Mapping[str, Callable[[Runtime], Coroutine[None, None, None]]]] = {
    "api": open_api,
    "link": open_link,
    "smpp": open_smpp,
    "console": open_console,
}
