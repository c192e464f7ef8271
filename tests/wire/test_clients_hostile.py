"""The clients at vendors that misbehave: what is raised, and exactly how many requests such a vendor gets to see."""

import asyncio
import contextlib
import datetime as dt
import gzip
import ipaddress
import ssl
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homing_clients import AsyncLaafficClient, AsyncLiaClient, CallTerms, LaafficClient, LiaClient, errors, limits
from homing_clients.lia import Message
from tests.support import hostile
from tests.support.hostile import Deed, Vendor, answer, raw
from tests.support.server import free_port

NUMBER = "8613800130001"
PATIENT = CallTerms(timeout_s=5.0)
SHORT = CallTerms(timeout_s=0.6)
SECRET = "pass-word-1"
GETTING_ON_S = 3.0

BALANCE = {
    "laaffic": '{"status":"0","reason":"success","balance":"1.5","gift":"0","credit":"0"}',
    "lia": '{"BalanceAmount":1.5,"CurrenceCode":"USD"}',
}
SENT = {
    "laaffic": '{"status":"0","reason":"success","success":"1","fail":"0",'
    f'"array":[{{"msgId":"17","number":"{NUMBER}","orderId":null}}]}}',
    "lia": '{"message_id":17,"status":"S","remarks":"ok","uid":""}',
}


class Caller:
    """One dialect's client, made and called one way: a balance query, or a send, which must not be made twice."""

    def __init__(self, dialect: str, way: str, url: str, terms: CallTerms) -> None:
        self.dialect = dialect
        if dialect == "laaffic":
            make: Any = LaafficClient if way == "sync" else AsyncLaafficClient
            self.client = make("key", SECRET, app_id="app", base_url=f"{url}/v3", terms=terms)
        else:
            make = LiaClient if way == "sync" else AsyncLiaClient
            self.client = make("API1", SECRET, base_url=f"{url}/api", terms=terms)
        self._is_sync = way == "sync"

    async def ask(self, name: str, *arguments: object, **more: object) -> Any:
        method = getattr(self.client, name)
        if self._is_sync:
            return await asyncio.to_thread(method, *arguments, **more)
        return await method(*arguments, **more)

    async def balance(self) -> Any:
        return await self.ask("balance")

    async def send(self) -> Any:
        return await self.ask("send", NUMBER, "hi" if self.dialect == "laaffic" else Message("HOMING", "hi"))

    async def close(self) -> None:
        await self.ask("close")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits between tries; how long they are is a matter of `Course`'s own tests."""
    monkeypatch.setattr(limits, "RETRY_FIRST_S", 0.02)


