"""What the browser tests say of pages: sizes, how one is opened, its picture."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from playwright.async_api import Page

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"
DESK = (1280, 800)
PHONE = (390, 844)

Opening = Callable[..., AbstractAsyncContextManager[Page]]


async def picture(page: Page, name: str) -> None:
    """Keeps what the page looks like, whole, in a folder that git ignores."""
    SCREENSHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
