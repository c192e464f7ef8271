"""All calls of Homing's own API: those of messages and verifications, and those of the account."""

from datetime import datetime
from typing import Final

from homing_clients.call import ClientCall
from homing_clients.paging import Page
from homing_clients.v1_app_calls import V1AppCalls
from homing_clients.v1_caller import get, given, page_reader, post, reader, time_of
from homing_clients.v1_message_calls import V1MessageCalls
from homing_clients.v1_results import Balance, Conversion, Inbound, Lookup, Posting
from homing_clients.v1_verification_calls import V1VerificationCalls
from homing_clients.v1_webhook_calls import V1WebhookCalls

read_balance: Final = reader(Balance)
read_conversion: Final = reader(Conversion)
read_lookup: Final = reader(Lookup)
read_postings: Final = page_reader("postings", Posting)
read_inbound: Final = page_reader("messages", Inbound)


class V1Calls(V1MessageCalls, V1VerificationCalls, V1AppCalls, V1WebhookCalls):
    """Builds the calls of one API key."""

    def report_conversion(
        self,
        *,
        message_id: str = "",
        to: str = "",
        app: str = "",
        converted_at: datetime | None = None,
        idempotency_key: str = "",
    ) -> ClientCall[Conversion]:
        """POST /v1/conversions: a person used the message, or the latest one to a number. Raises ValueError unless
        exactly one of `message_id` and `to` is given.
        """
        if bool(message_id) == bool(to):
            raise ValueError("a message_id or a number is needed, and not both")
        parameters = {
            "message_id": message_id,
            "to": to,
            "app": app,
            "converted_at": time_of(converted_at, "converted_at"),
        }
        return post("conversions", given(parameters), idempotency_key, read_conversion)

    def balance(self) -> ClientCall[Balance]:
        """GET /v1/balance"""
        return get("balance", {}, read_balance)

    def statement(self, *, limit: int | None = None, cursor: str = "") -> ClientCall[Page[Posting]]:
        """GET /v1/statement: the account's postings, the latest first. `limit`: rows of a page, 1 to 100; None: 50."""
        return get("statement", {"limit": limit, "cursor": cursor}, read_postings)

    def inbound(
        self, *, since: datetime | None = None, limit: int | None = None, cursor: str = ""
    ) -> ClientCall[Page[Inbound]]:
        """GET /v1/inbound: what people sent, the latest first."""
        return get("inbound", {"since": time_of(since, "since"), "limit": limit, "cursor": cursor}, read_inbound)

    def lookup(self, number: str) -> ClientCall[Lookup]:
        """POST /v1/lookups: what is known of a number. Posted, so that no log of addresses has the number."""
        return post("lookups", {"number": number}, "", read_lookup)