@pytest.fixture(params=["laaffic", "lia"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sync", "async"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.asynccontextmanager
async def calling(dialect: str, way: str, url: str, terms: CallTerms = PATIENT) -> AsyncIterator[Caller]:
    caller = Caller(dialect, way, url, terms)
    try:
        yield caller
    finally:
        await caller.close()


MADE_WORSE: dict[str, tuple[Deed, type[errors.ClientError], type[errors.ClientError], int]] = {
    # what the vendor does: the send's error's cause (or the error itself), the query's error, how often it is asked
    "closes": (hostile.close, errors.Unanswered, errors.Unanswered, 3),
    "resets": (hostile.reset, errors.Unanswered, errors.Unanswered, 3),
    "breaks_off": (
        raw(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status":"0"'),
        errors.Unanswered,
        errors.Unanswered,
        3,
    ),
    "breaks_off_in_a_chunk": (
        raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"status":"0"'),
        errors.Unanswered,
        errors.Unanswered,
        3,
    ),
    "no_http": (raw(b"220 smtp.example.com ESMTP\r\n"), errors.Unanswered, errors.Unanswered, 3),
    "no_json": (answer('{"status":"0'), errors.BadAnswer, errors.BadAnswer, 3),
    "empty": (answer(""), errors.BadAnswer, errors.BadAnswer, 3),
    "json_of_another_kind": (answer('["ok"]'), errors.BadAnswer, errors.BadAnswer, 3),
    "json_without_what_counts": (answer('{"code":7}'), errors.BadAnswer, errors.BadAnswer, 3),
    "nested_without_end": (answer("[" * 100_000), errors.BadAnswer, errors.BadAnswer, 3),
    "no_text": (answer(b'{"status":"\xff\xfe"}'), errors.BadAnswer, errors.BadAnswer, 3),
    "web_page": (answer("<html>busy</html>", content_type="text/html"), errors.BadAnswer, errors.BadAnswer, 3),
    "500": (answer("<html>oh</html>", 500, content_type="text/html"), errors.BadAnswer, errors.BadAnswer, 3),
    "500_json": (answer('{"status":500,"error":"Internal"}', 500), errors.BadAnswer, errors.BadAnswer, 3),
    "502": (answer("", 502), errors.BadAnswer, errors.BadAnswer, 3),
    "not_gzip": (answer("plain", content_encoding="gzip"), errors.BadAnswer, errors.BadAnswer, 3),
    "gzip_cut": (
        answer(gzip.compress(b"{}" * 99)[:-9], content_encoding="gzip"),
        errors.BadAnswer,
        errors.BadAnswer,
        3,
    ),
    "gzip_bomb": (
        answer(gzip.compress(b" " * (limits.REPLY_BYTES_MAX + 2)), content_encoding="gzip"),
        errors.TooLarge,
        errors.TooLarge,
        1,
    ),
    "huge_length": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"),
        errors.TooLarge,
        errors.TooLarge,
        1,
    ),
    "flood": (hostile.flood, errors.TooLarge, errors.TooLarge, 1),
    "303": (answer("", 303, location="/elsewhere"), errors.Redirected, errors.Redirected, 1),
}


@pytest.mark.parametrize("deed", MADE_WORSE)
async def test_a_send_without_a_clear_answer_is_made_once_and_its_fate_is_unknown(
    deed: str, dialect: str, way: str
) -> None:
    do, cause, _query, _times = MADE_WORSE[deed]
    async with Vendor(do) as vendor, calling(dialect, way, vendor.url) as caller:
        with pytest.raises(errors.FateUnknown) as told:
            await caller.send()
        assert len(vendor.asked) == 1
        assert isinstance(told.value.__cause__, cause)
        assert told.value.in_doubt
        assert told.value.endpoint in ("sendSms", "SendSMS")
        assert NUMBER in str(told.value.parameters)
        assert SECRET not in repr(vars(told.value)) + str(told.value), "an error gives the password away"


@pytest.mark.parametrize("deed", MADE_WORSE)
async def test_a_query_without_a_clear_answer_is_made_again_where_that_can_help(
    deed: str, dialect: str, way: str
) -> None:
    do, _cause, kind, times = MADE_WORSE[deed]
    async with Vendor(do) as vendor, calling(dialect, way, vendor.url) as caller:
        with pytest.raises(kind):
            await caller.balance()
        assert len(vendor.asked) == times


@pytest.mark.parametrize("deed", ["closes", "no_json", "502"])
async def test_a_query_is_answered_when_a_later_try_is(deed: str, dialect: str, way: str) -> None:
    async with (
        Vendor(MADE_WORSE[deed][0], answer(BALANCE[dialect])) as vendor,
        calling(dialect, way, vendor.url) as caller,
    ):
        assert "1.5" in repr(await caller.balance())
        assert len(vendor.asked) == 2


@pytest.mark.parametrize(
    "deed", [hostile.silence, hostile.dribble, hostile.dribble_head], ids=lambda deed: deed.__name__
)
async def test_a_call_ends_at_its_time_however_slowly_its_answer_drips(deed: Deed, dialect: str, way: str) -> None:
    async with Vendor(deed) as vendor, calling(dialect, way, vendor.url, SHORT) as caller:
        for call, kind in ((caller.send, errors.FateUnknown), (caller.balance, errors.Unanswered)):
            vendor.asked.clear()
            started_s = time.monotonic()
            with pytest.raises(kind, match="timeout"):
                await call()
            assert SHORT.timeout_s * 0.9 < time.monotonic() - started_s < SHORT.timeout_s + GETTING_ON_S
            assert len(vendor.asked) == 1


async def test_without_a_connection_a_send_is_tried_again_and_known_not_to_have_been_made(
    dialect: str, way: str
) -> None:
    async with calling(dialect, way, f"http://127.0.0.1:{free_port()}") as caller:
        with pytest.raises(errors.NotSent) as told:
            await caller.send()
        assert not told.value.in_doubt
        assert told.value.retryable
        assert told.value.fault == "network"


async def test_a_send_that_found_no_connection_goes_out_once_the_vendor_is_back(dialect: str, way: str) -> None:
    port = free_port()
    async with calling(dialect, way, f"http://127.0.0.1:{port}", CallTerms(timeout_s=5.0, attempts=9)) as caller:
        sending = asyncio.create_task(caller.send())
        await asyncio.sleep(0.1)
        async with Vendor(answer(SENT[dialect]), port=port) as vendor:
            await sending
            assert len(vendor.asked) == 1


@pytest.mark.parametrize("after", ["1", "date"])
async def test_too_many_requests_waits_as_long_as_it_is_told_even_for_a_send(
    after: str, dialect: str, way: str
) -> None:
    in_2_s = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    wait = "1" if after == "1" else in_2_s.strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with (
        Vendor(answer("", 429, retry_after=wait), answer(SENT[dialect])) as vendor,
        calling(dialect, way, vendor.url) as caller,
    ):
        started_s = time.monotonic()
        await caller.send()
        assert time.monotonic() - started_s >= 0.9
        assert len(vendor.asked) == 2


async def test_a_wait_beyond_the_calls_time_is_not_begun(dialect: str, way: str) -> None:
    async with Vendor(answer("", 429, retry_after="3600")) as vendor, calling(dialect, way, vendor.url) as caller:
        with pytest.raises(errors.TooFrequent) as told:
            await caller.send()
        assert told.value.retry_after_s == 3600
        assert len(vendor.asked) == 1


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_redirect_is_not_followed_and_nothing_was_done(status: int, dialect: str, way: str) -> None:
    async with (
        Vendor(answer(SENT[dialect])) as other,
        Vendor(answer("", status, location=f"{other.url}/v3/sendSms")) as vendor,
        calling(dialect, way, vendor.url) as caller,
    ):
        for call in (caller.send, caller.balance):
            with pytest.raises(errors.Redirected):
                await call()
        assert len(vendor.asked) == 2
        assert other.connections == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413])
