"""Clients of the lia dialect, and the reader of its pushes. See docs/integrate/clients.md."""

from homing_clients.asynchronous import AsyncClient, asynchronous
from homing_clients.blocking import BlockingClient, blocking
from homing_clients.call import USUAL, CallTerms
from homing_clients.lia_calls import BASE_URL, LiaCalls
from homing_clients.lia_pushes import parse_report_push
from homing_clients.lia_results import Balance, Delivery, Encoding, Message, ReportPush, Sent, Status
from homing_clients.pushes import ACKNOWLEDGEMENT

__all__ = [
    "ACKNOWLEDGEMENT",
    "BASE_URL",
    "AsyncLiaClient",
    "Balance",
    "Delivery",
    "Encoding",
    "LiaClient",
    "Message",
    "ReportPush",
    "Sent",
    "Status",
    "parse_report_push",
]


class LiaClient(BlockingClient[LiaCalls]):
    """Calls a vendor of the lia dialect; any number of threads may share one.

    Every method raises a `ClientError` (homing_clients.errors). What they take and give is told at `LiaCalls`.
    """

    def __init__(self, api_id: str, api_password: str, *, base_url: str = BASE_URL, terms: CallTerms = USUAL) -> None:
        """`base_url` includes /api."""
        super().__init__(LiaCalls(api_id, api_password, base_url), terms)

    send = blocking(LiaCalls.send)
    send_many = blocking(LiaCalls.send_many)
    balance = blocking(LiaCalls.balance)
    status = blocking(LiaCalls.status)
    report_conversion = blocking(LiaCalls.report_conversion)


class AsyncLiaClient(AsyncClient[LiaCalls]):
    """`LiaClient` for asyncio: the same methods, awaited."""

    def __init__(self, api_id: str, api_password: str, *, base_url: str = BASE_URL, terms: CallTerms = USUAL) -> None:
        super().__init__(LiaCalls(api_id, api_password, base_url), terms)

    send = asynchronous(LiaCalls.send)
    send_many = asynchronous(LiaCalls.send_many)
    balance = asynchronous(LiaCalls.balance)
    status = asynchronous(LiaCalls.status)
    report_conversion = asynchronous(LiaCalls.report_conversion)
