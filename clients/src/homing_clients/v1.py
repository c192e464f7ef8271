"""Clients of Homing's own API. See docs/integrate/clients.md."""

from homing_clients.asynchronous import AsyncClient, asynchronous
from homing_clients.blocking import BlockingClient, blocking
from homing_clients.call import USUAL, CallTerms
from homing_clients.paging import Page, asynchronous_rows, blocking_rows
from homing_clients.problem import Problem, ProblemPointer
from homing_clients.v1_calls import V1Calls
from homing_clients.v1_events import (
    Delivery,
    DeliveryAttempt,
    Event,
    ReplayResult,
    Webhook,
    WebhookSecret,
    WebhookTrial,
)
from homing_clients.v1_results import (
    App,
    Balance,
    Batch,
    BatchItem,
    BatchResult,
    CodeLimit,
    Conversion,
    Inbound,
    Lookup,
    Message,
    MessageFailure,
    Money,
    Posting,
    Quote,
    Status,
    Verification,
    VerificationStatus,
)

__all__ = [
    "App",
    "AsyncHomingClient",
    "Balance",
    "Batch",
    "BatchItem",
    "BatchResult",
    "CodeLimit",
    "Conversion",
    "Delivery",
    "DeliveryAttempt",
    "Event",
    "HomingClient",
    "Inbound",
    "Lookup",
    "Message",
    "MessageFailure",
    "Money",
    "Page",
    "Posting",
    "Problem",
    "ProblemPointer",
    "Quote",
    "ReplayResult",
    "Status",
    "Verification",
    "VerificationStatus",
    "Webhook",
    "WebhookSecret",
    "WebhookTrial",
]


class HomingClient(BlockingClient[V1Calls]):
    """Calls a Homing server; any number of threads may share one.

    Every method raises a `ClientError` (homing_clients.errors). Parameters and results are described at `V1Calls`.
    `messages`, `statement`, `inbound`, `deliveries` and `events` go through all pages; `message_page` and its siblings
    read one.
    """

    def __init__(self, key: str, *, base_url: str, terms: CallTerms = USUAL) -> None:
        """`key`: `hm_KEY_SECRET`. `base_url` includes /v1."""
        super().__init__(V1Calls(key, base_url), terms)

    send = blocking(V1Calls.send)
    send_many = blocking(V1Calls.send_many)
    quote = blocking(V1Calls.quote)
    quote_many = blocking(V1Calls.quote_many)
    message = blocking(V1Calls.message)
    cancel_message = blocking(V1Calls.cancel_message)
    messages = blocking_rows(V1Calls.messages)
    message_page = blocking(V1Calls.messages)
    start_verification = blocking(V1Calls.start_verification)
    check_verification = blocking(V1Calls.check_verification)
    resend_verification = blocking(V1Calls.resend_verification)
    cancel_verification = blocking(V1Calls.cancel_verification)
    verification = blocking(V1Calls.verification)
    report_conversion = blocking(V1Calls.report_conversion)
    balance = blocking(V1Calls.balance)
    statement = blocking_rows(V1Calls.statement)
    statement_page = blocking(V1Calls.statement)
    inbound = blocking_rows(V1Calls.inbound)
    inbound_page = blocking(V1Calls.inbound)
    lookup = blocking(V1Calls.lookup)
    apps = blocking(V1Calls.apps)
    app = blocking(V1Calls.app)
    change_app = blocking(V1Calls.change_app)
    create_webhook = blocking(V1Calls.create_webhook)
    webhooks = blocking(V1Calls.webhooks)
    webhook = blocking(V1Calls.webhook)
    change_webhook = blocking(V1Calls.change_webhook)
    remove_webhook = blocking(V1Calls.remove_webhook)
    rotate_webhook_secret = blocking(V1Calls.rotate_webhook_secret)
    test_webhook = blocking(V1Calls.test_webhook)
    replay_webhook = blocking(V1Calls.replay_webhook)
    replay_event = blocking(V1Calls.replay_event)
    deliveries = blocking_rows(V1Calls.deliveries)
    delivery_page = blocking(V1Calls.deliveries)
    events = blocking_rows(V1Calls.events)
    event_page = blocking(V1Calls.events)
    event = blocking(V1Calls.event)


class AsyncHomingClient(AsyncClient[V1Calls]):
    """`HomingClient` for asyncio: the same methods, awaited; lists are read by `async for`."""

    def __init__(self, key: str, *, base_url: str, terms: CallTerms = USUAL) -> None:
        super().__init__(V1Calls(key, base_url), terms)

    send = asynchronous(V1Calls.send)
    send_many = asynchronous(V1Calls.send_many)
    quote = asynchronous(V1Calls.quote)
    quote_many = asynchronous(V1Calls.quote_many)
    message = asynchronous(V1Calls.message)
    cancel_message = asynchronous(V1Calls.cancel_message)
    messages = asynchronous_rows(V1Calls.messages)
    message_page = asynchronous(V1Calls.messages)
    start_verification = asynchronous(V1Calls.start_verification)
    check_verification = asynchronous(V1Calls.check_verification)
    resend_verification = asynchronous(V1Calls.resend_verification)
    cancel_verification = asynchronous(V1Calls.cancel_verification)
    verification = asynchronous(V1Calls.verification)
    report_conversion = asynchronous(V1Calls.report_conversion)
    balance = asynchronous(V1Calls.balance)
    statement = asynchronous_rows(V1Calls.statement)
    statement_page = asynchronous(V1Calls.statement)
    inbound = asynchronous_rows(V1Calls.inbound)
    inbound_page = asynchronous(V1Calls.inbound)
    lookup = asynchronous(V1Calls.lookup)
    apps = asynchronous(V1Calls.apps)
    app = asynchronous(V1Calls.app)
    change_app = asynchronous(V1Calls.change_app)
    create_webhook = asynchronous(V1Calls.create_webhook)
    webhooks = asynchronous(V1Calls.webhooks)
    webhook = asynchronous(V1Calls.webhook)
    change_webhook = asynchronous(V1Calls.change_webhook)
    remove_webhook = asynchronous(V1Calls.remove_webhook)
    rotate_webhook_secret = asynchronous(V1Calls.rotate_webhook_secret)
    test_webhook = asynchronous(V1Calls.test_webhook)
    replay_webhook = asynchronous(V1Calls.replay_webhook)
    replay_event = asynchronous(V1Calls.replay_event)
    deliveries = asynchronous_rows(V1Calls.deliveries)
    delivery_page = asynchronous(V1Calls.deliveries)
    events = asynchronous_rows(V1Calls.events)
    event_page = asynchronous(V1Calls.events)
    event = asynchronous(V1Calls.event)
