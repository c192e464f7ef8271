"""A browser for the tests: Debian's Chromium, driven by Playwright."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.support.browser import DESK, Opening
from tests.support.waiting import WAIT_S

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
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
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
    async def open_page(
        cookies: dict[str, str] | None = None,
        size: tuple[int, int] = DESK,
        theme: Literal["light", "dark"] = "light",
        scripts: bool = True,
        **settings: Any,
    ) -> AsyncIterator[Page]:
        context: BrowserContext = await browser.new_context(
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
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type == "error" and "the server responded with a status of" not in said.text
                else None
            ),
        )
        try:
            yield page
            assert complaints == []
        finally:
            await context.close()

    return open_page
