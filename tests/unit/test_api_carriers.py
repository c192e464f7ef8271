"""The parts of carriers over HTTP that need no network: windows, questions, verdicts, templates and readings."""

import asyncio
import json
import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from homing import errors as own_errors
from homing import limits
from homing.carriers import http, kinds, laaffic, lia
from homing.carriers.api import ApiCarrier, ApiSettings, CallShape
from homing.carriers.base import MalformedReport, WebhookRequest, WebhookResult
from homing.carriers.call_outcomes import answer_of
from homing.carriers.http_reading import ReceivedDocument, TimePath, ValuePath, walk
from homing.carriers.http_template import TextTemplate, escape_for, in_header, values_of
from homing.carriers.status_poller import API_ASK_PAUSE_S_MAX, StatusPoller
from homing.carriers.window import API_REST_FIRST_S, API_REST_S_MAX, CarrierWindow
from homing.intake.intake import utc_now
from homing.model import Answer, CarrierInbound, CarrierReceipt, Options, Outbound, Outcome, Outstanding, Traffic
from homing.states import MessageState
from homing_clients import errors
from tests.support.carriers import first_answers, unmarked
from tests.support.waiting import WAIT_S, until

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "http-carriers.md"
AT = datetime(2026, 11, 22, 5, 34, 12, tzinfo=UTC)
SOON_S = 10


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def message(**changes: Any) -> Outbound:
    given = {
        "account_id": 1,
        "message_id": 17,
        "attempt": 2,
        "number": "8613800130001",
        "sender": "A&B",
        "text": 'x="1+1" <ü>\n{braces}',
        "encoding": 8,
        "segments": 1,
        "expires_at": AT + timedelta(seconds=90),
        **changes,
    }
    return Outbound(**given)


# ---- Flash, and India's ids

FLASH = {"url": "http://127.0.0.1/send", "json": {"text": "{text}", "flash": "{flash:bool}", "dlt": ["{pe_id}"]}}
REPLY = {"rules": [{"outcome": "accepted", "status": [200]}]}


@pytest.mark.parametrize(
    ("kind", "settings", "carries"),
    [
        ("smpp", {"host": "a", "system_id": "us"}, True),
        ("smpp", {"host": "a", "system_id": "us", "flash": False}, False),
        ("lia", {"api_id": "a", "api_password": "b"}, True),
        ("lia", {"api_id": "a", "api_password": "b", "flash": False}, False),
        ("laaffic", {"key": "a", "secret": "b", "app_id": "c"}, False),
        ("http", {"url": "http://127.0.0.1/?c={flash}", "reply": REPLY}, True),
        ("http", {**FLASH, "reply": REPLY}, True),
        ("http", {"url": "http://127.0.0.1/", "form": {"flash": "{{flash}}"}, "reply": REPLY}, False),
        ("simulator", {}, True),
        ("simulator", {"flash": False}, False),
    ],
)
def test_every_kind_tells_whether_it_carries_flash(kind: str, settings: dict[str, Any], carries: bool) -> None:
    assert kinds.read_settings(kind, json.dumps(settings)).carries_flash is carries


@pytest.mark.parametrize("flash", [True, False])
def test_a_template_tells_of_flash_and_of_indias_ids(flash: bool) -> None:
    template = http.HttpTemplate(kinds.read_settings("http", json.dumps({**FLASH, "reply": REPLY})))
    values = values_of(message(options=Options(flash, "1101", "1107")), {}, AT)
    body = template.render(values).body
    assert body is not None
    assert json.loads(body) == {"text": message().text, "flash": flash, "dlt": ["1101"]}
    assert TextTemplate("{flash}/{template_id}", {}).fill(values) == f"{int(flash)}/1107"


def test_a_word_in_place_of_a_flag_is_no_boolean() -> None:
    values = values_of(message(), {"flash": {"0": "normal"}}, AT)
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        TextTemplate("{flash:bool}", {}).as_scalar(values)


@pytest.mark.parametrize(
    ("text_encoding", "flash", "word"), [(0, False, "T"), (0, True, "FS"), (8, False, "U"), (8, True, "UFS")]
)
async def test_a_lia_vendor_is_asked_for_flash_and_told_the_ids(text_encoding: int, flash: bool, word: str) -> None:
    api = lia.LiaApi(kinds.read_settings("lia", '{"api_id": "a", "api_password": "b"}'), lambda: AT)
    asked = api._message([message(encoding=text_encoding, options=Options(flash, "1101", "1107"))])
    await api.close()
    assert (asked.encoding, asked.pe_id, asked.template_id) == (word, "1101", "1107")


