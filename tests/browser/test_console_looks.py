"""Every page of the console in a real browser: in both themes, on a desk and on a phone, in every language, and as who
uses a keyboard or a screen reader meets it.
"""

from collections.abc import Mapping

import pytest
from playwright.async_api import expect

from homing.admin.account_settings import change_app
from homing.model import UserRole
from tests.support.browser import DESK, LANGUAGES, PHONE, Opening, check, check_width, picture
from tests.support.server import Account, Server
from tests.support.viewer import Viewer, new_link, signed_in

PAGES: Mapping[str, str] = {
    "overview": "/?span=1h",
    "overview-month": "/?span=30d",
    "messages": "/messages",
    "messages-nothing": "/messages?find=nothing-like-it&state=failed",
    "verifications": "/verifications",
    "verifications-nothing": "/verifications?status=cancelled&account=demo",
    "refusals": "/refusals?span=7d",
    "pushes": "/pushes",
    "pushes-all": "/pushes?show=recent",
    "pushes-replay": "/pushes/replay",
    "receipts": "/receipts",
    "receipts-drop": "/receipts/drop",
    "carriers": "/carriers",
    "carrier": "/carriers/simulator-a",
    "routes": "/routes",
    "route": "/routes/3",
    "route-new": "/routes/new",
    "route-explained": "/routes/explain?number=8613800138000",
    "routes-learnt": "/routes/learnt",
    "guard": "/guard",
    "guard-decisions": "/guard/decisions",
    "guard-lists": "/guard/lists",
    "guard-strictness": "/guard/strictness",
    "conversions": "/conversions",
    "verified": "/verified",
    "users": "/users",
    "user": "/users/1",
    "settings": "/settings",
    "audit": "/audit",
    "you": "/you",
    "second-factor": "/you/second-factor",
    "accounts": "/accounts",
    "account": "/accounts/demo",
    "account-statement": "/accounts/demo/statement",
    "account-credentials": "/accounts/demo/credentials",
    "account-apps": "/accounts/demo/apps",
    "account-app": "/accounts/demo/apps/one?id=4luaKsL2",
    "account-codes": "/accounts/demo/codes",
    "account-send": "/accounts/demo/send",
    "account-webhooks": "/accounts/demo/webhooks",
    "account-prices": "/accounts/demo/prices",
    "account-texts": "/accounts/demo/texts",
    "account-settings": "/accounts/demo/settings",
    "account-quickstart": "/accounts/demo/quickstart",
    "prices": "/prices",
    "words": "/words",
    "nowhere": "/nowhere",
}
"""By the name of the picture. A new page has a line here."""
PORTAL: Mapping[str, str] = {
    "portal": "/",
    "portal-account": "/account",
    "portal-statement": "/account/statement",
    "portal-credentials": "/credentials",
    "portal-apps": "/apps",
    "portal-app": "/apps/one?id=4luaKsL2",
    "portal-codes": "/codes",
    "portal-verified": "/verified",
    "portal-send": "/send",
    "portal-verifications": "/verifications",
    "portal-refusals": "/refusals",
    "portal-quickstart": "/quickstart?dialect=laaffic",
}
"""Likewise, of a customer."""
DOORS: Mapping[str, str] = {"sign-in": "/sign-in", "welcome-too-late": "/welcome/x"}
"""Likewise, of who is not signed in."""


@pytest.fixture(scope="session")
async def operator(server: Server, console: str) -> Mapping[str, str]:
    """An operator's cookies; there are messages to see."""
    _name, viewer = await signed_in(console, server.database)
    account = await server.account()
    numbers = [f"86138001{n:02d}000{1 + n % 3}"[:13] for n in range(20)] + [f"9198765{n:02d}001" for n in range(9)]
    for number in numbers:
        await server.client.laaffic(
            account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": number, "content": "Your code"}
        )
    await server.query(
        "INSERT INTO guard_backtest (account_id, strictness, made_at, since, until, messages, charge_micro, refused,"
        " refused_micro, people, people_low, people_high) SELECT $1, n, now(), now() - interval '14 days', now(),"
        " 98765, 3950600000, 12000 + n, 480000000 + n, CASE WHEN n > 1 THEN 31.4 END, CASE WHEN n > 1 THEN 20 END,"
        " CASE WHEN n > 1 THEN 47 END FROM generate_series(1, 3) AS n",
        account.account_id,
    )
    return viewer.cookies


@pytest.fixture(scope="session")
async def shop(server: Server) -> Account:
    """Not the demo's: what is said of a fresh one is compared letter by letter elsewhere."""
    return await server.account()


