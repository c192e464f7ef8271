"""Language, theme and zone, kept in cookies."""

from starlette.responses import Response

from homing.console.formats import zone_named
from homing.console.page import STRANGERS, Page, Section
from homing.console.visit import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, ZONE_COOKIE, Visit


async def show(visit: Visit) -> Response:
    return visit.go("/")


async def change(visit: Visit) -> Response:
    """Each button sends what it sets and leaves the rest alone."""
    language, theme, zone = visit.field("language"), visit.field("theme"), visit.field("zone")
    if language in {one.code for one in visit.shared.languages}:
        visit.set_cookie(LANGUAGE_COOKIE, language)
    if theme in THEMES:
        visit.set_cookie(THEME_COOKIE, theme)
    if zone and zone_named(zone).key == zone:
        visit.set_cookie(ZONE_COOKIE, zone)
    return visit.go(visit.field("back", "/"))


SECTION = Section((Page("/preferences", show, change, seen_by=STRANGERS),))
