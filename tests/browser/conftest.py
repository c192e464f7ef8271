"""A browser for the tests: Debian's Chromium, driven by Playwright.

Where the package chromium-headless-shell is installed it is taken: it draws the same pages in a third of the time.
"""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.support.browser import DESK, Opening
from tests.support.waiting import WAIT_S

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("there is no Chromium here: install the package chromium, or name the program in CHROMIUM")
    expect.set_options(timeout=WAIT_S * 1000)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield started
        with contextlib.suppress(Exception):  # it may have ended with the test
            await started.close()


@pytest.fixture
def opened(browser: Browser, console: str) -> Opening:
    """`async with opened(cookies, ...) as page`: a page of a fresh browser at the console. What the browser complains
    about (a script, a style or a picture that the content policy stops, a failed script) fails the test.
    """

    @asynccontextmanager
    async def open_page(cookies: dict[str, str] | None = None, **settings: Any) -> AsyncIterator[Page]:
        page = await _new_page(browser, console, cookies, **settings)
        try:
            async with _without_complaints(page):
                yield page
        finally:
            await page.context.close()

    return open_page


@pytest.fixture(scope="session")
async def kept(browser: Browser, console: str) -> AsyncIterator[Opening]:
    """As `opened`, for tests that only look: the page stays open for the next test with the same arguments, since a
    fresh browser costs more than most looks.
    """
    pages: dict[str, Page] = {}

    @asynccontextmanager
    async def open_page(cookies: dict[str, str] | None = None, **settings: Any) -> AsyncIterator[Page]:
        key = repr((cookies, settings))
        if key not in pages:
            pages[key] = await _new_page(browser, console, cookies, **settings)
        async with _without_complaints(pages[key]):
            yield pages[key]

    yield open_page
    for page in pages.values():
        with contextlib.suppress(Exception):  # the browser may have ended with a test
            await page.context.close()


async def _new_page(
    browser: Browser,
    console: str,
    cookies: dict[str, str] | None,
    size: tuple[int, int] = DESK,
    theme: Literal["light", "dark"] = "light",
    scripts: bool = True,
    **settings: Any,
) -> Page:
    context = await browser.new_context(
        base_url=console,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        java_script_enabled=scripts,
        timezone_id="Asia/Shanghai",
        **settings,
    )
    context.set_default_timeout(WAIT_S * 1000)
    await context.add_cookies(
        [{"name": name, "value": value, "url": console} for name, value in (cookies or {}).items()]
    )
    return await context.new_page()


@asynccontextmanager
async def _without_complaints(page: Page) -> AsyncIterator[None]:
    complaints: list[str] = []

    def failed(error: object) -> None:
        complaints.append(str(error))

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and "the server responded with a status of" not in message.text:
            complaints.append(message.text)

    page.on("pageerror", failed)
    page.on("console", said)
    try:
        yield
    finally:
        page.remove_listener("pageerror", failed)
        page.remove_listener("console", said)
    assert complaints == []
