"""Customers over SMPP: they bind, submit, ask, and are told; with our own client session, over real sockets."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homing.admin import account_settings
from homing.api.smpp.dialect import NUMBER as SMPP
from homing.api.smpp.multipart import MULTIPART_PART_BYTES_MAX
from homing.api.smpp.part_store import MULTIPART_PARTS_OPEN_MAX
from homing.api.smpp.statuses import VendorStatus
from homing.carriers.base import CarrierReport
from homing.carriers.kinds import make
from homing.common import money
from homing.dialects.laaffic.number import NUMBER as LAAFFIC
from homing.dialects.lia.number import NUMBER as LIA
from homing.dialects.registry import DIALECTS
from homing.intake.intake import utc_now
from homing.ledger.proof import prove
from homing.messages import timeline
from homing.model import Answer, CarrierReceipt, Outbound, Outcome
from homing.reasons import ReasonCode, decode_reason
from homing.smpp import concatenation, pdus, times, tlvs, udh
from homing.smpp.codec import PduDecoder, encode
from homing.smpp.pdus import DataSm, SmeAddress, SubmitMulti, SubmitMultiResp
from homing.smpp.session import SessionEnd
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel
from homing.states import MessageState
from homing.text import gsm7
from tests.support.carriers import unmarked
from tests.support.esme import Esme, bound, call, refused, submit
from tests.support.server import NO_PRICE, NO_ROUTE, QUEUED, REPLYING, Account, Server
from tests.support.waiting import WAIT_S, in_time, until

DELIVERED, UNDELIVERABLE, REFUSED, EXPIRED, SILENT = (f"861380013{n:04d}" for n in range(1, 6))
PRICE = 20_000
"""Of a segment, in micro-units, where the test destinations say nothing else."""


@pytest.fixture
def smpp(server: Server) -> str:
    return server.environment["HOMING_SMPP_ADDRESS"]


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account()


@pytest.fixture
async def esme(smpp: str, account: Account) -> AsyncIterator[Esme]:
    async with bound(smpp, account.key, account.secret) as one:
        yield one


async def message(server: Server, message_id: str) -> Any:
    return await server.query_row("SELECT * FROM message WHERE message_id = $1", int(message_id))


async def change(server: Server, account: Account, **changes: object) -> None:
    async with server.database.transaction() as transaction:
        await account_settings.change_account(transaction, account.account_id, changes)


async def test_a_customer_whose_data_coding_0_is_latin_1_is_read_so(
    server: Server, smpp: str, account: Account
) -> None:
    await change(server, account, smpp_charset="latin-1")
    async with bound(smpp, account.key, account.secret) as esme:
        whole = await esme.sent(DELIVERED, "fünf@home\0".encode("latin-1"))
        long = [
            await esme.sent(DELIVERED, concatenation.build_header(9, 2, part) + b"\xfc" * 134, esm_class=udh.UDHI)
            for part in (1, 2)
        ]
        marked = await esme.sent(DELIVERED, b"\xff\xfe" + "你好".encode("utf-16-le"), data_coding=8)
    assert (await message(server, whole))["text"] == "fünf@home"
    assert (await message(server, long[0]))["text"] == "ü" * 268
    assert (await message(server, marked))["text"] == "你好"


# ---- Bind


@pytest.mark.parametrize("dialect", [LIA, LAAFFIC])
async def test_another_homing_binds_with_a_long_http_credential_sends_and_hears_the_receipt(
    server: Server, smpp: str, account: Account, dialect: int
) -> None:
    """As its carrier of the kind `smpp`."""
    key, secret = f"{DIALECTS.name_of(dialect).upper()}{account.account_id}".ljust(32, "k"), "s" * 64
    async with server.database.transaction() as transaction:
        await account_settings.create_credential(
            transaction, server.vault, account.account_id, DIALECTS.of(dialect), key=key, secret=secret
        )
    host, _colon, port = smpp.rpartition(":")
    settings = {"host": host, "port": int(port), "system_id": key, "password": secret}
    carrier = make("smpp", json.dumps(settings), random.Random(7), utc_now)
    answers: list[Answer] = []
    receipts: list[CarrierReport] = []
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    message = Outbound(1, 1, 1, DELIVERED, account.sender, "hello", 0, 1, expires_at)

    async def hear() -> None:
        async for batch in carrier.reports():
            receipts.extend(batch)

    await carrier.open()
    hearing = asyncio.create_task(hear())
    try:
        await asyncio.wait_for(carrier.until_room(), WAIT_S)
        await carrier.submit([message], lambda _message, answer: answers.append(answer), unmarked)
        assert [answer.outcome for answer in answers] == [Outcome.ACCEPTED]
        await until(lambda: receipts)
        assert isinstance(receipts[0], CarrierReceipt)
        assert (receipts[0].carrier_ref, receipts[0].state) == (answers[0].carrier_ref, MessageState.DELIVERED)
    finally:
        hearing.cancel()
        await carrier.close()


@pytest.mark.parametrize("kind", [pdus.BindTransmitter, pdus.BindReceiver, pdus.BindTransceiver])
async def test_the_demo_binds_with_its_api_key_and_secret(
    server: Server, smpp: str, kind: type[pdus.BindRequest]
) -> None:
    async with bound(smpp, "bDqJFiq9", "7bz1lzh9", kind):
        row = await server.query_row(
            "SELECT * FROM bind WHERE account_id = $1 ORDER BY bind_id DESC LIMIT 1", server.demo.account_id
        )
        assert row["kind"] == [0, pdus.BindTransmitter, pdus.BindReceiver, pdus.BindTransceiver].index(kind)
        assert (row["system_id"], row["address"]) == ("bDqJFiq9", "127.0.0.1")

    async def gone() -> bool:
        return not await server.query("SELECT FROM bind WHERE bind_id = $1", row["bind_id"])

    await until(gone)


async def test_every_dialects_credential_binds_and_one_that_is_made_for_smpp(server: Server, smpp: str) -> None:
    account = await server.account()
    async with server.database.transaction() as transaction:
        own = await account_settings.create_credential(
            transaction, server.vault, account.account_id, DIALECTS.named("smpp")
        )
    server.secrets.add(own.secret)
    assert len(own.key) <= 15
    assert len(own.secret) <= 8
    async with bound(smpp, own.key, own.secret) as esme:
        await esme.sent(DELIVERED)
    raw = Esme()
    timer_wheel = TimerWheel()
    connection = await call(smpp, raw, timer_wheel)
    # The lia dialect's passwords are longer than the field, which our own encoder keeps to.
    octets = encode(pdus.BindTransceiver(account.api_id, "x"), 1)
    octets = octets.replace(b"\0x\0", b"\0" + account.api_password.encode() + b"\0")
    octets = len(octets).to_bytes(4, "big") + octets[4:]
    reader, writer = await asyncio.open_connection(*smpp.split(":"))
    writer.write(octets)
    assert (await next_pdu(reader)).status == 0
    writer.close()
    connection.close()
    timer_wheel.stop()


async def next_pdu(reader: asyncio.StreamReader) -> Any:
    async with in_time():
        size = await reader.readexactly(4)
        rest = await reader.readexactly(int.from_bytes(size, "big") - 4)
    ((_sequence, pdu),) = PduDecoder().feed(size + rest)
    return pdu


async def test_a_bind_answers_with_our_version_to_those_who_know_of_versions(smpp: str, account: Account) -> None:
    timer_wheel = TimerWheel()
    for version, parameter in ((0x34, 0x34), (0x33, None)):
        one = Esme()
        connection = await call(smpp, one, timer_wheel)
        answer = await one.ask(pdus.BindReceiver(account.key, account.secret, interface_version=version))
        assert isinstance(answer, pdus.BindReceiverResp)
        assert answer.system_id == "homing"
        assert tlvs.SC_INTERFACE_VERSION.of(answer.tlvs) == parameter
        connection.close()
    timer_wheel.stop()


async def test_a_bind_is_refused_with_the_reason(server: Server, smpp: str, account: Account) -> None:
    assert await refused(smpp, account.key, "wrong") == CommandStatus.RINVPASWD
    assert await refused(smpp, "nobody", "wrong") == CommandStatus.RINVPASWD
    locked = await server.account(locked=True)
    assert await refused(smpp, locked.key, locked.secret) == CommandStatus.RBINDFAIL
    elsewhere = await server.account(networks=["192.0.2.0/24"])
    assert await refused(smpp, elsewhere.key, elsewhere.secret) == CommandStatus.RBINDFAIL
    assert await refused(smpp, elsewhere.key, "wrong") == CommandStatus.RBINDFAIL, "nobody elsewhere learns which it is"
    here = await server.account(networks=["127.0.0.0/8"])
    async with bound(smpp, here.key, here.secret):
        pass


async def test_an_account_has_no_more_binds_than_it_may(server: Server, smpp: str, account: Account) -> None:
    await change(server, account, binds_max=2)
    async with (
        bound(smpp, account.key, account.secret, pdus.BindReceiver),
        bound(smpp, account.key, account.secret, pdus.BindTransmitter) as second,
    ):
        assert await refused(smpp, account.key, account.secret) == CommandStatus.RALYBND
        second.connection.close()
        await second.until(lambda one: one.end)

        async def free() -> bool:
            rows = await server.query("SELECT FROM bind WHERE account_id = $1", account.account_id)
            return len(rows) == 1

        await until(free)
        async with bound(smpp, account.key, account.secret):
            pass
    await change(server, account, binds_max=0)
    assert await refused(smpp, account.key, account.secret) == CommandStatus.RALYBND


async def test_of_many_binds_at_once_only_as_many_as_allowed_are_taken(
    server: Server, smpp: str, account: Account
) -> None:
    await change(server, account, binds_max=5)
    esmes, timer_wheel = [Esme() for _ in range(20)], TimerWheel()
    for one in esmes:
        await call(smpp, one, timer_wheel)
    answers = await asyncio.gather(*(one.ask(pdus.BindReceiver(account.key, account.secret)) for one in esmes))
    statuses = [answer.status for answer in answers if isinstance(answer, pdus.ResponsePdu)]
    assert sorted(statuses) == [CommandStatus.ROK] * 5 + [CommandStatus.RALYBND] * 15
    for one in esmes:
        one.connection.close()
    timer_wheel.stop()


async def test_the_binds_of_a_dead_process_do_not_count(server: Server, smpp: str, account: Account) -> None:
    await change(server, account, binds_max=1)
    await server.query(
        "INSERT INTO bind (account_id, bind_id, owner, kind, system_id, address)"
        " VALUES ($1, 1, 'gone:1:link-9', 3, 'x', 'y')",
        account.account_id,
    )
    async with bound(smpp, account.key, account.secret):
        pass


async def test_the_system_type_may_name_an_app(server: Server, smpp: str, account: Account) -> None:
    async with server.database.transaction() as transaction:
        second = await account_settings.create_app(transaction, account.account_id, name="second")
    for system_type, app in (("", account.app), ("VMA", account.app), (second, second)):
        async with bound(smpp, account.key, account.secret, system_type=system_type) as one:
            row = await message(server, await one.sent(DELIVERED))
        assert (row["app_id"], row["dialect"]) == (app, SMPP)


async def test_a_submit_in_the_same_segment_as_its_bind_is_taken(smpp: str, account: Account) -> None:
    reader, writer = await asyncio.open_connection(*smpp.split(":"))
    writer.write(encode(pdus.BindTransceiver(account.key, account.secret), 1) + encode(submit(SILENT), 2))
    assert isinstance(await next_pdu(reader), pdus.BindTransceiverResp)
    answer = await next_pdu(reader)
    assert isinstance(answer, pdus.SubmitSmResp)
    assert answer.status == 0
    writer.close()


async def test_a_lock_or_a_revoked_credential_ends_the_bind_at_once(server: Server, smpp: str) -> None:
    account = await server.account()
    async with bound(smpp, account.key, account.secret) as esme:
        await esme.sent(SILENT)
        async with server.database.transaction() as transaction:
            await account_settings.set_lock(transaction, account.account_id, "unpaid")
        await esme.until(lambda one: one.end is SessionEnd.PEER_UNBOUND)
        async with server.database.transaction() as transaction:
            await account_settings.set_lock(transaction, account.account_id, None)
    await server.settled()
    async with bound(smpp, account.key, account.secret) as esme:
        async with server.database.transaction() as transaction:
            await account_settings.revoke_credential(transaction, DIALECTS, account.key)
        await esme.until(lambda one: one.end is SessionEnd.PEER_UNBOUND)
    assert await refused(smpp, account.key, account.secret) == CommandStatus.RINVPASWD


# ---- Submit, and what comes back


async def test_a_submit_comes_home_as_a_receipt(server: Server, esme: Esme, account: Account) -> None:
    sent = await esme.sent(DELIVERED, b"Code 1234 is yours, do not share", tlvs=(tlvs.USER_MESSAGE_REFERENCE.make(77),))
    row = await message(server, sent)
    assert (row["account_id"], row["number"], row["sender"]) == (account.account_id, DELIVERED, "HOMING")
    assert (row["registered"], row["reference"], row["app_id"]) == (1, "77", account.app)
    receipt = await esme.receipt(sent)
    assert (receipt.stat, receipt.err, receipt.text) == ("DELIVRD", "000", "Code 1234 is yours, ")
    pdu = receipt.pdu
    assert (pdu.source_addr, pdu.destination_addr, pdu.esm_class) == (DELIVERED, "HOMING", 0x04)
    assert tlvs.RECEIPTED_MESSAGE_ID.of(pdu.tlvs) == sent
    assert tlvs.MESSAGE_STATE.of(pdu.tlvs) == 2
    assert tlvs.USER_MESSAGE_REFERENCE.of(pdu.tlvs) == 77


@pytest.mark.parametrize(
    ("number", "stat", "err", "message_state"),
    [(UNDELIVERABLE, "UNDELIV", "001", 5), (REFUSED, "REJECTD", "011", 8), (EXPIRED, "EXPIRED", "003", 3)],
)
async def test_a_receipt_tells_how_it_ended(esme: Esme, number: str, stat: str, err: str, message_state: int) -> None:
    receipt = await esme.receipt(await esme.sent(number))
    assert (receipt.stat, receipt.err) == (stat, err)
    assert tlvs.MESSAGE_STATE.of(receipt.pdu.tlvs) == message_state
    assert tlvs.NETWORK_ERROR_CODE.of(receipt.pdu.tlvs) == b"\x03\x00" + bytes([int(err)])


async def test_receipts_come_as_they_were_asked_for(esme: Esme) -> None:
    none = await esme.sent(DELIVERED, registered_delivery=0)
    failure_good = await esme.sent(DELIVERED, registered_delivery=2)
    failure_bad = await esme.sent(UNDELIVERABLE, registered_delivery=2)
    notices = await esme.sent(DELIVERED, registered_delivery=0x11)
    await esme.receipt(failure_bad)
    await esme.until(lambda one: len([r for r in one.receipts if r.id == notices]) == 2)
    first, second = (one for one in esme.receipts if one.id == notices)
    assert (first.stat, first.pdu.esm_class) == ("ENROUTE", 0x20)
    assert (second.stat, second.pdu.esm_class) == ("DELIVRD", 0x04)
    await esme.receipt(await esme.sent(DELIVERED))
    assert not [one for one in esme.receipts if one.id in (none, failure_good)]


async def test_what_a_person_answers_comes_to_the_bind(server: Server, esme: Esme) -> None:
    number = REPLYING + "5551234"
    await esme.sent(number)
    await esme.until(lambda one: one.inbound)
    (pdu,) = esme.inbound
    assert (pdu.source_addr, pdu.destination_addr, pdu.esm_class) == (number, "HOMING", 0)
    assert pdu.short_message


async def test_a_receiver_gets_the_receipts_of_a_transmitter(smpp: str, account: Account) -> None:
    async with (
        bound(smpp, account.key, account.secret, pdus.BindReceiver) as receiver,
        bound(smpp, account.key, account.secret, pdus.BindTransmitter) as transmitter,
    ):
        sent = [await transmitter.sent(DELIVERED) for _ in range(5)]
        for message_id in sent:
            await receiver.receipt(message_id)
        assert transmitter.arrived == []


async def test_the_timeline_tells_of_the_bind(server: Server, esme: Esme) -> None:
    sent = await esme.sent(DELIVERED, service_type="OTP")
    await esme.receipt(sent)

    async def told() -> list[str]:
        async with server.database.transaction() as transaction:
            row = await timeline.find_message(transaction, int(sent))
            assert row is not None
            moments = await timeline.read_timeline(transaction, row, DIALECTS)
        lines = [f"{one.what}: {one.detail}" for one in moments]
        return lines if any("ESME_ROK" in line for line in lines) else []

    lines = await until(told)
    assert any("through SMPP, app" in line for line in lines)
    assert any("service type OTP" in line for line in lines)
    assert any(" answered after" in line and line.endswith("; acknowledged") for line in lines), lines
    assert any("attempt 1 answered after" in line and "ESME_ROK" in line for line in lines), lines


@pytest.mark.parametrize(
    ("octets", "data_coding", "text", "encoding", "segments"),
    [
        (gsm7.encode("5€ @home"), 0, "5€ @home", 0, 1),
        ("né à Köln".encode("latin-1"), 3, "né à Köln", 0, 1),
        ("ê".encode("latin-1"), 3, "ê", 8, 1),
        ("你好".encode("utf-16-be"), 8, "你好", 8, 1),
        ("日本".encode("shift_jis"), 5, "日本", 8, 1),
        ("안녕 ok".encode("euc_kr"), 14, "안녕 ok", 8, 1),
        (("a" * 71).encode("utf-16-be"), 8, "a" * 71, 8, 2),
    ],
)
async def test_texts_are_stored_as_they_were_meant(
    server: Server, esme: Esme, octets: bytes, data_coding: int, text: str, encoding: int, segments: int
) -> None:
    row = await message(server, await esme.sent(SILENT, octets, data_coding=data_coding))
    assert (row["text"], row["encoding"], row["segments"]) == (text, encoding, segments)


async def test_a_payload_is_billed_by_its_parts(server: Server, esme: Esme) -> None:
    payload = tlvs.MESSAGE_PAYLOAD.make(b"a" * 400)
    row = await message(server, await esme.sent(QUEUED + "5551234", b"", tlvs=(payload,)))
    assert (row["segments"], row["charge_micro"]) == (3, 3 * PRICE)


@pytest.mark.parametrize(
    ("pdu", "status"),
    [
        (submit(DELIVERED, source_addr="STRANGER"), CommandStatus.RINVSRCADR),
        (submit("12"), CommandStatus.RINVDSTADR),
        (submit(NO_PRICE + "5551234"), VendorStatus.NO_ROUTE),
        (submit(NO_ROUTE + "5551234"), VendorStatus.NO_ROUTE),
        (submit(DELIVERED, b"\xff", data_coding=4), VendorStatus.UNSUPPORTED_CONTENT),
        (submit(DELIVERED, b"", tlvs=(tlvs.MESSAGE_PAYLOAD.make(b"a" * 10_000),)), CommandStatus.RINVMSGLEN),
        (submit(DELIVERED, schedule_delivery_time="000000010000000R"), CommandStatus.RINVSCHED),
    ],
)
async def test_a_refusal_costs_nothing_and_says_why(
    server: Server, esme: Esme, account: Account, pdu: pdus.SubmitSm, status: int
) -> None:
    before = await server.holdings(account)
    answer = await esme.ask(pdu)
    assert isinstance(answer, pdus.SubmitSmResp)
    assert answer.status == status
    assert await server.holdings(account) == before


async def test_words_templates_and_money_have_their_statuses(server: Server, smpp: str) -> None:
    words = await server.account(words=["casino"])
    templates = await server.account(templates={"code": "Your code is {V1}."}, templates_required=True)
    poor = await server.account(balance="0.02")

    async def status(account: Account, text: bytes) -> int:
        async with bound(smpp, account.key, account.secret) as esme:
            return (await esme.submit(SILENT, text)).status

    async def heard() -> bool:
        return await status(words, b"the casino") == VendorStatus.SENSITIVE_WORDS

    await until(heard)
    assert await status(templates, b"anything") == VendorStatus.TEMPLATE
    assert await status(templates, b"Your code is 1.") == CommandStatus.ROK
    async with bound(smpp, poor.key, poor.secret) as esme:
        assert (await esme.submit(QUEUED + "5551234")).status == CommandStatus.ROK
        assert (await esme.submit(QUEUED + "5551234")).status == VendorStatus.INSUFFICIENT_BALANCE


async def test_validity_and_traffic_are_stored(server: Server, esme: Esme) -> None:
    ends = (datetime.now(UTC) + timedelta(minutes=5)).replace(microsecond=0)
    sent = await esme.sent(SILENT, validity_period=times.absolute(ends), service_type="PROMO")
    row = await message(server, sent)
    assert abs((row["expires_at"] - ends).total_seconds()) < 2
    assert row["traffic"] == 1


async def test_submit_multi_answers_for_each_destination(server: Server, esme: Esme, account: Account) -> None:
    numbers = (DELIVERED, "12", NO_PRICE + "5551234", UNDELIVERABLE)
    pdu = SubmitMulti(
        source_addr="HOMING",
        dest_addresses=tuple(SmeAddress(1, 1, number) for number in numbers),
        registered_delivery=1,
        short_message=b"to many",
    )
    answer = await esme.ask(pdu)
    assert isinstance(answer, SubmitMultiResp)
    assert answer.status == 0
    assert [(one.destination_addr, one.error_status_code) for one in answer.unsuccess_smes] == [
        ("12", CommandStatus.RINVDSTADR),
        (NO_PRICE + "5551234", VendorStatus.NO_ROUTE),
    ]
    await esme.until(lambda one: len(one.receipts) == 2)
    assert {(one.id, one.pdu.source_addr, one.stat) for one in esme.receipts} == {
        (answer.message_id, DELIVERED, "DELIVRD"),
        (answer.message_id, UNDELIVERABLE, "UNDELIV"),
    }
    assert (await server.holdings(account))[0] == 2


async def test_data_sm_is_a_submit(server: Server, esme: Esme) -> None:
    pdu = DataSm(
        source_addr="HOMING",
        destination_addr=DELIVERED,
        registered_delivery=1,
        tlvs=(tlvs.MESSAGE_PAYLOAD.make(b"by data sm"),),
    )
    answer = await esme.ask(pdu)
    assert isinstance(answer, pdus.DataSmResp)
    assert (await message(server, answer.message_id))["text"] == "by data sm"
    await esme.receipt(answer.message_id)


async def test_unknown_and_misplaced_commands_leave_the_bind_alone(smpp: str, account: Account) -> None:
    reader, writer = await asyncio.open_connection(*smpp.split(":"))
    writer.write(encode(submit(DELIVERED), 1))  # before a bind: not answered
    writer.write(encode(pdus.BindReceiver(account.key, account.secret), 2))
    assert (await next_pdu(reader)).status == 0
    writer.write(encode(submit(DELIVERED), 3))
    assert (await next_pdu(reader)) == pdus.SubmitSmResp(status=CommandStatus.RINVBNDSTS)
    writer.write(b"\0\0\0\x10\0\0\x01\x11\0\0\0\0\0\0\0\x04")
    assert (await next_pdu(reader)) == pdus.GenericNack(status=CommandStatus.RINVCMDID)
    writer.write(encode(pdus.EnquireLink(), 5))
    assert (await next_pdu(reader)) == pdus.EnquireLinkResp()
    writer.close()


# ---- Limits


async def test_an_account_that_submits_too_fast_is_throttled(server: Server, smpp: str, account: Account) -> None:
    await change(server, account, submits_per_s=5)
    async with bound(smpp, account.key, account.secret) as esme:
        statuses = [(await esme.submit(SILENT)).status for _ in range(12)]
    assert statuses[:5] == [0] * 5
    assert CommandStatus.RTHROTTLED in statuses[5:]
    assert (await server.holdings(account))[0] == statuses.count(0)


async def test_submits_that_are_refused_count_too(server: Server, smpp: str, account: Account) -> None:
    await change(server, account, submits_per_s=5)
    async with bound(smpp, account.key, account.secret) as esme:
        answers = await asyncio.gather(*(esme.ask(submit("x")) for _ in range(30)))
        statuses = [answer.status for answer in answers if isinstance(answer, pdus.ResponsePdu)]
    assert set(statuses) == {CommandStatus.RINVDSTADR, CommandStatus.RTHROTTLED}
    assert statuses.count(CommandStatus.RINVDSTADR) <= 10


async def test_requests_beyond_the_window_are_throttled_and_the_others_are_not(
    server: Server, smpp: str, account: Account
) -> None:
    await change(server, account, bind_window=10)
    async with bound(smpp, account.key, account.secret, window=100) as esme:
        answers = await asyncio.gather(*(esme.ask(submit(SILENT)) for _ in range(60)))
        statuses = [answer.status for answer in answers if isinstance(answer, pdus.ResponsePdu)]
    assert len(statuses) == 60
    assert statuses.count(CommandStatus.ROK) >= 10
    assert statuses.count(CommandStatus.RTHROTTLED) == 60 - statuses.count(CommandStatus.ROK) > 0
    assert (await server.holdings(account))[0] == statuses.count(CommandStatus.ROK)


async def test_changed_limits_hold_for_binds_that_there_are(server: Server, smpp: str, account: Account) -> None:
    async with bound(smpp, account.key, account.secret) as esme:
        await esme.sent(SILENT)
        await change(server, account, submits_per_s=1)

        async def throttled() -> bool:
            return (await esme.submit(SILENT)).status == CommandStatus.RTHROTTLED

        await until(throttled)


async def test_concurrent_binds_cannot_spend_more_than_there_is(server: Server, smpp: str) -> None:
    account = await server.account(balance="1")
    number = QUEUED + "5551234"
    accepted = 0
    async with (
        bound(smpp, account.key, account.secret, window=100) as one,
        bound(smpp, account.key, account.secret, window=100) as two,
    ):
        answers = await asyncio.gather(*(esme.ask(submit(number)) for _ in range(60) for esme in (one, two)))
        for answer in answers:
            assert isinstance(answer, pdus.SubmitSmResp)
            assert answer.status in (CommandStatus.ROK, VendorStatus.INSUFFICIENT_BALANCE)
            accepted += answer.status == CommandStatus.ROK
    assert accepted == money.parse("1") // PRICE
    assert await server.holdings(account) == (accepted, 0, 0)
    assert (await prove(server.database, account.account_id)).holds


# ---- Long messages


def parts_of(number: str, texts: list[bytes], reference: int = 7, wide: bool = False, **more: Any) -> list[Any]:
    return [
        submit(
            number,
            concatenation.build_header(reference, len(texts), n, wide) + text,
            esm_class=udh.UDHI,
            **more,
        )
        for n, text in enumerate(texts, 1)
    ]


def sar_of(number: str, texts: list[bytes], reference: int = 7) -> list[Any]:
    return [
        submit(
            number,
            text,
            tlvs=(
                tlvs.SAR_MSG_REF_NUM.make(reference),
                tlvs.SAR_TOTAL_SEGMENTS.make(len(texts)),
                tlvs.SAR_SEGMENT_SEQNUM.make(n),
            ),
        )
        for n, text in enumerate(texts, 1)
    ]


async def ids_of(answers: Any) -> list[str]:
    for answer in answers:
        assert isinstance(answer, pdus.SubmitSmResp), answer
        assert answer.status == 0, hex(answer.status)
    return [answer.message_id for answer in answers]


TEXTS = [b"a" * 153, b"b" * 153, b"end"]


@pytest.mark.parametrize("form", ["8 bit", "16 bit", "sar"])
@pytest.mark.parametrize("order", ["at once", "one by one", "backwards"])
async def test_a_long_message_is_one_message_however_its_parts_come(
    server: Server, esme: Esme, account: Account, form: str, order: str
) -> None:
    before = await server.holdings(account)
    pdus_ = sar_of(DELIVERED, TEXTS) if form == "sar" else parts_of(DELIVERED, TEXTS, wide=form == "16 bit")
    if order == "backwards":
        pdus_.reverse()
    if order == "at once":
        answers = await asyncio.gather(*map(esme.ask, pdus_))
    else:
        answers = [await esme.ask(pdu) for pdu in pdus_]
    ids = await ids_of(answers)
    assert len(set(ids)) == 3
    first = ids[-1] if order == "backwards" else ids[0]
    row = await message(server, first)
    assert row["text"] == (b"".join(TEXTS)).decode()
    assert (row["segments"], row["charge_micro"]) == (3, 3 * row["price_micro"])
    after = await server.holdings(account)
    assert (after[0] - before[0], before[2] - after[2]) == (1, row["charge_micro"])
    for part_id in ids:
        receipt = await esme.receipt(part_id)
        assert receipt.stat == "DELIVRD"
    assert len(esme.receipts) == 3
    for part_id in ids:
        answer = await esme.ask(pdus.QuerySm(part_id))
        assert isinstance(answer, pdus.QuerySmResp)
        assert (answer.status, answer.message_state) == (0, 2)


async def test_parts_may_come_over_two_binds(server: Server, smpp: str, account: Account) -> None:
    one_by_one = parts_of(SILENT, TEXTS, registered_delivery=0)
    async with (
        bound(smpp, account.key, account.secret) as first,
        bound(smpp, account.key, account.secret) as second,
    ):
        answers = await asyncio.gather(first.ask(one_by_one[0]), second.ask(one_by_one[1]), first.ask(one_by_one[2]))
    ids = await ids_of(answers)
    assert (await message(server, ids[0]))["segments"] == 3
    assert (await server.holdings(account))[0] == 1


async def test_a_part_that_comes_again_has_the_id_it_had(server: Server, esme: Esme, account: Account) -> None:
    pdus_ = parts_of(SILENT, TEXTS[:2], registered_delivery=0)
    first = await ids_of([await esme.ask(pdus_[0]), await esme.ask(pdus_[0])])
    assert first[0] == first[1]
    await ids_of([await esme.ask(pdus_[1])])
    assert (await server.holdings(account))[0] == 1


async def test_an_incomplete_message_costs_nothing_and_its_parts_are_told_of(
    server: Server, esme: Esme, account: Account
) -> None:
    before = await server.holdings(account)
    pdus_ = parts_of(DELIVERED, TEXTS)
    ids = await ids_of([await esme.ask(pdus_[0]), await esme.ask(pdus_[2])])
    answer = await esme.ask(pdus.QuerySm(ids[0]))
    assert isinstance(answer, pdus.QuerySmResp)
    assert answer.message_state == 1
    await server.query("UPDATE submitted_part SET due_at = now() WHERE account_id = $1", account.account_id)
    for part_id in ids:
        receipt = await esme.receipt(part_id)
        assert receipt.stat == "EXPIRED"
    assert await server.holdings(account) == before
    answer = await esme.ask(pdus.QuerySm(ids[0]))
    assert isinstance(answer, pdus.QuerySmResp)
    assert answer.message_state == 3
    row = await server.query_row("SELECT content FROM submitted_part WHERE part_id = $1", int(ids[0]))
    assert row["content"] == b""


async def test_parts_of_who_can_pay_for_nothing_are_refused_and_not_stored(server: Server, smpp: str) -> None:
    poor = await server.account(balance="0")
    async with bound(smpp, poor.key, poor.secret) as esme:
        answers = [await esme.ask(pdu) for pdu in parts_of(DELIVERED, TEXTS)]
    assert {answer.status for answer in answers if isinstance(answer, pdus.ResponsePdu)} == {
        VendorStatus.INSUFFICIENT_BALANCE
    }
    assert await server.query("SELECT FROM submitted_part WHERE account_id = $1", poor.account_id) == []


async def test_open_parts_are_bounded_by_account_and_others_are_not_concerned(
    server: Server, esme: Esme, account: Account, smpp: str
) -> None:
    await server.query(
        "INSERT INTO submitted_part (account_id, part_id, number, sender, reference, total, part, content, request,"
        " due_at)"
        " SELECT $1, n, '49', 'x', n, 2, 1, '', '{}', now() + interval '1 hour' FROM generate_series(1, $2::int) AS n",
        account.account_id,
        MULTIPART_PARTS_OPEN_MAX,
    )
    try:
        answer = await esme.ask(parts_of(DELIVERED, TEXTS)[0])
        assert isinstance(answer, pdus.SubmitSmResp)
        assert answer.status == CommandStatus.RMSGQFUL
        await esme.sent(DELIVERED)
        other = await server.account()
        async with bound(smpp, other.key, other.secret) as neighbour:
            answers = [await neighbour.ask(pdu) for pdu in parts_of(DELIVERED, TEXTS)]
        assert {one.status for one in answers if isinstance(one, pdus.ResponsePdu)} == {0}
    finally:
        await server.query("DELETE FROM submitted_part WHERE account_id = $1", account.account_id)


async def test_a_part_that_is_longer_than_a_part_can_be_is_refused(esme: Esme) -> None:
    long = pdus.SubmitSm(
        source_addr="HOMING",
        destination_addr=DELIVERED,
        tlvs=(
            tlvs.SAR_MSG_REF_NUM.make(7),
            tlvs.SAR_TOTAL_SEGMENTS.make(2),
            tlvs.SAR_SEGMENT_SEQNUM.make(1),
            tlvs.MESSAGE_PAYLOAD.make(b"x" * (MULTIPART_PART_BYTES_MAX + 1)),
        ),
    )
    answer = await esme.ask(long)
    assert isinstance(answer, pdus.SubmitSmResp)
    assert answer.status == CommandStatus.RINVMSGLEN


async def test_a_refused_long_message_says_so_in_its_answers_or_by_receipt(server: Server, smpp: str) -> None:
    poor = await server.account(balance="0.05")
    async with bound(smpp, poor.key, poor.secret) as esme:
        answers = await asyncio.gather(*map(esme.ask, parts_of(QUEUED + "5551234", TEXTS)))
        statuses = [answer.status for answer in answers if isinstance(answer, pdus.SubmitSmResp)]
        assert statuses[-1] == VendorStatus.INSUFFICIENT_BALANCE
        accepted = [
            answer.message_id for answer in answers if isinstance(answer, pdus.SubmitSmResp) and not answer.status
        ]
        for part_id in accepted:
            assert (await esme.receipt(part_id)).stat == "REJECTD"
        one_by_one = [await esme.ask(pdu) for pdu in parts_of(QUEUED + "5551234", TEXTS, reference=8)]
        assert [answer.status for answer in one_by_one if isinstance(answer, pdus.SubmitSmResp)] == [
            0,
            0,
            VendorStatus.INSUFFICIENT_BALANCE,
        ]
        for answer in one_by_one[:2]:
            assert isinstance(answer, pdus.SubmitSmResp)
            assert (await esme.receipt(answer.message_id)).stat == "REJECTD"
    assert (await server.holdings(poor))[0] == 0


async def test_what_a_dead_process_had_begun_with_a_whole_message_is_finished_once(
    server: Server, esme: Esme, account: Account
) -> None:
    pdus_ = parts_of(SILENT, TEXTS[:2], registered_delivery=0)
    ids = await ids_of([await esme.ask(pdu) for pdu in pdus_])
    stored = await message(server, ids[0])
    # As if the process had died between submitting the message and noting that it had.
    await server.query(
        "UPDATE submitted_part SET message_id = NULL, ended = 0, due_at = now(), content = convert_to('x', 'UTF8')"
        " WHERE account_id = $1",
        account.account_id,
    )

    async def ended() -> bool:
        rows = await server.query("SELECT message_id FROM submitted_part WHERE account_id = $1", account.account_id)
        return all(row["message_id"] == int(ids[0]) for row in rows)

    await until(ended)
    assert (await message(server, ids[0]))["text"] == stored["text"]
    assert (await server.holdings(account))[0] == 1


# ---- Queries


async def test_query_cancel_and_replace(server: Server, esme: Esme, account: Account) -> None:
    before = await server.holdings(account)
    sent = await esme.sent(QUEUED + "5551234")
    answer = await esme.ask(pdus.QuerySm(sent, source_addr="HOMING"))
    assert answer == pdus.QuerySmResp(sent, "", 1, 0)
    assert await esme.status_of(pdus.ReplaceSm(sent, short_message=b"x")) == CommandStatus.RREPLACEFAIL
    wrong = pdus.CancelSm(message_id=sent, destination_addr=DELIVERED)
    assert await esme.status_of(wrong) == CommandStatus.RCANCELFAIL
    right = pdus.CancelSm(message_id=sent, source_addr="HOMING", destination_addr=QUEUED + "5551234")
    assert await esme.ask(right) == pdus.CancelSmResp()
    row = await message(server, sent)
    assert (row["state"], decode_reason(row["reason"]).code) == (MessageState.FAILED, ReasonCode.MESSAGE_CANCELLED)
    after = await server.holdings(account)
    assert after[1:] == before[1:]
    assert (await esme.receipt(sent)).stat == "UNDELIV"
    assert await esme.status_of(right) == CommandStatus.RCANCELFAIL
    assert not await server.query("SELECT FROM queue WHERE message_id = $1", int(sent))
    assert (await prove(server.database, account.account_id)).holds


async def test_a_query_tells_the_end(esme: Esme) -> None:
    sent = await esme.sent(UNDELIVERABLE)
    await esme.receipt(sent)
    answer = await esme.ask(pdus.QuerySm(sent))
    assert isinstance(answer, pdus.QuerySmResp)
    assert (answer.message_state, answer.error_code) == (5, 1)
    ended = times.parse(answer.final_date)
    assert isinstance(ended, datetime)
    assert abs((datetime.now(UTC) - ended).total_seconds()) < 60
    assert await esme.status_of(pdus.CancelSm(message_id=sent)) == CommandStatus.RCANCELFAIL


@pytest.mark.parametrize("message_id", ["", "x", "12", "9" * 16, "9" * 60])
async def test_what_is_not_the_accounts_message_is_unknown(server: Server, esme: Esme, message_id: str) -> None:
    for request in (pdus.QuerySm(message_id), pdus.CancelSm(message_id=message_id), pdus.ReplaceSm(message_id)):
        answer = await esme.ask(request)
        assert isinstance(answer, pdus.ResponsePdu)
        assert answer.status == CommandStatus.RINVMSGID


async def test_another_accounts_message_is_unknown(server: Server, smpp: str, esme: Esme) -> None:
    other = await server.account()
    async with bound(smpp, other.key, other.secret) as stranger:
        theirs = await stranger.sent(QUEUED + "5551234")
    answer = await esme.ask(pdus.CancelSm(message_id=theirs))
    assert isinstance(answer, pdus.ResponsePdu)
    assert answer.status == CommandStatus.RINVMSGID


async def test_queries_are_limited_as_over_http(server: Server, smpp: str) -> None:
    account = await server.account(queries_per_s=3)
    async with bound(smpp, account.key, account.secret) as esme:
        answers = [await esme.ask(pdus.QuerySm("12")) for _ in range(20)]
    assert CommandStatus.RTHROTTLED in [answer.status for answer in answers if isinstance(answer, pdus.ResponsePdu)]


# ---- Metrics


async def test_binds_and_pdus_are_counted(server: Server, esme: Esme) -> None:
    await esme.sent(SILENT)

    async def shown() -> bool:
        text = (await server.client.call("GET", "/metrics")).text
        wanted = (
            'homing_smpp_binds{kind="transceiver",process="smpp-1"} ',
            'homing_smpp_pdus_total{command="submit_sm",process="smpp-1",status="0x00000000"} ',
            'homing_smpp_submit_seconds_count{process="smpp-1"} ',
        )
        return all(
            any(line.startswith(one) and not line.endswith(" 0.0") for line in text.splitlines()) for one in wanted
        )

    await until(shown)


async def test_no_text_no_number_and_no_password_is_logged(server: Server, esme: Esme, account: Account) -> None:
    await esme.submit(DELIVERED, b"\xff secret words", data_coding=4)
    lines = json.dumps(server.log_lines())
    assert "secret words" not in lines
    assert DELIVERED not in lines
    assert account.secret not in lines


async def test_an_account_with_unique_references_gets_a_repeated_one_answered_with_the_first_id(
    server: Server, smpp: str, account: Account
) -> None:
    await change(server, account, unique_references=True)
    reference = (tlvs.USER_MESSAGE_REFERENCE.make(77),)
    many = SubmitMulti(
        source_addr="HOMING",
        dest_addresses=(SmeAddress(1, 1, DELIVERED), SmeAddress(1, 1, "12"), SmeAddress(1, 1, UNDELIVERABLE)),
        short_message=b"to many",
        tlvs=(tlvs.USER_MESSAGE_REFERENCE.make(78),),
    )
    parts = [concatenation.build_header(9, 2, part) + b"ab" * 60 for part in (1, 2)]
    async with bound(smpp, account.key, account.secret) as esme:
        first, again = await asyncio.gather(*(esme.sent(DELIVERED, b"once", tlvs=reference) for _ in range(2)))
        assert first == again
        assert await esme.sent(SILENT, b"once", tlvs=reference) != first
        assert (await esme.submit(DELIVERED, b"twice", tlvs=reference)).status == CommandStatus.RINVOPTPARAMVAL
        answers = [await esme.ask(many) for _ in range(2)]
        assert isinstance(answers[0], SubmitMultiResp)
        assert answers[0].status == 0
        assert answers[0] == answers[1]
        for _ in range(2):
            sent = [
                await esme.sent(EXPIRED, part, esm_class=udh.UDHI, tlvs=(tlvs.USER_MESSAGE_REFERENCE.make(79),))
                for part in parts
            ]
            query = await esme.ask(pdus.QuerySm(message_id=sent[1], source_addr="HOMING"))
            assert isinstance(query, pdus.QuerySmResp)
            assert query.status == 0
        receipt = await esme.receipt(first)
        assert receipt.stat == "DELIVRD"
    row = await server.query_row("SELECT count(*) AS n FROM message WHERE account_id = $1", account.account_id)
    assert row["n"] == 5
    assert (await prove(server.database, account.account_id)).holds
