"""The lia document's XMLHttpRequest sample, unchanged but for address and credentials, in a page of another origin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from playwright.async_api import Browser

from tests.support.seeds import LIA, cut, document
from tests.support.server import Account, Server, free_port
from tests.support.waiting import until


async def empty_page(_request: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>shop</title>", content_type="text/html")


@asynccontextmanager
async def shop(port: int) -> AsyncIterator[str]:
    """A customer's web site on a port of its own; its origin."""
    application = web.Application()
    application.router.add_get("/", empty_page)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def program(server: Server, account: Account, message_id: int) -> str:
    """The sample with the path that its heading gives."""
    text = cut(document(LIA), "var url", "xhr.send").replace("https://api.liasmart.com", server.url)
    text = text.replace("/api/CheckBalance", "/api/CTrack").replace('"4134"', f'"{message_id}"')
    return text.replace("YourApiId", account.api_id).replace("YourApiPassword", account.api_password)


async def sent(server: Server, account: Account) -> int:
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="O",
        encoding="T",
        sender_id="HOMING",
        phonenumber="8613800000005",
        textmessage="Your code is 1234",
    )
    return int(reply.json["message_id"])


async def logged_by(browser: Browser, origin: str, script: str) -> list[str]:
    """What the sample logs in a page of the origin: status and answer."""
    page = await browser.new_page()
    lines: list[str] = []
    try:
        await page.goto(f"{origin}/")
        page.on("console", lambda message: lines.append(message.text) if message.type == "log" else None)
        await page.evaluate(f"() => {{ {script} }}")
        await until(lambda: len(lines) >= 2)
    finally:
        await page.close()
    return lines


async def test_the_documents_browser_sample_reports_a_conversion_from_a_named_origin(
    browser: Browser, server: Server
) -> None:
    account = await server.account()
    message_id = await sent(server, account)
    own = server.environment["HOMING_LIA_ALLOWED_ORIGINS"].rpartition(":")[2]
    async with shop(int(own)) as origin:
        lines = await logged_by(browser, origin, program(server, account, message_id))
    assert lines == ["200", '{"ErrorCode":1000,"ErrorDescription":"OK"}']


async def test_a_page_of_an_origin_that_is_not_named_gets_no_answer(browser: Browser, server: Server) -> None:
    account = await server.account()
    message_id = await sent(server, account)
    async with shop(free_port()) as origin:
        lines = await logged_by(browser, origin, program(server, account, message_id))
    assert lines == ["0", ""]
    again = await server.client.lia(account, "CTrack", message_id=message_id, status="true")
    assert again.json["ErrorCode"] == 1000, "the browser sent what its preflight did not allow"
