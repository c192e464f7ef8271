"""Calls of messages: sending, quoting, cancelling and reading them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing_clients.call import ClientCall
from homing_clients.paging import Page
from homing_clients.problem import Problem
from homing_clients.v1_caller import V1Caller, get, given, page_reader, post, reader, segment_of, time_of
from homing_clients.v1_problems import error_of_problem
from homing_clients.v1_results import Batch, BatchItem, BatchResult, Message, Quote, Status

MESSAGES: Final = "messages"


class StatusProblem(Problem, frozen=True):
    """With the HTTP status that it would have as an answer."""

    status: int = 422


class BatchResultDocument(msgspec.Struct, frozen=True):
    """A result as it is answered."""

    to: str
    message: Message | None = None
    quote: Quote | None = None
    error: StatusProblem | None = None


class BatchDocument(msgspec.Struct, frozen=True):
    """The answer to many messages."""

    accepted: int
    refused: int
    messages: tuple[BatchResultDocument, ...]


read_message: Final = reader(Message)
read_quote: Final = reader(Quote)
read_batch: Final = reader(BatchDocument)
read_messages: Final = page_reader("messages", Message)


class V1MessageCalls(V1Caller):
    """Builds the calls."""

    def send(
        self,
        to: str,
        text: str,
        *,
        sender: str = "",
        reference: str = "",
        app: str = "",
        send_at: datetime | None = None,
        end_user_ip: str = "",
        idempotency_key: str = "",
    ) -> ClientCall[Message]:
        """POST /v1/messages: a message to one number. `send_at`: within 5 days; None: at once. `end_user_ip`: the
        address that a person requested it from, as evidence against SMS pumping.
        """
        parameters = {**_item(to, text, sender, reference), **_common(app, send_at)}
        if end_user_ip:
            parameters["end_user"] = {"ip": end_user_ip}
        return post(MESSAGES, parameters, idempotency_key, read_message)

    def send_many(
        self,
        messages: Sequence[BatchItem],
        *,
        app: str = "",
        send_at: datetime | None = None,
        idempotency_key: str = "",
    ) -> ClientCall[Batch]:
        """POST /v1/messages: up to 1000 messages, charged together. One that is refused is a result with its refusal;
        `NoMessageAccepted` where all are.
        """
        return post(MESSAGES, {**_items(messages), **_common(app, send_at)}, idempotency_key, _batch)

    def quote(self, to: str, text: str, *, sender: str = "", app: str = "") -> ClientCall[Quote]:
        """POST /v1/messages with `dry_run`: what the message would cost. Nothing is sent, charged or stored."""
        parameters = {**_item(to, text, sender, ""), **_common(app, None), "dry_run": True}
        return post(MESSAGES, parameters, "", read_quote)

    def quote_many(self, messages: Sequence[BatchItem], *, app: str = "") -> ClientCall[Batch]:
        """The same of many: each result has a quote or a refusal."""
        return post(MESSAGES, {**_items(messages), **_common(app, None), "dry_run": True}, "", _batch)

    def message(self, message_id: str) -> ClientCall[Message]:
        """GET /v1/messages/{id}"""
        return get(f"{MESSAGES}/{segment_of(message_id)}", {}, read_message)

    def cancel_message(self, message_id: str, *, idempotency_key: str = "") -> ClientCall[Message]:
        """POST /v1/messages/{id}/cancel: ends and refunds one that still waits. Raises `TooLateToCancel`."""
        return post(f"{MESSAGES}/{segment_of(message_id)}/cancel", {}, idempotency_key, read_message)

    def messages(
        self,
        *,
        to: str = "",
        reference: str = "",
        status: Status | str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str = "",
    ) -> ClientCall[Page[Message]]:
        """GET /v1/messages: the latest first. `limit`: rows of a page, 1 to 100; None: 50."""
        parameters = {
            "to": to,
            "reference": reference,
            "status": str(status),
            "since": time_of(since, "since"),
            "until": time_of(until, "until"),
            "limit": limit,
            "cursor": cursor,
        }
        return get(MESSAGES, parameters, read_messages)


def _item(to: str, text: str, sender: str, reference: str) -> dict[str, object]:
    """`to` and `text` go as they are: the server refuses empty ones by name."""
    return {"to": to, "text": text, **given({"from": sender, "reference": reference})}


def _items(messages: Sequence[BatchItem]) -> dict[str, object]:
    return {"messages": [_item(item.to, item.text, item.sender, item.reference) for item in messages]}


def _common(app: str, send_at: datetime | None) -> dict[str, object]:
    return given({"app": app, "send_at": time_of(send_at, "send_at")})


def _batch(body: bytes) -> Batch:
    document = read_batch(body)
    return Batch(document.accepted, document.refused, tuple(map(_result, document.messages)))


def _result(row: BatchResultDocument) -> BatchResult:
    refusal = None if row.error is None else error_of_problem(row.error, row.error.status)
    return BatchResult(row.to, row.message, row.quote, refusal)