async def test_flash_and_plain_messages_of_one_text_share_no_call_and_a_vendor_without_flash_gets_none() -> None:
    calls: list[list[Options]] = []

    class Vendor:
        async def send(self, messages: Sequence[Outbound]) -> Sequence[Answer]:
            calls.append([one.options for one in messages])
            return [Answer(Outcome.ACCEPTED, str(one.message_id)) for one in messages]

        async def ask(self, carrier_refs: Sequence[str]) -> Sequence[CarrierReceipt]:
            return []

        async def close(self) -> None: ...

    flash, plain = Options(flash=True), Options()
    batch = [message(message_id=n, options=(plain, flash)[n % 2]) for n in range(4)]
    for kind, settings, outcome in (
        ("lia", '{"api_id": "a", "api_password": "b"}', Outcome.ACCEPTED),
        ("laaffic", '{"key": "a", "secret": "b", "app_id": "c"}', Outcome.REFUSED),
    ):
        calls.clear()
        carrier = ApiCarrier(
            api=Vendor(),
            settings=kinds.read_settings(kind, settings),
            manner=CallShape(10),
            rng=random.Random(1),
            clock=utc_now,
        )
        answers = await submit(carrier, batch)
        assert calls == [[plain, plain]] + [[flash, flash]] * (kind == "lia")
        assert [answers[n].outcome for n in range(4)] == [Outcome.ACCEPTED, outcome] * 2


# ---- Windows


def window(clock: Clock, size: int = 10, per_s: float | None = None) -> CarrierWindow:
    return CarrierWindow(size=size, per_s=per_s, rng=random.Random(1), clock_s=clock)


def test_what_is_under_way_takes_room() -> None:
    one = window(Clock())
    with one.holding(7):
        assert one.room() == 3
        with one.holding(3):
            assert one.room() == 0
    assert one.room() == 10


def test_a_rate_is_kept_over_any_time() -> None:
    clock = Clock()
    one, sent = window(clock, 1000, 5.0), 0
    for _step in range(1000):
        room = one.room()
        with one.holding(room):
            sent += room
        clock.now_s += 0.01
    assert 50 <= sent <= 56


def test_a_slow_rate_lets_one_go_at_a_time() -> None:
    clock = Clock()
    one = window(clock, 10, 0.5)
    assert one.room() == 1
    with one.holding(1):
        pass
    assert one.room() == 0
    clock.now_s += 2.0
    assert one.room() == 1


def test_without_a_connection_it_rests_then_lets_one_try() -> None:
    clock = Clock()
    one = window(clock)
    one.failed(errors.NotSent())
    one.failed(errors.NotSent())
    assert (one.room(), one.is_up) == (0, False)
    clock.now_s += API_REST_FIRST_S * 1.2
    assert one.room() == 1
    with one.holding(1):
        assert one.room() == 0
        one.worked()
    assert (one.room(), one.is_up) == (10, True)


def test_rests_grow_to_their_bound() -> None:
    clock = Clock()
    one, rests = window(clock), []
    for _try in range(12):
        one.failed(errors.NotSent())
        start_s = clock.now_s
        while not one.room():
            clock.now_s += 0.05
        rests.append(clock.now_s - start_s)
    assert rests[0] < 0.7
    assert rests[3] > rests[0] * 3
    assert API_REST_S_MAX * 0.75 < rests[-1] <= API_REST_S_MAX * 1.25


def test_a_vendor_that_is_called_too_often_is_left_alone_as_long_as_it_says() -> None:
    clock = Clock()
    one = window(clock)
    one.failed(errors.TooFrequent(retry_after_s=7))
    assert one.is_up
    clock.now_s += 6.9
    assert one.room() == 0
    clock.now_s += 0.2
    assert one.room() == 10
    one.failed(errors.TooFrequent(retry_after_s=86_400))
    clock.now_s += limits.API_THROTTLE_S_MAX
    assert one.room() == 10


async def test_whoever_waits_for_room_is_woken() -> None:
    one = CarrierWindow(size=1, per_s=None, rng=random.Random(1))
    with one.holding(1):
        waiting = asyncio.create_task(one.until_room())
        await asyncio.sleep(0.01)
        assert not waiting.done()
    await asyncio.wait_for(waiting, WAIT_S)


@pytest.mark.parametrize("turns", range(4))
async def test_whoever_is_cancelled_when_just_woken_is_cancelled(turns: int) -> None:
    one = CarrierWindow(size=2, per_s=0.1, rng=random.Random(1))
    with one.holding(1):
        waiting = asyncio.create_task(one.until_room())
        await asyncio.sleep(0.01)
    for _turn in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting], timeout=1)
    assert waiting.cancelled()


# ---- Questions


def test_messages_are_asked_about_later_and_later_until_none_can_answer() -> None:
    one, now_s = StatusPoller(10.0), 0.0
    one.add("a", 0.0, 0.0)
    times = []
    while (next_s := one.next_s()) is not None:
        now_s = next_s
        (asked,) = one.take(now_s, 5)
        times.append(now_s)
        one.again(asked, now_s)
    assert times[:5] == [10.0, 20.0, 40.0, 80.0, 160.0]
    assert max(b - a for a, b in pairwise(times)) == API_ASK_PAUSE_S_MAX
    assert limits.VALIDITY_S_MAX < times[-1] <= limits.API_ASK_S_MAX + API_ASK_PAUSE_S_MAX


