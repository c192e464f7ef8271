"""The customer's end of the pushes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def receiver() -> AsyncIterator[str]:
    """Takes every report with 200; its address."""
    application = web.Application()
    application.router.add_post("/sms/reports", _take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/sms/reports"
    finally:
        await runner.cleanup()


async def _take(_request: web.Request) -> web.Response:
    return web.Response(text="OK")