@pytest.fixture(scope="session")
async def customer(server: Server, console: str, shop: Account) -> Mapping[str, str]:
    """The cookies of somebody of an account that has sent something and may push somewhere."""
    account = shop
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    async with server.database.transaction() as transaction:
        await change_app(transaction, account.app, {"report_url": "https://shop.example/sms/reports"})
    body = {"appId": account.app, "numbers": "8613800130001,8613800130003", "content": "Your code"}
    await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    return viewer.cookies


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (PHONE, "dark")])
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_looks_right(
    name: str, size: tuple[int, int], theme: str, kept: Opening, operator: Mapping[str, str]
) -> None:
    async with kept(dict(operator), size=size, theme=theme) as page:
        answer = await page.goto(PAGES[name])
        assert answer is not None
        assert answer.status == (404 if name == "nowhere" else 200)
        await page.wait_for_load_state()
        await picture(page, f"{name}-{'phone' if size == PHONE else 'desk'}-{theme}")
        await check(page, name)


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (PHONE, "dark")])
@pytest.mark.parametrize("name", PORTAL)
async def test_a_page_of_the_portal_looks_right(
    name: str, size: tuple[int, int], theme: str, kept: Opening, customer: Mapping[str, str]
) -> None:
    async with kept(dict(customer), size=size, theme=theme) as page:
        await page.goto(PORTAL[name])
        await page.wait_for_load_state()
        await picture(page, f"{name}-{'phone' if size == PHONE else 'desk'}-{theme}")
        await check(page, name)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_the_quickstarts_languages_are_chosen_with_the_keyboard(
    scripts: bool, opened: Opening, customer: Mapping[str, str], shop: Account
) -> None:
    async with opened(dict(customer), scripts=scripts) as page:
        await page.goto("/quickstart?dialect=laaffic")
        await expect(page.locator("#p-curl")).to_be_visible()
        await page.locator("#t-curl").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("#p-python")).to_be_visible()
        await expect(page.locator("#p-curl")).to_be_hidden()
        await page.get_by_text("Java", exact=True).click()
        await expect(page.locator("#p-java")).to_contain_text("public class Send")
        await page.get_by_role("button", name="Reveal the secret").click()
        await expect(page.locator("#p-java")).to_contain_text(shop.secret)
        await expect(page.locator("#p-java")).to_be_visible()
        assert shop.secret not in page.url
        await expect(page.locator(".s-java [data-copy]")).to_be_visible(visible=scripts)


async def test_a_program_is_copied_as_it_is_shown(opened: Opening, customer: Mapping[str, str]) -> None:
    async with opened(dict(customer), permissions=["clipboard-read", "clipboard-write"]) as page:
        await page.goto("/quickstart?dialect=lia")
        await page.locator(".s-curl [data-copy]").click()
        await expect(page.locator(".s-curl [data-copy]")).to_have_text("Copied")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == await page.locator("#p-curl").text_content()


async def test_an_operator_tops_up_and_locks_an_account(opened: Opening, server: Server, console: str) -> None:
    account = await server.account(balance="0")
    _name, viewer = await signed_in(console, server.database)
    async with opened(viewer.cookies, scripts=False) as page:
        await page.goto("/accounts?q=" + account.name)
        await page.get_by_role("link", name=account.name, exact=True).click()
        await page.get_by_label("Amount (USD)").fill("25")
        await page.get_by_role("button", name="Confirm").click()
        await expect(page.locator("[role=status]")).to_have_text("$25.00 posted.")
        await expect(page.locator(".tile dd").first).to_have_text("$25.00")
        await page.get_by_label("Reason for locking").fill("unpaid")
        await page.get_by_role("button", name="Lock the account").click()
        await expect(page.locator(".note.bad")).to_contain_text("unpaid")
        await server.settled()
        body = {"appId": account.app, "numbers": "8613800130001", "content": "x"}
        reply = await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
        assert reply.json["status"] == "-13"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", DOORS)
async def test_a_page_before_signing_in_looks_right(name: str, theme: str, opened: Opening) -> None:
    for size in (DESK, PHONE):
        async with opened(size=size, theme=theme) as page:
            await page.goto(DOORS[name])
            await picture(page, f"{name}-{'phone' if size == PHONE else 'desk'}-{theme}")
            await check(page, name)


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
async def test_a_page_fits_in_every_other_language(language: str, opened: Opening, operator: Mapping[str, str]) -> None:
    async with opened({**operator, "homing_language": language}, size=PHONE) as page:
        for path in PAGES.values():
            await page.goto(path)
            assert await page.locator("html").get_attribute("lang") == language
            await check_width(page, path)
    async with opened({**operator, "homing_language": language}) as page:
        await page.goto("/?span=1h")
        await picture(page, f"overview-{language}")


