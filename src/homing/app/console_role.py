"""The console role: the web pages of operators and customers."""

from typing import Final

from granian.constants import Interfaces

from homing import config
from homing.accounts.directory import Directory
from homing.app.runtime import Runtime
from homing.console.app import Console
from homing.console.console_state import ConsoleState
from homing.console.sending import ConsoleSending
from homing.delivery.safe_http import SafeHttpClient
from homing.guard.service import GuardService
from homing.intake.intake import Intake
from homing.routing.catalogue_cache import CatalogueCache
from homing.serving import HttpServer
from homing.store.database import FREE_PLANS, Database
from homing.text.numbers import Numbering
from homing.verification.codes import CodeKeeper
from homing.verification.service import Verifications

CONSOLE_CONNECTIONS_MAX: Final = 4
OWN_DIALECT: Final = "v1"
"""Messages from the console are as if sent by Homing's own API."""


async def open_console(runtime: Runtime) -> None:
    """The control plane: the operators' and customers' web pages, with database sessions of their own plans."""
    settings = runtime.settings
    url = settings.console.base_url
    name = f"homing {runtime.process} pages"
    database = await runtime.enter(
        Database(dsn=runtime.dsn, connections_max=CONSOLE_CONNECTIONS_MAX, plans=FREE_PLANS, name=name)
    )
    http = await runtime.enter(SafeHttpClient(config.networks(settings.push.allowed_networks)))
    sending = await _open_sending(runtime)
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
        sending=sending,
    )
    console = Console(state, url, config.networks(settings.http.trusted_proxies))
    host, port = config.host_port(settings.console.address)
    await runtime.enter(HttpServer(application=console.application, host=host, port=port, interface=Interfaces.ASGINL))
    runtime.on_close(state.live.close)
    runtime.on_close(state.backtests.close)


async def _open_sending(runtime: Runtime) -> ConsoleSending:
    """Test messages take the way of customers' calls."""
    database, clock, dialects = runtime.database, runtime.clock, runtime.dialects
    catalogue = await runtime.enter(CatalogueCache(database))
    guard = await runtime.enter(GuardService(database, clock.unix_s))
    directory = Directory(database=database, vault=runtime.vault, email_keyed=dialects.email_keyed)
    runtime.follow_settings(catalogue, guard, directory)
    intake = Intake(
        database=database,
        catalogue_cache=catalogue,
        numbering=Numbering.load(),
        next_id=runtime.node.next_id,
        clock=clock,
        check=guard.check,
    )
    verifications = Verifications(
        database=database,
        intake=intake,
        keeper=CodeKeeper(runtime.vault),
        next_id=runtime.node.next_id,
        clock=clock,
        dialects=dialects,
    )
    runtime.on_close(intake.drained)
    runtime.on_close(verifications.drained)
    return ConsoleSending(
        directory=directory,
        intake=intake,
        verifications=verifications,
        dialect=dialects.named(OWN_DIALECT).number,
    )