def test_old_messages_are_asked_about_at_once_and_none_where_nobody_asks() -> None:
    one = StatusPoller(10.0)
    one.add("old", 0.0, 500.0)
    assert one.next_s() == 500.0
    assert [asked.carrier_ref for asked in one.take(500.0, 9)] == ["old"]
    never = StatusPoller(0.0)
    never.add("a", 0.0, 0.0)
    assert len(never) == 0


def test_what_is_asked_about_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTSTANDING_MAX", 3)
    one = StatusPoller(1.0)
    for nth in range(5):
        one.add(str(nth), 0.0, 0.0)
    assert len(one) == 3


# ---- Verdicts


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.NotSent("refused"), Outcome.DEFERRED),
        (errors.TooFrequent(), Outcome.DEFERRED),
        (errors.InsufficientBalance(code="-10"), Outcome.DEFERRED),
        (errors.NotAuthenticated(), Outcome.DEFERRED),
        (errors.AccountLocked(), Outcome.DEFERRED),
        (errors.ClockOff(), Outcome.DEFERRED),
        (errors.NumbersTooMany(), Outcome.DEFERRED),
        (errors.HttpRefused(http_status=404), Outcome.DEFERRED),
        (errors.HttpRefused(http_status=400), Outcome.REFUSED),
        (errors.Redirected(http_status=308), Outcome.DEFERRED),
        (errors.Redirected(http_status=302, in_doubt=True), Outcome.UNKNOWN),
        (errors.SensitiveWords(), Outcome.REFUSED),
        (errors.NoRoute(), Outcome.REFUSED),
        (errors.NumbersInvalid(code="-9"), Outcome.REFUSED),
        (errors.Refused(code="-99"), Outcome.REFUSED),
        (errors.FateUnknown(in_doubt=True), Outcome.UNKNOWN),
        (errors.Unanswered(in_doubt=True), Outcome.UNKNOWN),
        (errors.VendorFault(in_doubt=True), Outcome.UNKNOWN),
        (errors.BadAnswer(), Outcome.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_an_error_decides_what_becomes_of_the_calls_messages(error: errors.ClientError, outcome: Outcome) -> None:
    answer = answer_of(error)
    assert answer.outcome is outcome
    assert answer.error_code
    assert answer.error_text
    assert (answer.error_code == "11") is isinstance(error, errors.NumbersInvalid)


# ---- The frame of all of them


class Vendor:
    """A vendor in memory: answers what it is told."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.asked: list[list[str]] = []
        self.failure: Exception | None = None
        self.ends: dict[str, MessageState] = {}

    async def send(self, messages: Sequence[Outbound]) -> Sequence[Answer]:
        self.calls.append([one.number for one in messages])
        if self.failure:
            raise self.failure
        return [Answer(Outcome.ACCEPTED, f"ref-{one.message_id}") for one in messages]

    async def ask(self, carrier_refs: Sequence[str]) -> Sequence[CarrierReceipt]:
        self.asked.append(list(carrier_refs))
        if self.failure:
            raise self.failure
        return [CarrierReceipt(ref, self.ends[ref], AT, None, "") for ref in carrier_refs if ref in self.ends]

    def refs_asked(self) -> list[str]:
        return [ref for refs in self.asked for ref in refs]

    async def close(self) -> None:
        self.calls.append(["closed"])


def carrier(vendor: Vendor, manner: CallShape = CallShape(), **settings: Any) -> ApiCarrier:  # noqa: B008
    return ApiCarrier(api=vendor, settings=ApiSettings(**settings), manner=manner, rng=random.Random(1), clock=utc_now)


async def submit(one: ApiCarrier, batch: Sequence[Outbound]) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}
    await one.submit(batch, first_answers(answers), unmarked)
    assert len(answers) == len(batch)
    return answers


async def test_messages_alike_share_calls_up_to_what_one_carries() -> None:
    vendor = Vendor()
    batch = [message(message_id=n, number=str(n), text="ab"[n % 2], sender="S") for n in range(9)]
    batch.append(message(message_id=9, number="9", text="a", sender="T"))
    batch.append(message(message_id=10, number="10", text="a", sender="S", traffic=Traffic.PROMOTIONAL))
    answers = await submit(carrier(vendor, CallShape(send_max=3)), batch)
    assert sorted(map(sorted, vendor.calls)) == sorted(
        map(sorted, [["0", "2", "4"], ["6", "8"], ["1", "3", "5"], ["7"], ["9"], ["10"]])
    )
    assert answers[7] == Answer(Outcome.ACCEPTED, "ref-7")


async def test_a_call_that_fails_fails_its_messages_alone() -> None:
    class Half(Vendor):
        async def send(self, messages: Sequence[Outbound]) -> Sequence[Answer]:
            if messages[0].text == "bad":
                raise errors.SensitiveWords("no", code="-3")
            return await super().send(messages)

    answers = await submit(carrier(Half()), [message(message_id=1, text="bad"), message(message_id=2, text="good")])
    assert (answers[1].outcome, answers[1].error_code) == (Outcome.REFUSED, "-3")
    assert answers[2].outcome is Outcome.ACCEPTED


async def test_what_found_no_free_connection_in_time_has_certainly_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "API_START_S", 0.05)

    class Slow(Vendor):
        async def send(self, messages: Sequence[Outbound]) -> Sequence[Answer]:
            await asyncio.sleep(0.2)
            return await super().send(messages)

    answers = await submit(carrier(Slow(), connections=1), [message(message_id=n, text=str(n)) for n in range(3)])
    assert [answers[n].outcome for n in range(3)] == [Outcome.ACCEPTED, Outcome.DEFERRED, Outcome.DEFERRED]


async def test_a_carrier_is_down_while_it_finds_no_connection() -> None:
    vendor = Vendor()
    one = carrier(vendor)
    assert one.health().is_up
    vendor.failure = errors.NotSent("refused")
    await submit(one, [message()])
    assert (one.room(), one.health().is_up) == (0, False)
    assert "refused" in str(one.health().detail["last_error"])


async def test_outstanding_messages_are_asked_about_until_they_end() -> None:
    vendor = Vendor()
    one = carrier(vendor, CallShape(ask_after_s=0.01, ask_max=10, asks_per_s=100))
    await one.resume([Outstanding("old", "1", "S", AT - timedelta(days=10))])
    await submit(one, [message(message_id=5)])
    reports = one.reports()
    waiting = asyncio.ensure_future(anext(reports))
    await until(lambda: vendor.refs_asked().count("ref-5") > 1)
    assert vendor.refs_asked().count("old") == 1, "what is too old is asked about once more"
    vendor.ends = {"ref-5": MessageState.DELIVERED}
    (receipt,) = await asyncio.wait_for(waiting, WAIT_S)
    assert isinstance(receipt, CarrierReceipt)
    assert (receipt.carrier_ref, receipt.state) == ("ref-5", MessageState.DELIVERED)
    quiet = asyncio.ensure_future(anext(reports))
    await until(lambda: one.health().detail["to_ask_about"] == 0)
    quiet.cancel()


async def test_questions_that_fail_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "API_THROTTLE_S", 0.01)
    vendor = Vendor()
    vendor.failure = errors.Unanswered("lost", in_doubt=True)
    vendor.ends = {"ref-5": MessageState.EXPIRED}
    one = carrier(vendor, CallShape(ask_after_s=0.01, asks_per_s=100))
    vendor.failure = None
    await submit(one, [message(message_id=5)])
    vendor.failure = errors.Unanswered("lost", in_doubt=True)
    waiting = asyncio.ensure_future(anext(one.reports()))
    await until(lambda: len(vendor.asked) >= 2)
    vendor.failure = None
    (receipt,) = await asyncio.wait_for(waiting, WAIT_S)
    assert isinstance(receipt, CarrierReceipt)
    assert receipt.state is MessageState.EXPIRED


async def test_a_failure_of_our_own_while_asking_loses_no_question() -> None:
    vendor = Vendor()
    one = carrier(vendor, CallShape(ask_after_s=0.01, asks_per_s=100))
    await submit(one, [message(message_id=5)])
    vendor.failure = KeyError("status")
    with pytest.raises(KeyError):
        await asyncio.wait_for(anext(one.reports()), WAIT_S)
    assert one.health().detail["to_ask_about"] == 1


# ---- The two dialects' pushes


def push(path: str, body: bytes, method: str = "POST", query: bytes = b"") -> WebhookRequest:
    return WebhookRequest(method, path, query, "application/json", body)


def test_laaffic_pushes_become_receipts() -> None:
    settings = laaffic.LaafficSettings(key="k", secret="s", app_id="a", zone_hours=8)
    listener = laaffic.LaafficWebhookParser(settings, lambda: AT)
    for body, state, code in (
        (b'"status":0,"reason":"0"', MessageState.DELIVERED, None),
        (b'"status":1,"reason":"Undeliverable"', MessageState.UNDELIVERABLE, "Undeliverable"),
        (b'"status":1,"reason":"EXPIRED"', MessageState.EXPIRED, "EXPIRED"),
        (b'"status":1,"reason":"Rejected by operator"', MessageState.REJECTED, "Rejected by operator"),
        (b'"status":1,"reason":"x","mcc":"999"', MessageState.REJECTED, "x"),
    ):
        heard = listener.read(push("report", b'{"msgid":"5","mobile":"86138",' + body + b"}"))
        (receipt,) = heard.reports
        assert isinstance(receipt, CarrierReceipt)
        assert (receipt.state, receipt.error_code, receipt.number) == (state, code, "86138")
        assert (receipt.carrier_ref, receipt.received_at, heard.status) == ("5", AT, 200)
    (inbound,) = listener.read(
        push("inbound", b'{"msgid":"7","mobile":"49","sendid":"S","content":"OK","reply_time":"2026-11-22 13:34:12"}')
    ).reports
    assert inbound == CarrierInbound("49", "S", "OK", AT, f"7 {AT.timestamp():.0f}")


def test_a_laaffic_vendor_with_one_address_is_heard_at_either() -> None:
    listener = laaffic.LaafficWebhookParser(laaffic.LaafficSettings(key="k", secret="s", app_id="a"), lambda: AT)
    (receipt,) = listener.read(push("inbound", b'{"msgid":"5","mobile":"86138","status":0,"reason":"0"}')).reports
    assert isinstance(receipt, CarrierReceipt)
    assert (receipt.carrier_ref, receipt.state) == ("5", MessageState.DELIVERED)
    (reply,) = listener.read(push("report", b'{"msgid":"7","mobile":"49","sendid":"S","content":"OK"}')).reports
    assert reply == CarrierInbound("49", "S", "OK", AT, "7")
    with pytest.raises(MalformedReport, match="a delivery report"):
        listener.read(push("inbound", b'{"mobile":"86138","status":0}'))


@pytest.mark.parametrize("body", [b"mobile=49&sendid=S&content=caf%E9", b"mobile=49&sendid=S&content=caf\xe9"])
def test_a_form_in_latin_1_keeps_its_letters(body: bytes) -> None:
    listener = laaffic.LaafficWebhookParser(laaffic.LaafficSettings(key="k", secret="s", app_id="a"), lambda: AT)
    assert texts(listener.read(push("inbound", body))) == ["café"]
    assert texts(listener.read(push("inbound", "mobile=49&content=caf%C3%A9+é".encode()))) == ["café é"]


def test_lia_pushes_become_receipts() -> None:
    listener = lia.LiaWebhookParser(lia.LiaSettings(api_id="a", api_password="b"), lambda: AT)
    (receipt,) = listener.read(
        push("report", b'{"message_id":5,"PhoneNumber":"86","DLRStatus":"DND","ErrorCode":"7"}')
    ).reports
    assert isinstance(receipt, CarrierReceipt)
    assert (receipt.carrier_ref, receipt.state, receipt.error_code) == ("5", MessageState.REJECTED, "7")
    for path, body in (("inbound", b"{}"), ("report", b"{}"), ("", b'{"message_id":5,"DLRStatus":"x"}')):
        with pytest.raises(MalformedReport):
            listener.read(push(path, body))


# ---- Templates


def http_settings(**changes: Any) -> Any:
    given = {
        "url": "https://vendor.test/send",
        "reply": {"rules": [{"outcome": "accepted", "status": [200]}]},
        "secrets": {"key": "k&y", "user": "u", "password": "p"},
        **changes,
    }
    return kinds.read_settings("http", json.dumps(given))


def rendered(sent: Outbound | None = None, **changes: Any) -> Any:
    settings = http_settings(**changes)
    return http.HttpTemplate(settings).render(values_of(sent or message(), settings.words, AT))


def test_values_are_escaped_for_the_place_that_they_stand_in() -> None:
    text = 'x="1+1" <ü>\n{braces}'
    url = rendered(
        url="https://vendor.test/to/{sender}?t={text}", method="GET", query={"k": "{secret.key}", "s": "{sender}"}
    )
    assert url.target == ("/to/A%26B?t=x%3D%221%2B1%22%20%3C%C3%BC%3E%0A%7Bbraces%7D&k=k%26y&s=A%26B")
    form = rendered(form={"a b": "{text}", "n": "{number}"})
    assert form.body == b"a%20b=x%3D%221%2B1%22%20%3C%C3%BC%3E%0A%7Bbraces%7D&n=8613800130001"
    assert form.headers["Content-Type"] == "application/x-www-form-urlencoded"
    document = rendered(json={"m": [{"t": "{text}", "n": "{number:int}", "both": "{number}-{sender}", "x": None}]})
    assert json.loads(document.body) == {"m": [{"t": text, "n": 8613800130001, "both": "8613800130001-A&B", "x": None}]}
    xml = rendered(raw="<sms to='{number}'>{text}</sms>", raw_type="text/xml")
    assert xml.body.decode() == ("<sms to='8613800130001'>x=&quot;1+1&quot; &lt;ü&gt;\n{braces}</sms>")
    raw_json = rendered(raw='{{"t":"{text}"}}', raw_type="application/json")
    assert json.loads(raw_json.body) == {"t": text}


def test_an_address_is_asked_for_as_written_but_for_what_no_request_line_holds() -> None:
    request = rendered(url="https://vendor.test/send message/%2F{sender}?to=+{number}&campaign=Frühling 1&x=%7e")
    assert request.target == "/send%20message/%2FA%26B?to=+8613800130001&campaign=Fr%C3%BChling%201&x=%7e"


def test_a_text_cannot_break_out_of_a_header() -> None:
    request = rendered(headers={"X-Text": "{text}", "X-Key": "{secret.key}"}, bearer="{secret.key}")
    assert "\n" not in request.headers["X-Text"]
    assert request.headers["X-Key"] == "k&y"
    assert request.headers["Authorization"] == "Bearer k&y"
    assert in_header("a\r\nSet: b") == "a%0D%0ASet%3A%20b"
    basic = rendered(basic=["{secret.user}", "{secret.password}"])
    assert basic.headers["Authorization"] == "Basic dTpw"


def test_values_have_the_vendors_words_and_forms() -> None:
    request = rendered(
        query={
            "e": "{encoding}",
            "t": "{traffic}",
            "h": "{sender:hex}",
            "r": "{reference}",
            "v": "{validity_s}",
            "at": "{time}",
        },
        words={"encoding": {"UCS2": "unicode"}, "traffic": {"PROMOTIONAL": "bulk"}},
    )
    assert request.target == ("/send?e=unicode&t=TRANSACTIONAL&h=004100260042&r=17-2&v=90&at=1795325652")


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://{sender}.vendor.test/"},
        {"url": "vendor.test/send"},
        {"url": "https://vendor.test/#part"},
        {"query": {"a": "{nothing}"}},
        {"query": {"a": "{secret.unknown}"}},
        {"query": {"a": "{number:octal}"}},
        {"query": {"a": "a { b"}},
        {"raw": "{"},
        {"form": {}, "json": {}},
        {"method": "GET", "form": {"a": "b"}},
        {"method": "DELETE"},
        {"reply": {"rules": []}},
        {"reply": {"rules": [{"outcome": "accepted"}]}},
        {"reply": {"rules": [{"outcome": "accepted", "at": "a..b"}]}},
        {"reply": {"rules": [{"outcome": "accepted", "pattern": "("}]}},
        {"reply": {"rules": [{"outcome": "maybe", "status": [200]}]}},
        {"receipt": {"ref": {"at": "a", "pattern": "b"}, "state": {"at": "s"}, "states": {}}},
        {"receipt": {"ref": {"at": "a"}, "state": {"at": "s"}, "states": {"x": "gone"}}},
        {"push_token": "short"},
        {"push_token": "a/b/c/d/e/f/g/h/i/j/k"},
        {"timeout_s": 60},
        {"anything": 1},
    ],
)
def test_settings_that_could_only_fail_later_are_refused_now(changes: dict[str, Any]) -> None:
    with pytest.raises(own_errors.InvalidInput, match="settings of a http carrier"):
        http_settings(**changes)


def test_a_value_that_is_no_number_is_not_written_as_one() -> None:
    with pytest.raises(ValueError):
        rendered(json={"from": "{sender:int}"})


def test_braces_are_written_twice() -> None:
    assert TextTemplate("{{{number}}}", {}).fill({"number": "1"}) == "{1}"
    assert escape_for("text/plain")("<") == "<"


# ---- Readings


def test_values_are_found_at_paths_and_by_patterns() -> None:
    document = ReceivedDocument(b'{"data":{"items":[{"id":7},{"id":null,"ok":true,"cost":0.10}]}}')
    assert ValuePath(at="data.items[0].id").find(document) == "7"
    assert ValuePath(at="data.items[1].ok").find(document) == "true"
    assert ValuePath(at="data.items[1].cost").find(document) == "0.10"
    for path in ("data.items[1].id", "data.items[2].id", "data", "data.items.id", "x"):
        assert ValuePath(at=path).find(document) is None
    assert ValuePath(pattern=r'"id":(\d+)').find(document) == "7"
    assert ValuePath(pattern="items").find(document) == "items"
    assert ValuePath(at="b").find(ReceivedDocument(b"a=1&b=2%203&b=4")) == "2 3"
    assert ValuePath(at="[0].a").find(ReceivedDocument(b'[{"a":"x"}]')) == "x"
    assert walk(None, "a.b") is None


def test_times_are_read_in_the_vendors_form_and_zone() -> None:
    for form, zone_hours, text in (
        ("iso", 0.0, "2026-11-22T05:34:12Z"),
        ("iso", 8.0, "2026-11-22 13:34:12"),
        ("epoch", 0.0, "1795325652"),
        ("epoch_ms", 0.0, "1795325652000"),
        ("%d.%m.%Y %H:%M:%S", -3.0, "22.11.2026 02:34:12"),
    ):
        found = TimePath(ValuePath(at="t"), form, zone_hours).find(ReceivedDocument(json.dumps({"t": text}).encode()))
        assert found == AT, form
    for text in ("", "soon", "99999999999999999999"):
        assert TimePath(ValuePath(at="t"), "epoch").find(ReceivedDocument(json.dumps({"t": text}).encode())) is None


RECEIPT: dict[str, Any] = {
    "ref": {"at": "id"},
    "state": {"at": "st"},
    "states": {"DELIVRD": "delivered", "UNDELIV": "undeliverable"},
    "number": {"at": "to"},
    "error_code": {"at": "err"},
    "time": {"value": {"at": "at"}, "form": "epoch"},
    "answer": {"body": "ACK", "content_type": "text/html"},
}


def listening(**changes: Any) -> http.HttpWebhookParser:
    return http.HttpWebhookParser(
        http_settings(receipt={**RECEIPT, **changes.pop("receipt", {})}, **changes), lambda: AT
    )


@pytest.mark.parametrize(
    "pushed",
    [
        push("report", b"", "GET", b"id=5&st=delivrd&to=86&err=0&at=1795325652"),
        push("report", b"id=5&st=delivrd&to=86&err=0&at=1795325652"),
        push("report", b'{"id":5,"st":"DELIVRD","to":"86","err":0,"at":1795325652}'),
        push("report", b" ", "POST", b"id=5&st=DELIVRD&to=86&err=0&at=1795325652"),
    ],
)
def test_receipts_are_read_from_queries_forms_and_json(pushed: WebhookRequest) -> None:
    heard = listening().read(pushed)
    (receipt,) = heard.reports
    assert isinstance(receipt, CarrierReceipt)
    assert (receipt.carrier_ref, receipt.state, receipt.number) == ("5", MessageState.DELIVERED, "86")
    assert (receipt.error_code, receipt.received_at) == ("0", AT)
    assert (heard.body, heard.content_type) == (b"ACK", "text/html")


def test_a_push_can_tell_of_several_messages() -> None:
    body = json.dumps({"list": [{"id": "1", "st": "DELIVRD"}, {"id": "2", "st": "UNDELIV"}]}).encode()
    receipts = listening(receipt={"each": "list"}).read(push("report", body)).reports
    assert [(one.carrier_ref, one.state) for one in receipts if isinstance(one, CarrierReceipt)] == [
        ("1", MessageState.DELIVERED),
        ("2", MessageState.UNDELIVERABLE),
    ]
    for wrong in (b'{"list":{}}', json.dumps({"list": [{}] * 501}).encode()):
        with pytest.raises(MalformedReport):
            listening(receipt={"each": "list"}).read(push("report", wrong))


def test_a_word_that_nobody_knows_is_refused_unless_the_settings_say_what_it_means() -> None:
    pushed = push("report", b'{"id":"1","st":"TELEPORTED"}')
    with pytest.raises(MalformedReport):
        listening().read(pushed)
    (receipt,) = listening(receipt={"otherwise": "unknown"}).read(pushed).reports
    assert isinstance(receipt, CarrierReceipt)
    assert receipt.state is MessageState.UNKNOWN


def test_what_people_send_is_read() -> None:
    inbound = {"number": {"at": "from"}, "recipient": {"at": "to"}, "text": {"at": "body"}}
    listener = listening(inbound=inbound)
    (told,) = listener.read(push("inbound", b"from=49&to=S&body=")).reports
    assert told == CarrierInbound("49", "S", "", AT)
    (told,) = (
        listening(inbound={**inbound, "ref": {"at": "id"}}).read(push("inbound", b"id=m1&from=49&to=S&body=")).reports
    )
    assert told == CarrierInbound("49", "S", "", AT, "m1")
    with pytest.raises(MalformedReport):
        listener.read(push("inbound", b"from=49"))
    with pytest.raises(MalformedReport):
        listening().read(push("inbound", b"from=49&to=S&body=x"))


@pytest.mark.parametrize(
    "body", [b'[{"id":"1","st":"DELIVRD"},{"id":"2","st":"UNDELIV"}]', b'{"id":"1","st":"DELIVRD"}', b"[]"]
)
def test_a_push_may_be_a_list_itself_or_one_of_it(body: bytes) -> None:
    refs = [one.carrier_ref for one in listening(receipt={"each": "[]"}).read(push("report", body)).reports]
    assert refs == ["1", "2"][: body.count(b"id")]


REPLIES = {"number": {"at": "from"}, "recipient": {"at": "to"}, "text": {"at": "body"}}


def texts(heard: WebhookResult) -> list[str]:
    return [one.content for one in heard.reports if isinstance(one, CarrierInbound)]


def test_replies_may_come_in_a_list() -> None:
    body = b'[{"from":"49","to":"S","body":"a"},{"from":"49","to":"S","body":"b"}]'
    assert texts(listening(inbound={**REPLIES, "each": "[]"}).read(push("inbound", body))) == ["a", "b"]


def test_a_list_may_hold_receipts_and_replies_or_be_one_alone() -> None:
    body = b'{"list":[{"id":5,"st":"DELIVRD"},{"from":"49","to":"S","body":"hi"}]}'
    listener = listening(receipt={"each": "list"}, inbound={**REPLIES, "each": "list"})
    for path in ("report", "inbound"):
        heard = listener.read(push(path, body))
        assert [type(one) for one in heard.reports] == [CarrierReceipt, CarrierInbound]
        with pytest.raises(MalformedReport):
            listener.read(push(path, b'{"list":[{"id":5,"st":"DELIVRD"},{"nothing":"here"}]}'))
    (receipt,) = listener.read(push("report", b'{"list":{"id":5,"st":"DELIVRD"}}')).reports
    assert isinstance(receipt, CarrierReceipt)
    assert receipt.carrier_ref == "5"


def test_a_vendor_with_one_address_is_heard_at_either() -> None:
    listener = listening(inbound=REPLIES)
    (receipt,) = listener.read(push("inbound", b"id=5&st=DELIVRD")).reports
    assert isinstance(receipt, CarrierReceipt)
    assert texts(listener.read(push("report", b"from=49&to=S&body=hi"))) == ["hi"]
    for path in ("report", "inbound"):
        with pytest.raises(MalformedReport):
            listener.read(push(path, b"nothing=here"))
    with pytest.raises(MalformedReport, match="do not know"):
        listener.read(push("report", b"id=5&st=ODD&from=49&to=S&body=hi"))


def test_a_multipart_form_is_read() -> None:
    body = (
        b'--x1\r\nContent-Disposition: form-data; name="from"\r\n\r\n49\r\n--x1\r\nContent-Disposition: form-data;'
        b' name=to\r\n\r\nS\r\n--x1\r\nContent-Disposition: form-data; filename="f"; name="body"\r\n'
        b"Content-Type: text/plain\r\n\r\ncaf\xc3\xa9\r\nbar\r\n--x1--\r\n"
    )
    for boundary in ("x1", '"x1"'):
        pushed = WebhookRequest("POST", "inbound", b"", f"multipart/form-data; boundary={boundary}", body)
        assert texts(listening(inbound=REPLIES).read(pushed)) == ["café\r\nbar"]


FORM_TYPE = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("setting", "method", "content_type", "octets", "text"),
    [
        ("", "POST", f"{FORM_TYPE}; charset=ISO-8859-1", b"from=49&to=S&body=caf%E9", "café"),
        ("", "POST", FORM_TYPE, b"from=49&to=S&body=caf%E9", "café"),
        ("", "POST", FORM_TYPE, b"from=49&to=S&body=caf\xe9", "café"),
        ("", "POST", FORM_TYPE, b"from=49&to=S&body=caf%C3%A9", "café"),
        ("", "GET", "", b"from=49&to=S&body=caf%E9", "café"),
        ("windows-1251", "GET", "", b"from=49&to=S&body=%C4%E0", "Да"),
        ("windows-1251", "POST", f'{FORM_TYPE}; charset="utf-8"', b"from=49&to=S&body=%D0%94%D0%B0", "Да"),
        ("", "POST", "application/json; charset=windows-1252", b'{"from":"49","to":"S","body":"\x805"}', "€5"),
        ("", "POST", "application/json", b'{"from":"49","to":"S","body":"caf\xe9"}', "café"),
        ("", "POST", f"{FORM_TYPE}; charset=idna", b"from=49&to=S&body=a", "a"),
        ("", "POST", f"{FORM_TYPE}; charset=no\0such", b"from=49&to=S&body=a", "a"),
    ],
)
def test_a_push_keeps_its_letters_in_whatever_charset_it_is(
    setting: str, method: str, content_type: str, octets: bytes, text: str
) -> None:
    is_get = method == "GET"
    pushed = WebhookRequest(method, "inbound", octets if is_get else b"", content_type, b"" if is_get else octets)
    assert texts(listening(inbound=REPLIES, push_charset=setting).read(pushed)) == [text]


def test_a_charset_that_there_is_not_is_refused_where_it_is_set() -> None:
    with pytest.raises(own_errors.InvalidInput, match="there is no charset rot13"):
        kinds.read_settings("http", json.dumps({**LEAST, "push_charset": "rot13"}))


# ---- Kinds


LEAST: dict[str, Any] = {"url": "http://a/", "reply": {"rules": [{"outcome": "accepted", "status": [200]}]}}


@pytest.mark.parametrize(
    ("kind", "settings", "secrets"),
    [
        ("laaffic", {"key": "K", "secret": "HUSH", "app_id": "A", "push_token": "HUSH" * 4}, ("secret", "push_token")),
        (
            "lia",
            {"api_id": "A", "api_password": "HUSH", "callback_url": "http://HUSH"},
            ("api_password", "callback_url"),
        ),
        (
            "http",
            {
                "url": "http://a/",
                "reply": {"rules": [{"outcome": "accepted", "status": [200]}]},
                "secrets": {"a": "HUSH"},
            },
            ("secrets",),
        ),
    ],
)
def test_secrets_are_not_shown(kind: str, settings: dict[str, Any], secrets: tuple[str, ...]) -> None:
    text = json.dumps(settings)
    kinds.read_settings(kind, text)
    shown = kinds.visible_settings(kind, text)
    assert "HUSH" not in str(shown)
    assert {name for name, value in shown.items() if value == kinds.HIDDEN} == set(secrets)


def test_every_example_of_the_page_is_settings_that_work() -> None:
    blocks = re.findall(r"^```json (\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert {kind for kind, _body in blocks} == {"laaffic", "lia", "http"}
    for kind, body in blocks:
        assert kinds.read_settings(kind, body)
        assert kinds.listener(kind, body, utc_now)


def test_every_setting_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for settings in (laaffic.LaafficSettings, lia.LiaSettings, http.HttpCarrierSettings):
        assert [
            name for name in settings.__struct_fields__ if f"`{name}`" not in page and f'"{name}"' not in page
        ] == []
