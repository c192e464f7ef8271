"""Language, theme and zone, kept in cookies."""

from starlette.responses import Response

from homing.console.formats import zone_named
from homing.console.navigation import STRANGERS
from homing.console.page import Page, PageSection
from homing.console.request_context import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, ZONE_COOKIE, RequestContext


async def show(context: RequestContext) -> Response:
    return context.redirect("/")


async def change(context: RequestContext) -> Response:
    """Each button sends what it sets and leaves the rest alone."""
    language, theme, zone = context.field("language"), context.field("theme"), context.field("zone")
    if language in {supported.code for supported in context.console_state.languages}:
        context.set_cookie(LANGUAGE_COOKIE, language)
    if theme in THEMES:
        context.set_cookie(THEME_COOKIE, theme)
    if zone and zone_named(zone).key == zone:
        context.set_cookie(ZONE_COOKIE, zone)
    return context.redirect(context.field("back", "/"))


SECTION = PageSection((Page("/preferences", show, change, seen_by=STRANGERS),))