async def test_a_refusal_by_http_is_final(status: int, dialect: str, way: str) -> None:
    async with (
        Vendor(answer("<html>no</html>", status, content_type="text/html")) as vendor,
        calling(dialect, way, vendor.url) as caller,
    ):
        for call in (caller.send, caller.balance):
            with pytest.raises(errors.HttpRefused) as told:
                await call()
            assert told.value.http_status == status
        assert len(vendor.asked) == 2


async def test_a_wrong_content_type_and_a_byte_order_mark_do_no_harm(dialect: str, way: str) -> None:
    async with (
        Vendor(answer(b"\xef\xbb\xbf" + SENT[dialect].encode(), content_type="text/html")) as vendor,
        calling(dialect, way, vendor.url) as caller,
    ):
        assert await caller.send()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_answers_are_read(encoding: str, dialect: str, way: str) -> None:
    press = gzip.compress if encoding == "gzip" else zlib.compress
    async with (
        Vendor(answer(press(SENT[dialect].encode()), content_encoding=encoding)) as vendor,
        calling(dialect, way, vendor.url) as caller,
    ):
        assert await caller.send()


async def test_chunks_and_bodies_that_end_with_the_connection_are_read(dialect: str, way: str) -> None:
    said = SENT[dialect].encode()
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(said), said)
    async with (
        Vendor(raw(chunked, keep=True), raw(b"HTTP/1.0 200 OK\r\n\r\n" + said), answer(said)) as vendor,
        calling(dialect, way, vendor.url) as caller,
    ):
        for _ in range(3):
            assert await caller.send()
        assert len(vendor.asked) == 3
        assert vendor.connections == 2, "the chunked answer's connection is kept, the other's is not"


