"""An operator and a customer at the console, and the pictures of what they see."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Browser, async_playwright

from homing.model import UserRole
from homing.users.admin import create_user
from homing.users.links import make_link
from tests.support.installation import Installation
from tests.support.viewer import Viewer, accept
from tools.console_pictures.setup import SampleCustomer
from tools.console_pictures.traffic import SampleItems

OPERATOR: Final = "ada"
CUSTOMER: Final = "sam"
DESK: Final = (1280, 900)
TABLET: Final = (820, 980)
PHONE: Final = (420, 980)

UNCUT: Final = """
async () => {
    const bar = document.querySelector("nav"), words = [...bar.querySelectorAll("a span")];
    const here = bar.querySelector("[aria-current]"), end = innerWidth - 8;
    const isCut = box => box.left < 0 && box.right > 0 || box.left < end && box.right > end;
    for (let left = 0; left < bar.scrollWidth - bar.clientWidth; left++) {
        bar.scrollLeft = left;
        if (here && here.getBoundingClientRect().right > end) continue;
        if (!words.some(word => isCut(word.getBoundingClientRect()))) break;
    }
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    await frame();
}
"""
"""Scrolls the bar of pages to where it shows the present one and cuts no word; returns when that is drawn."""


@dataclass(frozen=True)
class Picture:
    """A page as a user sees it. `size`: width and height in pixels. `zoom`: below 1, more of the page is in the picture
    of the same size.
    """

    name: str
    path: str
    size: tuple[int, int]
    user: str = OPERATOR
    locale: str = "en-GB"
    theme: Literal["light", "dark"] = "light"
    zoom: float = 1.0


def pictures(items: SampleItems) -> tuple[Picture, ...]:
    return (
        Picture("overview-light", "/?span=1h", DESK),
        Picture("overview-dark", "/?span=1h", DESK, theme="dark"),
        Picture("overview-zh-light", "/?span=1h", DESK, locale="zh-CN"),
        Picture("overview-zh-dark", "/?span=1h", DESK, locale="zh-CN", theme="dark"),
        Picture("guard", "/guard", TABLET, zoom=0.86),
        Picture("message", f"/messages/{items.message_id}", TABLET, zoom=0.8),
        Picture("verification", f"/verifications/{items.verification_id}", TABLET),
        Picture("quickstart", "/quickstart", PHONE, user=CUSTOMER),
    )


async def take_pictures(installation: Installation, customer: SampleCustomer, items: SampleItems, folder: Path) -> None:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("there is no Chromium here: install the package chromium, or name the program in CHROMIUM")
    console = f"http://127.0.0.1:{installation.console_port}"
    cookies = {
        OPERATOR: await _signed_in(installation, console, OPERATOR, None),
        CUSTOMER: await _signed_in(installation, console, CUSTOMER, customer.account_id),
    }
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for picture in pictures(items):
            await _take(browser, console, picture, cookies[picture.user], folder / f"console-{picture.name}.png")
        await browser.close()


async def _signed_in(installation: Installation, console: str, name: str, account_id: int | None) -> Mapping[str, str]:
    """The cookies of a new user: of an account, or an operator."""
    role = UserRole.OPERATOR if account_id is None else UserRole.CUSTOMER
    async with installation.looked_into() as database, database.transaction() as transaction:
        token = await make_link(transaction, await create_user(transaction, name, role, account_id))
    viewer = Viewer(console)
    await viewer.follow(await accept(viewer, f"/welcome/{token}", name))  # which shows the notice of the sign-in
    return viewer.cookies


async def _take(browser: Browser, console: str, picture: Picture, cookies: Mapping[str, str], file: Path) -> None:
    width, height = picture.size
    context = await browser.new_context(
        base_url=console,
        viewport={"width": round(width / picture.zoom), "height": round(height / picture.zoom)},
        device_scale_factor=picture.zoom,
        color_scheme=picture.theme,
        locale=picture.locale,
        timezone_id="UTC",
    )
    await context.add_cookies([{"name": name, "value": value, "url": console} for name, value in cookies.items()])
    page = await context.new_page()
    await page.goto(picture.path)
    await page.evaluate("document.fonts.ready")
    await page.evaluate(UNCUT)
    await page.screenshot(path=file, animations="disabled")
    await context.close()
    print(file)
