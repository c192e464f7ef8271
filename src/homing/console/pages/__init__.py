"""Every page of the console. A module of pages gives a `SECTION`; the order here is the navigation's."""

from collections.abc import Sequence
from typing import Final

from homing.console.page import Section
from homing.console.pages import (
    audit,
    carriers,
    conversions,
    guard,
    live,
    overview,
    preferences,
    routes,
    settings,
    sign_in,
    users,
    welcome,
    you,
)

SECTIONS: Final[Sequence[Section]] = (
    overview.SECTION,
    conversions.SECTION,
    routes.SECTION,
    carriers.SECTION,
    guard.SECTION,
    users.SECTION,
    settings.SECTION,
    audit.SECTION,
    you.SECTION,
    sign_in.SECTION,
    welcome.SECTION,
    preferences.SECTION,
    live.SECTION,
)