async def test_one_connection_serves_many_calls(dialect: str, way: str) -> None:
    async with Vendor(answer(BALANCE[dialect])) as vendor, calling(dialect, way, vendor.url) as caller:
        for _ in range(20):
            await caller.balance()
        assert vendor.connections == 1


async def test_a_connection_that_the_vendor_closed_meanwhile_is_not_sent_on(dialect: str, way: str) -> None:
    async def answer_and_close(writer: asyncio.StreamWriter) -> bool:
        await answer(SENT[dialect])(writer)
        return False

    async with Vendor(answer_and_close) as vendor, calling(dialect, way, vendor.url) as caller:
        for _ in range(5):
            assert await caller.send()
            await asyncio.sleep(0.05)
        assert len(vendor.asked) == 5


async def test_an_answer_that_nobody_asked_for_is_not_the_next_calls(dialect: str, way: str) -> None:
    async def answer_twice(writer: asyncio.StreamWriter) -> bool:
        await answer(SENT[dialect])(writer)
        return await answer(SENT[dialect].replace("17", "666"))(writer)

    async with Vendor(answer_twice) as vendor, calling(dialect, way, vendor.url) as caller:
        for _ in range(5):
            assert "666" not in repr(await caller.send())
            await asyncio.sleep(0.05)
        assert len(vendor.asked) == 5


async def test_many_calls_at_once_get_their_own_answers(way: str) -> None:
    async def echo(writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.01)
        asked = vendor.asked[-1]
        return await answer(f'{{"message_id":{len(asked.body)},"status":"S"}}')(writer)

    async with Vendor(echo) as vendor, calling("lia", way, vendor.url) as caller:
        texts = ["x" * length for length in range(30)]
        sent = await asyncio.gather(*(caller.ask("send", NUMBER, Message("HOMING", text)) for text in texts))
        assert len(sent) == len(vendor.asked) == 30
        assert vendor.connections <= 30


async def test_the_path_of_the_base_url_is_kept_and_credentials_are_where_the_contract_has_them(way: str) -> None:
    async with Vendor(answer(BALANCE["laaffic"]), answer(BALANCE["lia"])) as vendor:
        async with calling("laaffic", way, f"{vendor.url}/proxy/a%20b") as caller:
            await caller.balance()
        async with calling("lia", way, f"{vendor.url}/proxy") as caller:
            await caller.balance()
    laaffic, lia = vendor.asked
    assert (laaffic.method, laaffic.target) == ("GET", "/proxy/a%20b/v3/getBalance")
    assert laaffic.headers["content-type"] == "application/json;charset=UTF-8"
    assert laaffic.headers["api-key"] == "key"
    assert len(laaffic.headers["sign"]) == 32
    assert laaffic.headers["host"] == vendor.url.removeprefix("http://")
    assert SECRET not in repr(laaffic)
    assert (lia.method, lia.target) == ("POST", "/proxy/api/CheckBalance")
    assert lia.body == b'{"api_id":"API1","api_password":"%s"}' % SECRET.encode()


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a vendor on 127.0.0.1 serves with, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendor")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "vendor.pem").write_bytes(pem + private)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "vendor.pem")
    return serving, ssl.create_default_context(cadata=pem.decode())


async def test_https_is_spoken_to_whom_the_certificate_is_trusted(tmp_path: Path, dialect: str, way: str) -> None:
    serving, trusting = certificate(tmp_path)
    async with Vendor(answer(SENT[dialect]), tls=serving) as vendor:
        async with calling(dialect, way, vendor.url, CallTerms(tls=trusting)) as caller:
            for _ in range(3):
                assert await caller.send()
        assert vendor.connections == 1
        async with calling(dialect, way, vendor.url, SHORT) as caller:
            with pytest.raises(errors.NotSent):
                await caller.send()
        assert len(vendor.asked) == 3, "a vendor that is not trusted is told nothing"


