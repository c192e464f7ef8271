"""The api role: customers over HTTP, in their dialects, and what carriers report by webhook."""

import asyncio
import contextlib
from collections.abc import Mapping

import msgspec

from homing import config, errors, limits
from homing.accounts.credential_use import CredentialUse
from homing.accounts.directory import Directory
from homing.accounts.query_budget import QueryBudget
from homing.api.http.adapter import HttpAdapter
from homing.api.http.carrier_webhooks import CarrierWebhooks, PushingCarriers
from homing.api.http.health import HealthEndpoints
from homing.api.http.stray_calls import StrayCalls
from homing.api.http.wire import HttpEndpoint
from homing.app.password_locks import open_auth_guard
from homing.app.refused_calls import open_refusal_log
from homing.app.runtime import Runtime
from homing.conversions.recorder import ConversionRecorder
from homing.delivery.safe_http import SafeHttpClient
from homing.dialects.serving import HttpDialect, Services
from homing.guard.end_users import AddressHasher
from homing.guard.service import GuardService
from homing.intake.intake import Intake
from homing.ledger.balances import BalanceReader
from homing.messages.lookup import MessageLookup
from homing.observe.http import HttpMetrics
from homing.observe.work import WorkMetrics
from homing.receipts.inbound_messages import InboundMessages
from homing.receipts.inbox import ReceiptInbox
from homing.receipts.late_answers import LateAnswers
from homing.receipts.report_store import ReportStore
from homing.routing.catalogue_cache import CatalogueCache
from homing.serving import HttpServer
from homing.text.numbers import Numbering
from homing.verification.codes import CodeKeeper
from homing.verification.flows import FlowRunner
from homing.verification.service import Verifications


async def open_api(runtime: Runtime) -> None:
    """The data plane: the dialects over HTTP, and what carriers push. At the end no new call is taken; those under way
    are answered, and what they were promised is committed.
    """
    settings, database, clock = runtime.settings, runtime.database, runtime.clock
    numbering = Numbering.load()
    http_client = await runtime.enter(SafeHttpClient(config.networks(settings.push.allowed_networks)))
    catalogue = await runtime.enter(CatalogueCache(database))
    addresses = AddressHasher(runtime.vault)
    guard = await runtime.enter(GuardService(database, clock.unix_s, addresses))
    directory = Directory(database=database, vault=runtime.vault, email_keyed=runtime.dialects.email_keyed)
    pushing_carriers = PushingCarriers(database=database, vault=runtime.vault, clock=clock)
    runtime.follow_settings(catalogue, guard, directory, pushing_carriers)

    intake = Intake(
        database=database,
        catalogue_cache=catalogue,
        numbering=numbering,
        next_id=runtime.node.next_id,
        clock=clock,
        check=guard.check,
        note=guard.note,
    )
    inbox = ReceiptInbox(
        database=database, clock=clock, work_metrics=WorkMetrics(runtime.registry), dialects=runtime.dialects
    )
    conversions = ConversionRecorder(database, clock)
    verifications = Verifications(
        database=database,
        intake=intake,
        keeper=CodeKeeper(runtime.vault),
        next_id=runtime.node.next_id,
        clock=clock,
        dialects=runtime.dialects,
    )
    runtime.on_close(inbox.drained)
    runtime.on_close(conversions.drained)
    runtime.on_close(intake.drained)
    runtime.on_close(verifications.drained)
    flows = FlowRunner(
        database=database,
        verifications=verifications,
        catalogue_cache=catalogue,
        profile_of=directory.profile_of,
        clock=clock,
    )
    runtime.background("flows", flows.run)
    runtime.background("receipt_learning", lambda: _learn_from_pushed_receipts(inbox))

    auth_guard = await open_auth_guard(runtime)

    services = Services(
        directory=directory,
        auth_guard=auth_guard,
        credential_use=CredentialUse(database, clock),
        intake=intake,
        balances=BalanceReader(database),
        lookup=MessageLookup(database),
        query_budget=QueryBudget(),
        conversions=conversions,
        verifications=verifications,
        database=database,
        dialects=runtime.dialects,
        steady_s=clock.unix_s,
        vault=runtime.vault,
        http_client=http_client,
        addresses=addresses,
    )
    inbound = InboundMessages(
        database=database, numbering=numbering, next_id=runtime.node.next_id, dialects=runtime.dialects
    )
    reports = ReportStore(inbox, inbound, LateAnswers(database, clock, runtime.dialects))
    endpoints = {
        **_dialect_endpoints(runtime, services),
        **HealthEndpoints(
            database=database, metrics=runtime.metrics, draining=lambda: runtime.is_draining, data=runtime.data
        ).endpoints(),
        **CarrierWebhooks(pushing_carriers, reports.store).endpoints(),
    }
    refusal_log = open_refusal_log(runtime)
    metrics = HttpMetrics()
    runtime.registry.register(metrics)
    adapter = HttpAdapter(
        endpoints,
        trusted_proxies=config.networks(settings.http.trusted_proxies),
        metrics=metrics,
        refusal_log=refusal_log,
        stray_calls=StrayCalls(
            endpoints=endpoints,
            key_finders={each.name: each.named_key for each in runtime.dialects if isinstance(each, HttpDialect)},
            directory=directory,
            refusal_log=refusal_log,
        ),
    )
    runtime.on_close(adapter.drained)
    host, port = config.host_port(settings.http.address)
    await runtime.enter(HttpServer(application=adapter, host=host, port=port))


def _dialect_endpoints(runtime: Runtime, services: Services) -> Mapping[str, HttpEndpoint]:
    """Raises ValueError where two dialects serve one path."""
    by_path: dict[str, HttpEndpoint] = {}
    for dialect in runtime.dialects:
        if isinstance(dialect, HttpDialect):
            own = msgspec.structs.replace(services, settings=runtime.settings.dialects.get(dialect.name))
            endpoints = dialect.endpoints(own)
            if taken := by_path.keys() & endpoints.keys():
                raise ValueError(f"{dialect.name} serves a path of another dialect: {', '.join(sorted(taken))}")
            by_path |= endpoints
    return by_path


async def _learn_from_pushed_receipts(inbox: ReceiptInbox) -> None:
    """The formats of ids that receipts by webhook teach; the link's process learns beside its parked receipts."""
    while True:
        await asyncio.sleep(limits.RECEIPT_LEARN_S)
        with contextlib.suppress(errors.PlatformFailure):
            await inbox.exchange_formats()
