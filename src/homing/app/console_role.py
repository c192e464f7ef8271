"""The console role: the web pages of operators and customers."""

from typing import Final

from granian.constants import Interfaces

from homing import config
from homing.app.runtime import Runtime
from homing.console.app import Console
from homing.console.console_state import ConsoleState
from homing.delivery.safe_http import SafeHttpClient
from homing.serving import HttpServer
from homing.store.database import FREE_PLANS, Database

CONSOLE_CONNECTIONS_MAX: Final = 4


async def open_console(runtime: Runtime) -> None:
    """The control plane: the operators' and customers' web pages, with database sessions of their own plans."""
    settings = runtime.settings
    url = settings.console.base_url
    name = f"homing {runtime.process} pages"
    database = await runtime.enter(
        Database(dsn=runtime.dsn, connections_max=CONSOLE_CONNECTIONS_MAX, plans=FREE_PLANS, name=name)
    )
    http = await runtime.enter(SafeHttpClient(config.networks(settings.push.allowed_networks)))
    state = ConsoleState(
        database=database,
        vault=runtime.vault,
        clock=runtime.clock,
        is_secure=url.startswith("https:"),
        api_url=settings.http.base_url,
        http_client=http,
        url=url,
        settings=config.by_heading(settings),
        dialects=runtime.dialects,
    )
    console = Console(state, url, config.networks(settings.http.trusted_proxies))
    host, port = config.host_port(settings.console.address)
    await runtime.enter(HttpServer(application=console.application, host=host, port=port, interface=Interfaces.ASGINL))
    runtime.on_close(state.live.close)