async def test_https_to_a_vendor_without_it_is_no_connection(dialect: str, way: str) -> None:
    async with (
        Vendor(answer(SENT[dialect])) as vendor,
        calling(dialect, way, vendor.url.replace("http", "https"), SHORT) as caller,
    ):
        with pytest.raises(errors.NotSent):
            await caller.send()


async def test_a_closed_client_says_so(dialect: str, way: str) -> None:
    async with Vendor(answer(BALANCE[dialect])) as vendor:
        async with calling(dialect, way, vendor.url) as caller:
            await caller.balance()
        with pytest.raises(RuntimeError, match="closed"):
            await caller.balance()


async def test_a_lost_answer_to_ctrack_is_made_up_for_by_asking_again(way: str) -> None:
    repeated = '{"ErrorCode":1009,"ErrorDescription":"message_id already updated"}'
    async with (
        Vendor(hostile.close, answer(repeated)) as vendor,
        calling("lia", way, vendor.url) as caller,
    ):
        await caller.ask("report_conversion", 17)
        assert len(vendor.asked) == 2
        with pytest.raises(errors.AlreadyReported) as told:
            await caller.ask("report_conversion", 17)
        assert told.value.code == "1009"


@pytest.mark.parametrize(("message_id", "kind", "times"), [("17", errors.Unanswered, 3), ("", errors.FateUnknown, 1)])
async def test_a_backfill_is_repeated_only_where_it_names_its_message(
    message_id: str, kind: type[errors.ClientError], times: int, way: str
) -> None:
    async with Vendor(hostile.close) as vendor, calling("laaffic", way, vendor.url) as caller:
        with pytest.raises(kind):
            await caller.ask("report_conversion", NUMBER, dt.datetime.now(dt.UTC), message_id=message_id)
        assert len(vendor.asked) == times


@pytest.mark.parametrize(
    ("said", "kind", "sends", "queries"),
    [
        ('{"status":"-1","reason":"x"}', errors.NotAuthenticated, 1, 1),
        ('{"status":-10,"reason":"x"}', errors.InsufficientBalance, 1, 1),
        ('{"status":"-15","reason":"x"}', errors.TooFrequent, 3, 3),
        ('{"status":"-99","reason":"x"}', errors.Refused, 1, 1),
    ],
)
async def test_laaffic_codes_are_tried_again_when_they_say_that_nothing_was_looked_at(
    said: str, kind: type[errors.ClientError], sends: int, queries: int, way: str
) -> None:
    async with Vendor(answer(said)) as vendor, calling("laaffic", way, vendor.url) as caller:
        for call, times in ((caller.send, sends), (caller.balance, queries)):
            vendor.asked.clear()
            with pytest.raises(kind) as told:
                await call()
            assert type(told.value) is kind
            assert told.value.words == "x"
            assert len(vendor.asked) == times


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ("laaffic", '{"status":"-18","reason":"x"}'),
        ("laaffic", '{"status":"-12","reason":"x"}'),
        ("lia", '{"message_id":0,"status":"F","remarks":"System error, please try again","uid":""}'),
    ],
)
async def test_a_vendors_own_failure_leaves_a_send_in_doubt_and_a_query_to_be_asked_again(
    dialect: str, said: str, way: str
) -> None:
    async with Vendor(answer(said)) as vendor, calling(dialect, way, vendor.url) as caller:
        with pytest.raises(errors.FateUnknown) as told:
            await caller.send()
        assert isinstance(told.value.__cause__, errors.VendorFault)
        assert len(vendor.asked) == 1
        with pytest.raises(errors.VendorFault):
            await caller.balance()
        assert len(vendor.asked) == 4
