"""What the browser tests say of pages: sizes, how one is opened, its picture."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"
DESK = (1280, 800)
PHONE = (390, 844)
LANGUAGES = ("en", "zh-Hans", "zh-Hant")
SERIOUS = ("serious", "critical")

Opening = Callable[..., AbstractAsyncContextManager[Page]]


async def picture(page: Page, name: str) -> None:
    """Keeps what the page looks like, whole, in a folder that git ignores, where the environment has PICTURES."""
    if "PICTURES" not in os.environ:
        return
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


async def check_width(page: Page, name: str) -> None:
    """A heading, and nothing wider than the screen."""
    assert await page.locator("h1, .empty h2").count() >= 1
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} is {wide} px wider than the screen"


async def check(page: Page, name: str) -> None:
    """A heading, nothing wider than the screen, and no serious fault that axe finds."""
    await check_width(page, name)
    found = await Axe().run(page)
    faults = [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found.response["violations"]
        if one["impact"] in SERIOUS
    ]
    assert faults == [], name