@pytest.mark.parametrize("width", [768, 1024])
async def test_a_page_fits_between_a_phone_and_a_desk(width: int, opened: Opening, operator: Mapping[str, str]) -> None:
    async with opened(dict(operator), size=(width, 900)) as page:
        for path in PAGES.values():
            await page.goto(path)
            await check_width(page, path)


async def test_the_chosen_theme_stands_above_the_systems(opened: Opening, operator: Mapping[str, str]) -> None:
    async with opened(dict(operator), theme="light") as page:
        await page.goto("/audit")
        shade = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(shade)
        await page.get_by_role("button", name="Dark").click()
        await page.wait_for_url("**/audit")
        dark = await page.evaluate(shade)
        assert light != dark
        assert await page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"
        await page.get_by_role("button", name="Automatic").click()
        await page.wait_for_url("**/audit")
        assert await page.evaluate(shade) == light


async def test_a_keyboard_is_enough(opened: Opening, server: Server, console: str) -> None:
    """The first stop leads past the navigation; a form is filled in and sent without a pointer."""
    name, _viewer = await signed_in(console, server.database)
    async with opened() as page:
        await page.goto("/sign-in")
        await expect(page.locator("[name=name]")).to_be_focused()
        await page.keyboard.type(name)
        await page.keyboard.press("Tab")
        await page.keyboard.type("a long enough password")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/")
        await page.keyboard.press("Tab")
        focused = "document.activeElement.textContent.trim()"
        assert await page.evaluate(focused) == "Skip to content"
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "one sees where one is"
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.getElementById('content').contains(document.activeElement)")


async def test_a_stranger_becomes_an_operator_with_a_second_factor(opened: Opening, server: Server) -> None:
    name, path = await new_link(server.database, UserRole.OPERATOR)
    async with opened(size=PHONE) as page:
        await page.goto(path)
        await picture(page, "welcome-phone-light")
        await check(page, "welcome")
        await page.get_by_label("Password", exact=True).fill("a long enough password")
        await page.get_by_label("Confirm password").fill("a long enough password")
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url("**/")
        assert f"Welcome, {name}." in await page.locator("[role=status]").inner_text()
        await page.get_by_role("link", name=name).click()
        await page.get_by_role("link", name="Set up").click()
        assert await page.locator(".qr svg").is_visible()
        await page.get_by_role("textbox", name="Code").fill("000000")
        await page.get_by_label("Your password").fill("a long enough password")
        await page.get_by_role("button", name="Turn on").click()
        assert "Wrong code" in await page.locator("[role=alert]").inner_text()
        await picture(page, "second-factor-wrong-phone-light")


async def test_everything_works_without_scripts(opened: Opening, server: Server, console: str) -> None:
    name, _viewer = await signed_in(console, server.database)
    async with opened(scripts=False) as page:
        await page.goto("/sign-in")
        await page.get_by_label("Name").fill(name)
        await page.get_by_label("Password", exact=True).fill("a long enough password")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("link", name="7 days").click()
        assert await page.get_by_role("link", name="7 days").get_attribute("aria-current") == "true"
        await page.get_by_role("button", name="繁體中文").click()
        assert await page.locator("h1").inner_text() == "總覽"
        assert "span=7d" in page.url
        assert "UTC" in await page.locator("footer").inner_text()
        await page.get_by_role("button", name="登出").click()
        assert await page.locator("h1").inner_text() == "登入"


async def test_an_open_page_follows_what_happens(opened: Opening, server: Server, console: str) -> None:
    """Figures change under one's eyes, what one has opened stays open, and times are in the browser's zone."""
    account = await server.account()
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    async with opened(viewer.cookies) as page:
        await page.goto("/?span=1h")
        await page.goto("/?span=1h")
        assert "Asia/Shanghai" in await page.locator("footer").inner_text()
        figure = page.locator(".tile dd").first
        await expect(figure).to_have_text("0")
        reply = await server.client.laaffic(
            account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": "8613800130001", "content": "x"}
        )
        assert reply.json["status"] == "0"
        await expect(figure).to_have_text("1")
        await page.locator("#text-messages summary").click()
        await server.client.laaffic(
            account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": "8613800130001", "content": "x"}
        )
        await expect(figure).to_have_text("2")
        assert await page.locator("#text-messages").get_attribute("open") is not None


async def test_script_in_what_people_wrote_is_shown_as_text(opened: Opening, server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    hostile = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>"
    other = Viewer(console)
    await other.get("/sign-in")
    await other.post("/sign-in", {"name": name, "password": "a long enough password"}, user_agent=hostile)
    async with opened(viewer.cookies) as page:
        ran: list[str] = []
        page.on("dialog", lambda dialog: ran.append(dialog.message))
        await page.goto("/you")
        assert hostile in await page.locator("tbody").inner_text()
        assert ran == []
        assert await page.locator("tbody img, tbody script").count() == 0
