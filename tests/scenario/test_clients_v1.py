"""The client of Homing's own API against the real server: every call, from threads and from a loop."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from homing_clients import AsyncHomingClient, AsyncLaafficClient, HomingClient, errors, v1
from homing_clients.webhooks import WebhookVerifier
from tests.support.command import homing_json
from tests.support.server import QUEUED, REPLYING, Account, Server
from tests.support.sink import Sink
from tests.support.v1 import new_token
from tests.support.waiting import until

NUMBER = "8613800130001"
WAITS = f"{QUEUED}20000007"
"""Nobody serves its carrier: the message stays queued, and its text can be read."""
PRICE = v1.Money(Decimal("0.031"), "USD")
ROWS_OF_PAGES = ("messages", "statement", "inbound", "events", "deliveries")


class Caller:
    """A client of either way, called alike."""

    def __init__(self, client: Any, account: Account) -> None:
        self.client = client
        self.account = account

    async def call(self, name: str, *arguments: object, **more: object) -> Any:
        method = getattr(self.client, name)
        if isinstance(self.client, HomingClient):
            if name in ROWS_OF_PAGES:
                return await asyncio.to_thread(lambda: list(method(*arguments, **more)))
            return await asyncio.to_thread(method, *arguments, **more)
        outcome = method(*arguments, **more)
        return [row async for row in outcome] if name in ROWS_OF_PAGES else await outcome


@pytest.fixture(params=["sync", "async"])
async def caller(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    account = await server.account()
    make: Any = HomingClient if request.param == "sync" else AsyncHomingClient
    caller = Caller(make(await new_token(server, account), base_url=f"{server.url}/v1"), account)
    yield caller
    await caller.call("close")


async def code_of(server: Server, verification: v1.Verification) -> str:
    row = await server.query_row("SELECT text FROM message WHERE message_id = $1", int(verification.id))
    return str(row["text"]).split()[0]


async def test_a_message_is_quoted_sent_and_read(caller: Caller) -> None:
    quote = await caller.call("quote", f"+{NUMBER}", "Your table is ready")
    assert (quote.to, quote.segments, quote.encoding, quote.price) == (NUMBER, 1, "gsm7", PRICE)
    sent = await caller.call("send", f"+{NUMBER}", "Your table is ready", reference="order 7")
    assert (sent.to, sent.sender, sent.reference, sent.price) == (NUMBER, "HOMING", "order 7", PRICE)
    assert sent.status is v1.Status.QUEUED
    message = await until(lambda: caller.call("message", sent.id), lambda message: message.status.is_final)
    assert message.status is v1.Status.DELIVERED
    assert message.text == "Your table is ready"
    assert message.finished_at.tzinfo is not None
    assert (await caller.call("balance")).balance.amount == Decimal("9.969")
    recorded = await caller.call("report_conversion", message_id=sent.id)
    assert recorded == v1.Conversion(sent.id, True)
    assert not (await caller.call("report_conversion", to=NUMBER, converted_at=datetime.now(UTC))).first


async def test_a_repeated_key_sends_once(server: Server, caller: Caller) -> None:
    key = str(uuid4())
    first = await caller.call("send", NUMBER, "hi", idempotency_key=key)
    assert await caller.call("send", NUMBER, "hi", idempotency_key=key) == first
    with pytest.raises(errors.KeyReused) as raised:
        await caller.call("send", NUMBER, "other", idempotency_key=key)
    assert raised.value.idempotency_key == key
    assert (await server.holdings(caller.account))[0] == 1


async def test_many_have_a_result_each(caller: Caller) -> None:
    items = [v1.BatchItem(NUMBER, "one", reference="a"), v1.BatchItem("12", "two"), v1.BatchItem(WAITS, "three")]
    quoted = await caller.call("quote_many", items)
    assert [result.quote is not None for result in quoted.results] == [True, False, True]
    batch = await caller.call("send_many", items)
    assert (batch.accepted, batch.refused) == (2, 1)
    first, second, third = batch.results
    assert (first.to, first.message.reference) == (NUMBER, "a")
    assert isinstance(second.refusal, errors.NumbersInvalid)
    assert second.refusal.problem is not None
    assert second.refusal.problem.pointers == ("#/messages/1/to",)
    assert third.refusal is None
    with pytest.raises(errors.NoMessageAccepted) as raised:
        await caller.call("send_many", items[1:2])
    assert raised.value.problem is not None
    assert raised.value.problem.pointers == ("#/messages/0/to",)


async def test_a_message_that_waits_is_cancelled(caller: Caller) -> None:
    sent = await caller.call("send", WAITS, "later", send_at=datetime.now(UTC) + timedelta(hours=1))
    assert sent.send_at is not None
    cancelled = await caller.call("cancel_message", sent.id)
    assert cancelled.status is v1.Status.CANCELLED
    assert cancelled.status.is_final
    assert cancelled.price.amount == 0
    delivered = await caller.call("send", NUMBER, "now")
    await until(lambda: caller.call("message", delivered.id), lambda message: message.status.is_final)
    with pytest.raises(errors.TooLateToCancel):
        await caller.call("cancel_message", delivered.id)


async def test_messages_are_listed_over_pages(caller: Caller) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    sent = [(await caller.call("send", WAITS, f"{n}", reference="r")).id for n in range(5)]
    rows = await caller.call("messages", reference="r", since=began, limit=2)
    assert [row.id for row in rows] == sent[::-1]
    page = await caller.call("message_page", reference="r", limit=2)
    assert [row.id for row in page.rows] == sent[:2:-1]
    rest = await caller.call("messages", reference="r", limit=2, cursor=page.next_cursor)
    assert [row.id for row in rest] == sent[2::-1]
    assert await caller.call("messages", status=v1.Status.DELIVERED, to=WAITS) == []
    postings = await caller.call("statement", limit=2)
    assert {sent_id for posting in postings if (sent_id := posting.submission_id)} == set(sent)
    assert sum(posting.amount.amount for posting in postings if posting.kind == "charge") < 0


async def test_a_code_is_sent_and_right_once(server: Server, caller: Caller) -> None:
    made = await caller.call("start_verification", WAITS, reference="sign-up")
    assert (made.status, made.attempts_left) == (v1.VerificationStatus.PENDING, 5)
    code = await code_of(server, made)
    wrong = await caller.call("check_verification", made.id, "000000" if code != "000000" else "000001")
    assert (wrong.is_verified, wrong.attempts_left) == (False, 4)
    key = str(uuid4())
    right = await caller.call("check_verification", made.id, code, idempotency_key=key)
    assert right.is_verified
    assert (await caller.call("check_verification", made.id, code, idempotency_key=key)).is_verified
    with pytest.raises(errors.AlreadyVerified):
        await caller.call("check_verification", made.id, code)
    shown = await caller.call("verification", made.id)
    assert (shown.status, shown.reference) == (v1.VerificationStatus.VERIFIED, "sign-up")
    assert [message.to for message in shown.messages] == [WAITS]


async def test_a_number_is_sent_few_codes(caller: Caller) -> None:
    made = await caller.call("start_verification", WAITS, code="aB9x")
    with pytest.raises(errors.NumberLimit) as raised:
        await caller.call("resend_verification", made.id)
    assert 0 < (raised.value.retry_after_s or 0) <= 30
    assert (await caller.call("cancel_verification", made.id)).status is v1.VerificationStatus.CANCELLED
    assert not (await caller.call("check_verification", made.id, "aB9x")).is_verified
    with pytest.raises(errors.VerificationOver):
        await caller.call("resend_verification", made.id)
    with pytest.raises(errors.VerificationUnknown):
        await caller.call("verification", "1")


async def test_replies_are_read(caller: Caller) -> None:
    number = f"{REPLYING}25550031"
    await caller.call("send", number, "well?")
    (inbound,) = await until(lambda: caller.call("inbound"), bool)
    assert (inbound.sender, inbound.to, inbound.text) == (number, "HOMING", "OK")


async def test_a_number_is_looked_up(caller: Caller) -> None:
    known = await caller.call("lookup", f"+{NUMBER}")
    assert (known.number, known.possible, known.country, known.price) == (NUMBER, True, "CN", PRICE)


async def test_an_app_has_its_likely_lost_codes_sent_again(caller: Caller) -> None:
    limit = v1.CodeLimit(messages=5, unit="hour")
    changed = await caller.call(
        "change_app", caller.account.app, number_limit=limit, resend_messages=1, resend_worth=Decimal("0.50")
    )
    assert (changed.number_limit, changed.resend_messages, changed.resend_worth.amount) == (limit, 1, Decimal("0.5"))
    assert (await caller.call("change_app", changed.id, number_limit="none")).number_limit is None
    assert await caller.call("apps") == (await caller.call("app", changed.id),)
    with pytest.raises(errors.AppUnknown):
        await caller.call("app", "none")


async def test_refusals_are_typed(server: Server, caller: Caller) -> None:
    for kind, name, arguments in (
        (errors.NumbersInvalid, "send", ("0138", "hi")),
        (errors.ContentEmpty, "send", (NUMBER, "")),
        (errors.NumbersInvalid, "start_verification", ("",)),
        (errors.ContentTooLong, "send", (NUMBER, "x" * 1601)),
        (errors.NoRoute, "send", ("9855500001", "hi")),
        (errors.MessageUnknown, "message", ("1",)),
        (errors.TemplateMissing, "start_verification", (NUMBER,)),
    ):
        more = {"template": "none"} if kind is errors.TemplateMissing else {}
        with pytest.raises(kind) as raised:
            await caller.call(name, *arguments, **more)
        assert type(raised.value) is kind
        assert raised.value.problem is not None
    with pytest.raises(errors.InsufficientBalance):
        await caller.call("send_many", [v1.BatchItem(NUMBER, "x" * 1000)] * 1000)
    with pytest.raises(errors.BadParameter) as raised_parameter:
        await caller.call("send", NUMBER, "hi", sender="STRANGER")
    assert raised_parameter.value.problem is not None
    assert raised_parameter.value.problem.pointers == ("#/from",)
    assert (await server.holdings(caller.account))[0] == 0


async def test_keys_are_refused_as_what_they_are(server: Server) -> None:
    account = await server.account()
    reading = await new_token(server, account, "messages:read")
    for kind, key in ((errors.ScopeMissing, reading), (errors.NotAuthenticated, "hm_none_none")):
        async with AsyncHomingClient(key, base_url=f"{server.url}/v1") as client:
            with pytest.raises(kind):
                await client.send(NUMBER, "hi")


async def test_what_the_server_pushes_is_verified(server: Server, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(report_url=box.url)
    shown = await homing_json(server.dsn, "webhook", "secret", "show", account.name, "--data", str(server.data))
    secret = shown[0]["secret"]
    async with AsyncLaafficClient(account.key, account.secret, app_id=account.app, base_url=f"{server.url}/v3") as own:
        await own.send(NUMBER, "hi")
    (push, *_) = await box.first()
    verified = WebhookVerifier("whsec_" + "A" * 32, secret).verify(push.body, push.headers)
    assert verified.webhook_id.startswith("push_")
    with pytest.raises(errors.BadSignature):
        WebhookVerifier(secret).verify(push.body + b" ", push.headers)


async def test_an_endpoint_is_made_tried_and_given_its_events_again(caller: Caller, sink: Sink) -> None:
    box = sink.box()
    webhook = await caller.call("create_webhook", box.url, types=["message.delivered"], description="shop")
    assert webhook.secret not in repr(webhook)
    verifier = WebhookVerifier(webhook.secret)
    trial = await caller.call("test_webhook", webhook.id)
    assert (trial.delivered, trial.http_status, trial.answer) == (True, 200, "the sink has it")
    test = verifier.event(box.pushes[0].body, box.pushes[0].headers)
    assert (test.type, test.data) == ("webhook.test", {"id": webhook.id})
    sent = await caller.call("send", NUMBER, "hi")
    push = (await box.first(2))[1]
    event = verifier.event(push.body, push.headers)
    assert isinstance(event.data, v1.Message)
    assert (event.type, event.data.id, event.data.status) == ("message.delivered", sent.id, v1.Status.DELIVERED)
    assert await caller.call("event", event.id) == event
    assert [each.id for each in await caller.call("events", message_id=sent.id)] == [event.id]
    replayed = await until(  # once the first attempt is recorded
        lambda: caller.call("replay_webhook", webhook.id, since=event.time), lambda replay: replay.queued
    )
    assert (replayed.queued, replayed.next_cursor) == (1, "")
    await box.first(3)
    again = await until(lambda: caller.call("replay_event", webhook.id, event.id), lambda replay: replay.queued)
    assert again.queued == 1
    assert (await box.first(4))[3].body == push.body
    (delivery,) = await caller.call("deliveries", webhook.id)
    assert (delivery.event_id, delivery.type) == (event.id, "message.delivered")
    rotated = await caller.call("rotate_webhook_secret", webhook.id, keep_hours=0)
    assert rotated.previous_until is None
    await caller.call("test_webhook", webhook.id)
    with pytest.raises(errors.BadSignature):
        verifier.event(box.pushes[4].body, box.pushes[4].headers)
    WebhookVerifier(rotated.secret).event(box.pushes[4].body, box.pushes[4].headers)
    changed = await caller.call("change_webhook", webhook.id, enabled=False, description="")
    assert (changed.enabled, changed.disabled_reason, changed.description) == (False, "customer", "")
    with pytest.raises(errors.WebhookOff):
        await caller.call("replay_event", webhook.id, event.id)
    assert await caller.call("webhooks") == (await caller.call("webhook", webhook.id),)
    await caller.call("remove_webhook", webhook.id)
    with pytest.raises(errors.WebhookUnknown):
        await caller.call("remove_webhook", webhook.id)
    with pytest.raises(errors.EventUnknown):
        await caller.call("event", "evt_999999999999")
