"""Customers that others wrote, against our SMPP server: each binds, sends, gets its receipt, and a reply."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest

from homing.states import MessageState
from tests.support.server import REPLYING, Account, Server, free_port
from tests.support.waiting import in_time, until_blocking

GUIDE = Path(__file__).parents[2] / "docs" / "integrate" / "smpp.md"
DELIVERED = "8613800130001"


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account()


@pytest.fixture
def smpp(server: Server) -> tuple[str, int]:
    host, _colon, port = server.environment["HOMING_SMPP_ADDRESS"].rpartition(":")
    return host, int(port)


async def state_of(server: Server, message_id: str) -> MessageState:
    row = await server.query_row("SELECT state FROM message WHERE message_id = $1", int(message_id))
    return MessageState(row["state"])


# ---- smpplib


async def test_smpplib_binds_sends_and_hears(server: Server, smpp: tuple[str, int], account: Account) -> None:
    pytest.importorskip("smpplib", reason="smpplib is not installed")
    sent, heard = await asyncio.to_thread(_smpplib, smpp, account)
    assert await state_of(server, sent) is MessageState.DELIVERED
    assert any(f"id:{sent} ".encode() in one and b"stat:DELIVRD" in one for one in heard), heard
    assert any(b"id:" not in one for one in heard), "the reply"


def _smpplib(smpp: tuple[str, int], account: Account) -> tuple[str, list[bytes]]:
    import smpplib.client
    import smpplib.consts
    import smpplib.gsm

    ids: list[str] = []
    heard: list[bytes] = []
    client = smpplib.client.Client(*smpp, allow_unknown_opt_params=True, timeout=5)
    client.set_message_sent_handler(lambda pdu: ids.append(pdu.message_id.decode().strip("\0")))

    def receive(pdu: Any) -> int:
        heard.append(pdu.short_message)
        return 0

    client.set_message_received_handler(receive)
    client.connect()
    client.bind_transceiver(system_id=account.key, password=account.secret)
    long = "A text that needs two parts, which this client cuts by itself. " * 3
    for number, text in ((DELIVERED, "hello"), (REPLYING + "5551234", "hello"), (DELIVERED, long)):
        parts, coding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            client.send_message(
                source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
                source_addr="HOMING",
                dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                destination_addr=number,
                short_message=part,
                data_coding=coding,
                esm_class=esm_class,
                registered_delivery=True,
            )

    def read() -> bool:
        client.read_once()
        receipts = [one for one in heard if one.startswith(b"id:")]
        return len(ids) == 4 and len(receipts) >= 4 and len(heard) > len(receipts)

    until_blocking(read)
    client.unbind()
    client.disconnect()
    assert len(set(ids)) == 4
    return ids[0], heard


async def test_the_documents_example_prints_what_it_says(
    server: Server, smpp: tuple[str, int], account: Account, tmp_path: Path
) -> None:
    pytest.importorskip("smpplib", reason="smpplib is not installed")
    (program,) = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    file = tmp_path / "first.py"
    for printed, ours in (("2775", str(smpp[1])), ("bDqJFiq9", account.key), ("7bz1lzh9", account.secret)):
        assert printed in program
        program = program.replace(printed, ours)
    file.write_text(program)
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(file)], capture_output=True, text=True, timeout=30, check=True
    )
    accepted, receipt = ended.stdout.splitlines()
    message_id = accepted.removeprefix("accepted as ").strip("\0")
    assert await state_of(server, message_id) is MessageState.DELIVERED
    assert receipt.startswith(f"receipt: id:{message_id} sub:001 dlvrd:001 submit date:")
    assert receipt.endswith("stat:DELIVRD err:000 text:Your code is 123456")


# ---- smpp34


async def test_smpp34_binds_sends_and_hears(server: Server, smpp: tuple[str, int], account: Account) -> None:
    pytest.importorskip("smpp34", reason="smpp34 is not installed")
    sent, heard = await _smpp34(smpp, account)
    assert await state_of(server, sent) is MessageState.DELIVERED
    assert any(f"id:{sent} ".encode() in one and b"stat:DELIVRD" in one for one in heard), heard
    assert any(b"id:" not in one for one in heard), "the reply"


async def _smpp34(smpp: tuple[str, int], account: Account) -> tuple[str, list[bytes]]:
    import smpp34

    client = smpp34.Client(*smpp, account.key, account.secret, bind_type="TRX", window_size=10)
    heard: list[bytes] = []
    async with in_time():
        centre = await client.connect()
        answers = [
            await centre.submit_sm(
                number,
                text,
                source_addr="HOMING",
                source_addr_ton=5,
                dest_addr_ton=1,
                dest_addr_npi=1,
                registered_delivery=1,
            )
            for number, text in ((DELIVERED, b"hello"), (REPLYING + "5551234", b"hello"))
        ]
        assert all(answer.is_success and answer.message_id for answer in answers)
        while len(heard) < 3:
            event = await centre.next()
            assert isinstance(event, smpp34.DeliverSmEvent), event
            heard.append(event.short_message)
        await centre.unbind()
    await client.stop()
    return str(answers[0].message_id), heard


# ---- Kannel

CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = test
admin-allow-ip = 127.0.0.1
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
log-level = 1
log-file = "{folder}/bearerbox.log"

{centre}
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {send}
log-level = 1
log-file = "{folder}/smsbox.log"

group = sendsms-user
username = test
password = test
max-messages = 5
concatenation = true

group = sms-service
keyword = default
get-url = "http://127.0.0.1:{heard}/reply?from=%p&to=%P&text=%a"
max-messages = 0
"""


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """An address that Kannel calls with receipts and replies; what it called."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Nothing on the terminal."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield http.server_address[1], calls
    finally:
        http.shutdown()
        http.server_close()


def program(name: str) -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(name, path=path) or ""


async def test_kannel_binds_sends_and_hears(
    server: Server, smpp: tuple[str, int], account: Account, tmp_path: Path
) -> None:
    if not (program("bearerbox") and program("smsbox")):
        pytest.skip("kannel is not installed (Debian: apt-get install kannel)")
    calls = await asyncio.to_thread(_kannel, smpp, account, tmp_path)
    receipts = [parse_qs(urlsplit(call).query) for call in calls if call.startswith("/dlr")]
    ids = {receipt["id"][0] for receipt in receipts}
    assert ids == {"short", "long", "bad"}
    assert {(one["id"][0], one["type"][0]) for one in receipts if one["type"][0] in "12"} == {
        ("short", "1"),
        ("long", "1"),
        ("bad", "2"),
    }
    (reply,) = [parse_qs(urlsplit(call).query) for call in calls if call.startswith("/reply")]
    assert reply["from"] == ["+" + REPLYING + "5551234"]
    rows = await server.query(
        "SELECT number, text, segments, state FROM message WHERE account_id = $1", account.account_id
    )
    assert sorted((row["number"], row["segments"], MessageState(row["state"]).name) for row in rows) == sorted(
        [
            (DELIVERED, 1, "DELIVERED"),
            (DELIVERED, 2, "DELIVERED"),
            ("8613800130002", 1, "UNDELIVERABLE"),
            (REPLYING + "5551234", 1, "DELIVERED"),
        ]
    )


def _kannel(smpp: tuple[str, int], account: Account, folder: Path) -> list[str]:
    admin, boxes, send = free_port(), free_port(), free_port()
    processes: list[subprocess.Popen[bytes]] = []
    with listening() as (heard, calls):
        configuration = folder / "kannel.conf"
        configuration.write_text(
            CONFIGURATION.format(
                admin=admin,
                boxes=boxes,
                folder=folder,
                centre=_documented_group(smpp, account),
                send=send,
                heard=heard,
            )
        )

        def status() -> str:
            try:
                with urlopen(f"http://127.0.0.1:{admin}/status.txt?password=test", timeout=2) as answer:
                    return str(answer.read().decode())
            except OSError:
                return ""

        def sendsms(number: str, text: str, name: str = "") -> None:
            query = {"username": "test", "password": "test", "from": "HOMING", "to": number, "text": text}
            if name:
                dlr = f"http://127.0.0.1:{heard}/dlr?id={name}&type=%d&smsc=%F"
                query |= {"dlr-mask": "31", "dlr-url": dlr}
            with urlopen(f"http://127.0.0.1:{send}/cgi-bin/sendsms?{urlencode(query)}", timeout=5) as answer:
                assert answer.status == 202

        def told() -> bool:
            ends = {("short", "1"), ("long", "1"), ("bad", "2")}
            for call in list(calls):
                query = parse_qs(urlsplit(call).query)
                if call.startswith("/dlr"):
                    ends.discard((query["id"][0], query["type"][0]))
            return not ends and any(call.startswith("/reply") for call in calls)

        def shows(*words: str) -> bool:
            assert [process.poll() for process in processes] == [None] * len(processes), "Kannel has ended"
            found = status()
            return all(word in found for word in words)

        try:
            processes.append(_start("bearerbox", configuration))
            until_blocking(lambda: shows("Status: running"), describe=status)
            processes.append(_start("smsbox", configuration))
            until_blocking(lambda: shows("smsbox:", "(online"), describe=status)
            sendsms(DELIVERED, "hello", "short")
            sendsms(DELIVERED, "x" * 200, "long")
            sendsms("8613800130002", "hello", "bad")
            sendsms(REPLYING + "5551234", "hello")
            until_blocking(told)
            return list(calls)
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(15)


def _documented_group(smpp: tuple[str, int], account: Account) -> str:
    """The group that the guide prints, with our port and account in it."""
    (group,) = re.findall(r"^(group = smsc\n.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for printed, ours in (("2775", str(smpp[1])), ("bDqJFiq9", account.key), ("7bz1lzh9", account.secret)):
        assert printed in group
        group = group.replace(printed, ours)
    return str(group)


def _start(name: str, configuration: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([program(name), str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
