"""The API's page at /v1/docs in a browser: drawn from this server's description alone, and a call made from it."""

import pytest
from playwright.async_api import Browser, ConsoleMessage, Request, expect

from homing.dialects.v1.operations import OPERATIONS
from tests.support.browser import DESK, PHONE, picture
from tests.support.server import Server
from tests.support.v1 import v1_client


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_the_page_shows_every_call_and_makes_one(browser: Browser, server: Server, size: tuple[int, int]) -> None:
    client = await v1_client(server)
    page = await browser.new_page(viewport={"width": size[0], "height": size[1]})
    complaints: list[str] = []
    addresses: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def note(request: Request) -> None:
        addresses.append(request.url)

    page.on("console", complain)
    page.on("request", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        await page.goto(f"{server.url}/v1/docs")
        await expect(page.locator(".opblock")).to_have_count(len(OPERATIONS))
        await expect(page.locator(".errors-wrapper")).to_have_count(0)
        await picture(page, f"api-viewer-{size[0]}")
        await page.locator(".btn.authorize").click()
        await page.locator(".auth-container input").fill(client.token)
        await page.locator(".auth-btn-wrapper .authorize").click()
        await page.locator(".auth-btn-wrapper .btn-done").click()
        await page.locator("#operations-balance-balance .opblock-summary-control").click()
        await page.locator("#operations-balance-balance .try-out__btn").click()
        await page.locator("#operations-balance-balance .execute").click()
        await expect(page.locator("#operations-balance-balance .live-responses-table")).to_contain_text('"available"')
        await picture(page, f"api-viewer-call-{size[0]}")
    finally:
        await page.close()
    assert complaints == []
    assert {address.split("/v1/")[0] for address in addresses if not address.startswith("data:")} == {server.url}


async def test_its_files_are_whole_packed_or_not_and_nothing_else_is_served(server: Server) -> None:
    for path in ("/v1/docs", "/v1/docs/swagger-ui-bundle.js", "/v1/docs/viewer.js"):
        plain = await server.client.call("GET", path, headers={"Accept-Encoding": "identity"})
        packed = await server.client.call("GET", path, headers={"Accept-Encoding": "gzip"})
        assert (plain.status, packed.status) == (200, 200)
        assert plain.body == packed.body, "the client unpacks it"
        assert plain.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    for path in ("/v1/docs/", "/v1/docs/..%2fproblems.py", "/v1/docs/../problems.py", "/v1/docs/LICENSE"):
        assert (await server.client.call("GET", path)).status == 404
    assert (await server.client.call("POST", "/v1/docs", body=b"")).status == 405
