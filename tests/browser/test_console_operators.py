"""What operators do, in a real browser: a route is made and tried, a prefix blocked, a carrier drained, a user made."""

from playwright.async_api import Page, expect

from homing.admin import carriers
from tests.support.browser import PHONE, Opening, picture
from tests.support.server import Server
from tests.support.viewer import signed_in


async def flash(page: Page) -> str:
    return await page.locator("[role=status]").first.inner_text()


async def test_a_route_is_made_and_a_number_tried(opened: Opening, server: Server, console: str) -> None:
    account = await server.account(prices={"4499": "0.05"})
    _name, viewer = await signed_in(console, server.database)
    async with opened(viewer.cookies) as page:
        await page.goto("/routes")
        await page.get_by_role("link", name="Add a route").first.click()
        await page.get_by_label("Number prefix").fill("44x99")
        await page.get_by_label("Account").fill(account.name)
        await page.get_by_label("Carrier").select_option("simulator-a")
        await page.get_by_role("button", name="Add").click()
        assert "is not a valid prefix" in await page.locator("[role=alert]").inner_text()
        assert await page.get_by_label("Account").input_value() == account.name, "what was entered stays"
        await page.get_by_label("Number prefix").fill("4499")
        await page.get_by_label("Strategy").select_option("Adaptive")
        await page.get_by_role("button", name="Add").click()
        assert "to carrier simulator-a added." in await flash(page)
        await page.get_by_role("link", name="Route tester").click()
        await page.get_by_label("Number", exact=True).fill("+449900000001")
        await page.get_by_label("Account").fill(account.name)
        await page.get_by_role("button", name="Test").click()
        row = page.locator("tbody tr").first
        await expect(row).to_contain_text("simulator-a")
        await expect(row).to_contain_text("only carrier at its priority level")
        await picture(page, "route-tried-desk-light")


async def test_a_prefix_is_blocked_without_scripts_and_the_dialect_refuses_it(
    opened: Opening, server: Server, console: str
) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    hostile = "<script>alert(1)</script>"
    async with opened(viewer.cookies, size=PHONE, scripts=False) as page:
        await page.goto("/guard/lists")
        await page.get_by_text("Add to a list").click()
        form = page.locator("form", has=page.get_by_label("Destination"))
        await form.get_by_label("Destination").fill("8613822")
        await form.get_by_label("Account").fill(account.name)
        await form.get_by_label("Note").fill(hostile)
        await form.get_by_role("button", name="Add").click()
        assert "8613822 added to the deny list." in await flash(page)
        await expect(page.locator("tbody").first).to_contain_text(hostile)
        await picture(page, "guard-lists-blocked-phone-light")
    await server.settled()
    reply = await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": "8613822000001", "content": "x"}
    )
    assert reply.json["status"] != "0"


async def test_a_carrier_is_drained_and_opened_again(opened: Opening, server: Server, console: str) -> None:
    await carriers.add_carrier(server.database, "spare", "simulator")
    _name, viewer = await signed_in(console, server.database)
    async with opened(viewer.cookies) as page:
        await page.goto("/carriers/spare")
        await page.get_by_role("button", name="Drain").click()
        assert "is draining" in await flash(page)
        await expect(page.get_by_role("button", name="Drain")).to_have_count(0)
        await picture(page, "carrier-drained-desk-light")
        await page.get_by_role("button", name="Enable").click()
        assert "Carrier spare enabled." in await flash(page)


async def test_a_mode_is_chosen_by_keyboard(opened: Opening, server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    async with opened(viewer.cookies) as page:
        await page.goto("/guard")
        await page.locator("input[name=mode_range][value='2']").focus()
        await page.keyboard.press("ArrowLeft")
        await page.get_by_label("Apply to account").fill(account.name)
        await page.keyboard.press("Enter")
        assert "Rules saved." in await flash(page)
        await expect(page.get_by_text(f"only for account {account.name}")).to_be_visible()
    await server.query("DELETE FROM guard_mode WHERE account_id = $1", account.account_id)


async def test_a_user_is_made_and_the_link_shown_once(opened: Opening, server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    async with opened(viewer.cookies) as page:
        await page.goto("/users")
        await page.get_by_text("Add a user").click()
        form = page.locator("form", has=page.get_by_label("Role"))
        await form.get_by_label("Name").fill("newcomer")
        await form.get_by_label("Role").select_option("Support")
        await form.get_by_role("button", name="Add").click()
        await expect(page.locator(".once")).to_contain_text("/welcome/")
        await picture(page, "user-link-desk-light")
        await page.get_by_role("link", name="Done").click()
        await expect(page.get_by_role("link", name="newcomer")).to_be_visible()
        assert "/welcome/" not in await page.content()
