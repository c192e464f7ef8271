"""The link role: carriers, receipts, pushes, timers."""

import random

from homing import config
from homing.accounts.refusal_log import forget_refused_calls
from homing.aggregation.aggregator import Aggregator
from homing.app.listeners import LearnerAndGuard
from homing.app.runtime import Runtime
from homing.delivery.account_warnings import AccountWarnings
from homing.delivery.endpoint_health import EndpointHealth
from homing.delivery.pusher import Pusher
from homing.delivery.safe_http import SafeHttpClient
from homing.delivery.signing import PushSigner
from homing.delivery.unreadable_secrets import UnreadableSecrets
from homing.dispatch.expiry import ExpirySweep
from homing.dispatch.failover import Failover
from homing.dispatch.fleet import CarrierFleet
from homing.dispatch.reroute import RerouteSweep
from homing.dispatch.written_marks import WrittenMarks
from homing.guard.service import GuardService
from homing.messages.events import forget_events
from homing.observe.work import WorkMetrics
from homing.receipts.inbound_messages import InboundMessages
from homing.receipts.inbox import ReceiptInbox
from homing.receipts.late_answers import LateAnswers
from homing.receipts.report_store import ReportStore
from homing.roles import MARKS, RUN
from homing.routing.catalogue_cache import CatalogueCache
from homing.statistics.rollup import delete_expired
from homing.statistics.verified import recount_changing, recount_latest
from homing.store.due_poller import DuePoller
from homing.store.maintenance import run_maintenance
from homing.text.numbers import Numbering
from homing.verification.ended import ExpiredVerifications
from homing.verification.housekeeping import forget_calls_and_codes


async def open_link(runtime: Runtime) -> None:
    """Carriers, receipts, pushes, timers. At the end there are no new binds and no new claims; what carriers were given
    is answered for, and receipts at hand are stored.
    """
    settings, database, clock, dialects = runtime.settings, runtime.database, runtime.clock, runtime.dialects
    metrics = WorkMetrics(runtime.registry)
    rng = random.Random()  # noqa: S311 - jitter, not secrets
    due_poller = DuePoller(database, clock)
    http = await runtime.enter(SafeHttpClient(config.networks(settings.push.allowed_networks)))
    catalogue = await runtime.enter(CatalogueCache(database))
    guard = await runtime.enter(GuardService(database, clock.unix_s))
    signer = PushSigner(database, runtime.vault)
    unreadable_secrets = UnreadableSecrets(database, runtime.vault, runtime.place, clock)
    pusher = Pusher(
        database=database,
        http_client=http,
        signer=signer,
        due_poller=due_poller,
        clock=clock,
        work_metrics=metrics,
        rng=rng,
        dialects=dialects,
        endpoint_health=EndpointHealth(database=database, dialects=dialects, clock=clock),
        unreadable_secrets=unreadable_secrets,
    )
    inbox = ReceiptInbox(database=database, clock=clock, work_metrics=metrics, dialects=dialects, local_delivery=pusher)
    inbound = InboundMessages(
        database=database, numbering=Numbering.load(), next_id=runtime.node.next_id, dialects=dialects
    )
    runtime.on_close(pusher.drained)
    runtime.on_close(inbox.drained)

    failover = Failover(catalogue)
    marks = WrittenMarks(folder=runtime.data / RUN / MARKS, owner=runtime.owner, clock=clock)
    marks.open()
    runtime.on_close(marks.close)
    fleet = await runtime.enter(
        CarrierFleet(
            database=database,
            sink=ReportStore(inbox, inbound, LateAnswers(database, clock, dialects)).store,
            owner=runtime.owner,
            due_poller=due_poller,
            clock=clock,
            work_metrics=metrics,
            rng=rng,
            failover=failover,
            unknown_retry_s=settings.dispatch.unknown_retry_s,
            vault=runtime.vault,
            marks=marks,
            dialects=dialects,
        )
    )
    runtime.follow_settings(catalogue, guard, fleet, signer)
    runtime.background(
        "reroute",
        RerouteSweep(database=database, failover=failover, clock=clock, age_s=settings.dispatch.queue_age_s).run,
    )
    runtime.background("due_poller", due_poller.run)
    runtime.background("parked_receipts", inbox.retry_parked)
    runtime.background("unmatched_inbound", inbound.run_replays)
    runtime.background("expiry", ExpirySweep(database, clock, dialects).run)
    runtime.background("signing_secrets", unreadable_secrets.run)
    runtime.background("account_warnings", AccountWarnings(database, clock, dialects).run)
    runtime.background("expired_verifications", ExpiredVerifications(database, clock, dialects).run)
    runtime.background(
        "maintenance",
        lambda: run_maintenance(
            database,
            runtime.dsn,
            lambda: delete_expired(database, clock()),
            lambda: forget_calls_and_codes(database),
            lambda: forget_events(database),
            lambda: forget_refused_calls(database, clock()),
            lambda: recount_changing(database, clock()),
        ),
    )
    runtime.background("verified", lambda: recount_latest(database, clock))
    runtime.background("pusher", pusher.run)
    listeners = LearnerAndGuard(lambda: catalogue.catalogue)
    aggregator = Aggregator(database=database, owner=runtime.owner, clock=clock, listeners=listeners.factories())
    runtime.on_close(aggregator.release)
    runtime.background("statistics", aggregator.run)
