"""The client of Homing's own API without a server: requests as they are written, retries, problem documents."""

import asyncio
import inspect
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from homing.dialects.v1.problems import PROBLEMS
from homing_clients import AsyncHomingClient, CallTerms, HomingClient, errors, v1
from homing_clients.call import USUAL, ClientReply, ClientRequest
from homing_clients.v1_calls import V1Calls
from homing_clients.v1_problems import PROBLEM_CODES

BASE = "http://homing.test/v1"
KEY = "hm_k_s"
MONEY = {"amount": "0.031", "currency": "USD"}
MESSAGE = {
    "id": "17",
    "status": "queued",
    "to": "8613800130001",
    "from": "HOMING",
    "segments": 1,
    "price": MONEY,
    "created_at": "2026-11-29T21:30:33Z",
}
calls = V1Calls(KEY, BASE)


def answer(body: object, status: int = 200, **headers: str) -> ClientReply:
    return ClientReply(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def problem(code: str, status: int, **headers: str) -> ClientReply:
    document = {"type": f"/v1/errors/{code}", "title": "A title", "status": status, "code": code, "detail": "a detail"}
    return answer(document, status, **headers)


@dataclass
class FakeTransport:
    """Answers what is laid down, in order, and keeps the requests."""

    outcomes: list[ClientReply | errors.ClientError]
    requests: list[ClientRequest] = field(default_factory=list)

    def exchange(self, request: ClientRequest, _timeout_s: float) -> ClientReply:
        self.requests.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, errors.ClientError):
            raise outcome
        return outcome

    def close(self) -> None:
        pass


class AsyncFakeTransport(FakeTransport):
    async def exchange(self, request: ClientRequest, timeout_s: float) -> ClientReply:  # type: ignore[override]
        return super().exchange(request, timeout_s)

    async def close(self) -> None:  # type: ignore[override]
        pass


