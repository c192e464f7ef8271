"""Clients of the laaffic dialect, and readers of its pushes. See docs/integrate/clients.md."""

from homing_clients.asynchronous import AsyncClient, asynchronous
from homing_clients.blocking import BlockingClient, blocking
from homing_clients.call import USUAL, CallTerms
from homing_clients.laaffic_calls import BASE_URL, LaafficCalls
from homing_clients.laaffic_pushes import parse_inbound_push, parse_report_push
from homing_clients.laaffic_results import (
    Balance,
    Inbound,
    InboundPage,
    Message,
    Price,
    Report,
    ReportPush,
    Reports,
    Sending,
    Sent,
    SentRecord,
    Status,
    VerificationCheck,
    VerificationSent,
)
from homing_clients.pushes import ACKNOWLEDGEMENT

__all__ = [
    "ACKNOWLEDGEMENT",
    "BASE_URL",
    "AsyncLaafficClient",
    "Balance",
    "Inbound",
    "InboundPage",
    "LaafficClient",
    "Message",
    "Price",
    "Report",
    "ReportPush",
    "Reports",
    "Sending",
    "Sent",
    "SentRecord",
    "Status",
    "VerificationCheck",
    "VerificationSent",
    "parse_inbound_push",
    "parse_report_push",
]


class LaafficClient(BlockingClient[LaafficCalls]):
    """Calls a vendor of the laaffic dialect; any number of threads may share one.

    Every method raises a `ClientError` (homing_clients.errors). What they take and give is told at `LaafficCalls`.
    """

    def __init__(
        self, key: str, secret: str, *, app_id: str = "", base_url: str = BASE_URL, terms: CallTerms = USUAL
    ) -> None:
        """`app_id` serves every call that does not name its own; `base_url` includes /v3 (or /sms)."""
        super().__init__(LaafficCalls(key=key, secret=secret, app_id=app_id, base_url=base_url), terms)

    balance = blocking(LaafficCalls.balance)
    send = blocking(LaafficCalls.send)
    send_batch = blocking(LaafficCalls.send_batch)
    reports = blocking(LaafficCalls.reports)
    sent_records = blocking(LaafficCalls.sent_records)
    inbound = blocking(LaafficCalls.inbound)
    report_conversion = blocking(LaafficCalls.report_conversion)
    send_code = blocking(LaafficCalls.send_code)
    send_own_code = blocking(LaafficCalls.send_own_code)
    resend_code = blocking(LaafficCalls.resend_code)
    check_code = blocking(LaafficCalls.check_code)


class AsyncLaafficClient(AsyncClient[LaafficCalls]):
    """`LaafficClient` for asyncio: the same methods, awaited."""

    def __init__(
        self, key: str, secret: str, *, app_id: str = "", base_url: str = BASE_URL, terms: CallTerms = USUAL
    ) -> None:
        super().__init__(LaafficCalls(key=key, secret=secret, app_id=app_id, base_url=base_url), terms)

    balance = asynchronous(LaafficCalls.balance)
    send = asynchronous(LaafficCalls.send)
    send_batch = asynchronous(LaafficCalls.send_batch)
    reports = asynchronous(LaafficCalls.reports)
    sent_records = asynchronous(LaafficCalls.sent_records)
    inbound = asynchronous(LaafficCalls.inbound)
    report_conversion = asynchronous(LaafficCalls.report_conversion)
    send_code = asynchronous(LaafficCalls.send_code)
    send_own_code = asynchronous(LaafficCalls.send_own_code)
    resend_code = asynchronous(LaafficCalls.resend_code)
    check_code = asynchronous(LaafficCalls.check_code)
