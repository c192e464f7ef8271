"""Every page of the console. A module of pages gives a `SECTION`; the order here is the navigation's."""

from collections.abc import Sequence
from typing import Final

from homing.console.page import Section
from homing.console.pages import (
    account,
    account_settings,
    accounts,
    apps,
    audit,
    carriers,
    conversions,
    credentials,
    guard,
    live,
    messages,
    overview,
    preferences,
    prices,
    pushes,
    quickstart,
    receipts,
    routes,
    sign_in,
    statement,
    texts,
    welcome,
    you,
)

SECTIONS: Final[Sequence[Section]] = (
    overview.SECTION,
    conversions.SECTION,
    messages.SECTION,
    pushes.SECTION,
    receipts.SECTION,
    accounts.SECTION,
    account.SECTION,
    statement.SECTION,
    credentials.SECTION,
    apps.SECTION,
    quickstart.SECTION,
    texts.SECTION,
    account_settings.SECTION,
    prices.SECTION,
    routes.SECTION,
    carriers.SECTION,
    guard.SECTION,
    audit.SECTION,
    you.SECTION,
    sign_in.SECTION,
    welcome.SECTION,
    preferences.SECTION,
    live.SECTION,
)