Run = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Makes a call against what is laid down: (result or error, requests)."""

    async def asynchronously(transport: FakeTransport, terms: CallTerms, name: str, *given: Any, **more: Any) -> Any:
        async with AsyncHomingClient(KEY, base_url=BASE, terms=terms) as client:
            client._transport = transport  # type: ignore[assignment]
            outcome = getattr(client, name)(*given, **more)
            return await outcome if inspect.isawaitable(outcome) else [row async for row in outcome]

    def make(outcomes: list[Any], name: str, *given: Any, terms: CallTerms = USUAL, **more: Any) -> Any:
        if request.param == "async":
            transport: FakeTransport = AsyncFakeTransport(outcomes)

            def work() -> Any:
                return asyncio.run(asynchronously(transport, terms, name, *given, **more))
        else:
            transport = FakeTransport(outcomes)
            client = HomingClient(KEY, base_url=BASE, terms=terms)
            client._transport = transport  # type: ignore[assignment]

            def work() -> Any:
                outcome = getattr(client, name)(*given, **more)
                return list(outcome) if inspect.isgenerator(outcome) else outcome

        try:
            return work(), transport.requests
        except errors.ClientError as error:
            return error, transport.requests

    return make


def keys_of(requests: list[ClientRequest]) -> list[str]:
    return [request.headers["Idempotency-Key"] for request in requests]


def test_a_post_has_its_key_its_body_and_no_empty_members() -> None:
    at = datetime(2026, 11, 29, 21, 30, tzinfo=UTC)
    request = calls.render(calls.send("+86 138", "hi", sender="S", send_at=at, idempotency_key="k 1"), 0.0)
    assert (request.method, request.target) == ("POST", "/v1/messages")
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Idempotency-Key"] == "k 1"
    assert json.loads(request.body or b"") == {
        "to": "+86 138",
        "text": "hi",
        "from": "S",
        "send_at": "2026-11-29T21:30:00+00:00",
    }


def test_a_get_has_its_parameters_in_the_query_and_no_key() -> None:
    at = datetime(2026, 11, 29, tzinfo=UTC)
    request = calls.render(calls.messages(to="+86", status=v1.Status.SENT, since=at, limit=5), 0.0)
    assert request.target == "/v1/messages?to=%2B86&status=sent&since=2026-11-29T00%3A00%3A00%2B00%3A00&limit=5"
    assert request.body is None
    assert "Idempotency-Key" not in request.headers


def test_an_id_stays_within_its_part_of_the_path() -> None:
    assert calls.render(calls.message("1/cancel?x"), 0.0).target == "/v1/messages/1%2Fcancel%3Fx"
    for bad in ("", ".", ".."):
        with pytest.raises(ValueError, match="digits"):
            calls.message(bad)


@pytest.mark.parametrize("key", ["x" * 256, "é", "a\nb", " a"])
def test_a_key_that_a_header_cannot_hold_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="Idempotency-Key"):
        calls.send("1", "hi", idempotency_key=key)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="send_at"):
        calls.send("1", "hi", send_at=datetime(2026, 11, 29))  # noqa: DTZ001


def test_a_call_whose_answer_was_lost_is_repeated_with_its_key(run: Run) -> None:
    sent, requests = run([errors.Unanswered("broke", in_doubt=True), answer(MESSAGE, 201)], "send", "1", "hi")
    assert sent.id == "17"
    assert len(requests) == 2
    assert len(set(keys_of(requests))) == 1
    assert len({request.body for request in requests}) == 1
    _again, others = run([answer(MESSAGE, 201)], "send", "1", "hi")
    assert keys_of(others) != keys_of(requests[:1]), "another call has another key"


def test_a_key_that_was_given_is_used_and_is_in_the_error(run: Run) -> None:
    lost = [errors.Unanswered("broke", in_doubt=True) for _ in range(3)]
    error, requests = run(lost, "send", "1", "hi", idempotency_key="order-7")
    assert isinstance(error, errors.Unanswered)
    assert keys_of(requests) == ["order-7"] * 3
    assert error.idempotency_key == "order-7"


@pytest.mark.parametrize(("status", "code"), [(429, "limit_reached"), (503, "unavailable"), (503, "overloaded")])
def test_retry_after_is_waited_for(run: Run, status: int, code: str) -> None:
    began_s = time.monotonic()
    sent, requests = run([problem(code, status, **{"retry-after": "1"}), answer(MESSAGE, 201)], "send", "1", "hi")
    assert time.monotonic() - began_s >= 1
    assert sent.id == "17"
    assert len(set(keys_of(requests))) == 1


def test_a_retry_after_beyond_the_deadline_is_raised_at_once(run: Run) -> None:
    error, requests = run([problem("quota_reached", 429, **{"retry-after": "3600"})], "send", "1", "hi")
    assert isinstance(error, errors.TooFrequent)
    assert (error.retry_after_s, len(requests)) == (3600.0, 1)


def test_a_number_with_enough_codes_is_left_to_the_caller(run: Run) -> None:
    error, requests = run([problem("number_limit_reached", 429, **{"retry-after": "2"})], "start_verification", "1")
    assert isinstance(error, errors.NumberLimit)
    assert (error.retry_after_s, len(requests)) == (2.0, 1)


@pytest.mark.parametrize("reply", [problem("internal_error", 500), answer(b"<html>", 502), answer(b"{", 201)])
def test_a_failing_server_is_asked_again(run: Run, reply: ClientReply) -> None:
    sent, requests = run([reply, answer(MESSAGE, 201)], "send", "1", "hi")
    assert sent.id == "17"
    assert len(set(keys_of(requests))) == 1


def test_a_refusal_is_typed_and_keeps_the_document(run: Run) -> None:
    document = {
        "type": "/v1/errors/number_national",
        "title": "The number lacks its country code",
        "status": 422,
        "code": "number_national",
        "detail": "it lacks its country code",
        "errors": [{"pointer": "#/to", "detail": "it lacks its country code"}],
        "new": 1,
    }
    error, requests = run([answer(document, 422)], "send", "0138", "hi")
    assert type(error) is errors.NumbersInvalid
    assert len(requests) == 1
    assert (error.code, error.http_status, error.words) == ("number_national", 422, "it lacks its country code")
    assert error.problem is not None
    assert error.problem.title == document["title"]
    assert error.problem.detail == document["detail"]
    assert error.problem.pointers == ("#/to",)
    assert error.endpoint == "messages"
    assert KEY not in str(error)


def test_every_code_of_the_server_has_its_error() -> None:
    assert set(PROBLEM_CODES) == set(PROBLEMS)


@pytest.mark.parametrize(
    ("status", "kind"), [(422, errors.Refused), (429, errors.TooFrequent), (500, errors.VendorFault)]
)
def test_a_code_of_a_newer_server_goes_by_its_status(run: Run, status: int, kind: type[errors.ClientError]) -> None:
    error, _requests = run([problem("brand_new", status)], "balance", terms=CallTerms(attempts=1))
    assert type(error) is kind
    assert error.code == "brand_new"


def test_members_and_statuses_of_a_newer_server_are_no_failure(run: Run) -> None:
    message, _requests = run([answer({**MESSAGE, "status": "paused", "more": {}})], "message", "17")
    assert message.status is v1.Status.OTHER
    assert message.price == v1.Money(Decimal("0.031"), "USD")
    checked, _requests = run([answer({"id": "1", "status": "yes"})], "check_verification", "1", "123456")
    assert not checked.is_verified


def test_a_list_goes_through_its_pages_also_empty_ones(run: Run) -> None:
    pages = [
        answer({"messages": [MESSAGE, {**MESSAGE, "id": "16"}], "next_cursor": "16"}),
        answer({"messages": [], "next_cursor": "9"}),
        answer({"messages": [{**MESSAGE, "id": "8"}]}),
    ]
    rows, requests = run(pages, "messages", to="861", limit=2)
    assert [row.id for row in rows] == ["17", "16", "8"]
    assert [request.target.partition("?")[2] for request in requests] == [
        "to=861&limit=2",
        "to=861&limit=2&cursor=16",
        "to=861&limit=2&cursor=9",
    ]


def test_one_page_tells_where_the_next_begins(run: Run) -> None:
    page, requests = run([answer({"messages": [MESSAGE], "next_cursor": "17"})], "message_page", limit=1)
    assert (len(page.rows), page.next_cursor, len(requests)) == (1, "17", 1)


def test_a_conversion_is_of_a_message_or_a_number() -> None:
    with pytest.raises(ValueError, match="message_id"):
        calls.report_conversion()
    with pytest.raises(ValueError, match="message_id"):
        calls.report_conversion(message_id="1", to="861")


def test_both_clients_have_the_same_calls() -> None:
    def names(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert names(HomingClient) == names(AsyncHomingClient)
    built = {name for name in dir(V1Calls) if not name.startswith("_")} - {"render"}
    assert built <= names(HomingClient)
