"""From a customer's call to what people see of it, in a real browser, by each dialect."""

import json

import pytest
from playwright.async_api import expect

from homing.admin import carriers, routes
from homing.model import UserRole
from homing.routing.rules import RouteScope
from tests.support.browser import PHONE, Opening, picture
from tests.support.server import Account, Server
from tests.support.viewer import signed_in
from tests.support.waiting import until

LINGERING = "8613855"
"""Numbers whose carrier reports some seconds after it took a message: long enough to open its page meanwhile."""
RECEIPT_MS = 6_000


@pytest.fixture(scope="session")
async def lingering(server: Server, console: str) -> None:
    settings = {"submit_ms": 0, "receipt_ms_mean": RECEIPT_MS, "undeliverable": 0, "expired": 0}
    async with server.database.transaction() as transaction:
        carrier_id = await carriers.add_carrier(transaction, "lingering", "simulator", json.dumps(settings))
        await routes.set_route(transaction, RouteScope(prefix=LINGERING), carrier_id=carrier_id)
    await server.settled()
    session = "SELECT FROM carrier_session WHERE carrier_id = $1 AND leased_until > now()"
    await until(lambda: server.query(session, carrier_id))  # a process has the carrier's session


async def send(server: Server, account: Account, dialect: str, number: str, text: str) -> str:
    """The message's id, as the dialect gives it."""
    if dialect == "lia":
        reply = await server.client.lia(
            account, "SendSMS", sms_type="T", encoding="T", sender_id="HOMING", phonenumber=number, textmessage=text
        )
        assert reply.json["status"] == "S", reply
        return str(reply.json["message_id"])
    body = {"appId": account.app, "numbers": number, "content": text}
    reply = await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    assert reply.json["status"] == "0", reply
    return str(reply.json["array"][0]["msgId"])


@pytest.mark.parametrize("dialect", ["lia", "laaffic"])
async def test_what_a_customer_sends_is_found_and_seen_to_arrive(
    dialect: str, opened: Opening, server: Server, console: str, lingering: None
) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    async with opened(viewer.cookies) as page:
        tag = page.locator("h1 .tag")
        for _try in range(10):  # its receipt may come before the page does
            message_id = await send(server, account, dialect, LINGERING + "004321", f"By {dialect}: your code is 471")
            await page.goto("/messages")
            await page.locator(f"a[href^='/messages/{message_id}']").first.click()
            await page.evaluate("window.isTheSame = true")
            if await tag.inner_text() in ("Accepted", "Sent"):
                break
        else:
            pytest.fail("every message had arrived before it was looked at")
        await expect(page.locator("main")).to_contain_text(f"By {dialect}: your code is 471")
        await expect(tag).to_have_text("Delivered")
        assert await page.evaluate("window.isTheSame"), "the page was not loaded again"
        await picture(page, f"arrived-{dialect}-desk-light")


async def test_another_customers_pages_are_not_there(opened: Opening, server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    message_id = await send(server, other, "laaffic", "8613800130001", "my secret")
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, mine.account_id)
    async with opened(viewer.cookies, size=PHONE) as page:
        for path in (f"/messages/{message_id}", f"/accounts/{other.name}", "/accounts", "/carriers", "/audit"):
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 404, path
            words = await page.locator("body").inner_text()
            assert "my secret" not in words
            assert other.name not in words
        await picture(page, "not-there-phone-light")
        await page.goto(f"/messages?find={message_id}")
        assert "my secret" not in await page.locator("body").inner_text()


@pytest.mark.parametrize("dialect", ["lia", "laaffic"])
async def test_a_locked_account_is_refused_until_it_is_unlocked(
    dialect: str, opened: Opening, server: Server, console: str
) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database)
    async with opened(viewer.cookies) as page:
        await page.goto(f"/accounts/{account.name}")
        await page.get_by_label("Reason for locking").fill("unpaid")
        await page.get_by_role("button", name="Lock the account").click()
        await expect(page.locator(".note.bad")).to_contain_text("unpaid")
        await server.settled()
        with pytest.raises(AssertionError, match=r"locked|-13"):
            await send(server, account, dialect, "8613800130001", "x")
        await page.get_by_role("button", name="Unlock").first.click()
        await expect(page.locator(".note.bad")).to_have_count(0)
        await server.settled()
        await send(server, account, dialect, "8613800130001", "x")
