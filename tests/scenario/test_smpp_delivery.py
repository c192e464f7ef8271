"""Receipts and replies to binds: kept until somebody takes them, over whichever process has a bind, and never lost."""

import asyncio
import json
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homing import errors
from homing.admin import account_settings
from homing.api.smpp.listener import listen_addresses
from homing.config import SmppServerSettings
from homing.delivery.bind_delivery import BIND_KEEP_DAYS, BIND_WAITS_S
from homing.model import PushKind, PushOutcome
from homing.smpp import pdus
from homing.smpp.connection import connect
from homing.smpp.session import SessionEnd
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel
from tests.support.esme import Esme, bound, call, refused, submit
from tests.support.proofs import all_adds_up
from tests.support.server import REPLYING, Account, Process, Server, migrated_database, running
from tests.support.waiting import in_time, stays, until

DELIVERED = "8613800130001"


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    """A server of its own, with two smpp processes that share the port."""
    data = room / f"binds-{worker}"
    data.mkdir()
    async with running(await migrated_database(postgres, f"binds_{worker}"), data) as made:
        await made.start("smpp", "smpp-2")
        yield made
        assert "Traceback" not in made.logs


@pytest.fixture
def smpp(server: Server) -> str:
    return server.environment["HOMING_SMPP_ADDRESS"]


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account()


def link(server: Server, name: str) -> Process:
    return next(one for one in reversed(server.processes) if one.name == name)


async def waiting(server: Server, account: Account, count: int) -> None:
    """Until so many deliveries are due for the account."""
    due = "SELECT FROM push WHERE account_id = $1 AND lane = -1 AND due_at IS NOT NULL"
    await until(lambda: server.query(due, account.account_id), lambda rows: len(rows) == count)


async def attempts(server: Server, account: Account) -> list[tuple[int | None, str]]:
    rows = await server.query(
        "SELECT status, answer FROM push_attempt WHERE account_id = $1 ORDER BY push_id, attempt", account.account_id
    )
    return [(row["status"], row["answer"]) for row in rows]


async def owners(server: Server, account: Account) -> list[str]:
    rows = await server.query("SELECT owner FROM bind WHERE account_id = $1 ORDER BY bind_id", account.account_id)
    return [row["owner"].rsplit(":", 1)[1] for row in rows]


async def test_what_nobody_takes_waits_for_a_bind_and_comes_at_once(
    server: Server, smpp: str, account: Account
) -> None:
    async with bound(smpp, account.key, account.secret, pdus.BindTransmitter) as one:
        sent = [await one.sent(DELIVERED) for _ in range(20)]
    await waiting(server, account, 20)
    async with bound(smpp, account.key, account.secret, pdus.BindReceiver) as one:
        began_s = time.monotonic()
        await one.until(lambda esme: len(esme.receipts) == 20)
        assert time.monotonic() - began_s < 8
        assert sorted(receipt.id for receipt in one.receipts) == sorted(sent)
        await waiting(server, account, 0)
    assert await attempts(server, account) == [(0, "ESME_ROK")] * 20
    rows = await server.query("SELECT outcome, url, kind FROM push WHERE account_id = $1", account.account_id)
    assert {(row["outcome"], row["url"], row["kind"]) for row in rows} == {
        (PushOutcome.ACKNOWLEDGED, "", PushKind.RECEIPT)
    }


async def test_a_reply_is_kept_for_an_account_that_was_bound_lately_and_for_no_other(
    server: Server, smpp: str, account: Account
) -> None:
    other = await server.account()
    async with bound(smpp, account.key, account.secret, pdus.BindReceiver):
        pass
    for one, number in ((account, REPLYING + "5551231"), (other, REPLYING + "5551232")):
        async with bound(smpp, one.key, one.secret, pdus.BindTransmitter) as transmitter:
            await transmitter.sent(number, registered_delivery=0)
    await waiting(server, account, 1)
    await until(lambda: server.query("SELECT FROM inbound WHERE account_id = $1", other.account_id))
    await waiting(server, other, 0)
    async with bound(smpp, account.key, account.secret) as trx:
        await trx.until(lambda esme: esme.inbound)
        assert trx.inbound[0].source_addr == REPLYING + "5551231"


@pytest.mark.parametrize("status", [CommandStatus.RX_T_APPN, CommandStatus.RTHROTTLED, 0x4FF, 0xFFFFFFFF])
async def test_a_delivery_that_is_refused_comes_again(server: Server, smpp: str, account: Account, status: int) -> None:
    answers = iter([status, 0])
    async with bound(smpp, account.key, account.secret, deliver=lambda _pdu: next(answers)) as one:
        sent = await one.sent(DELIVERED)
        await one.until(lambda esme: len(esme.arrived) == 2)
        assert {receipt.id for receipt in one.receipts} == {sent}
        assert one.at_s[1] - one.at_s[0] >= BIND_WAITS_S[0]
        await waiting(server, account, 0)
    told = await attempts(server, account)
    assert [said[0] for said in told] == [status & 0x7FFFFFFF, 0]
    assert told[1] == (0, "ESME_ROK")


async def test_a_delivery_without_an_answer_comes_again_when_the_link_is_lost(
    server: Server, smpp: str, account: Account
) -> None:
    async with bound(smpp, account.key, account.secret, deliver=lambda _pdu: None) as silent:
        sent = [await silent.sent(DELIVERED) for _ in range(3)]
        await silent.until(lambda esme: len(esme.arrived) == 3)
        rows = await server.query("SELECT due_at FROM push WHERE account_id = $1", account.account_id)
        assert all(row["due_at"] is not None for row in rows), "done only when the customer has answered"
        silent.connection.close()
        await silent.until(lambda esme: esme.end)
    async with bound(smpp, account.key, account.secret, pdus.BindReceiver) as one:
        await one.until(lambda esme: len(esme.receipts) == 3)
        assert {receipt.id for receipt in one.receipts} == set(sent)
        await waiting(server, account, 0)


async def test_a_customer_that_unbinds_mid_way_gets_the_rest_later(server: Server, smpp: str, account: Account) -> None:
    async with server.database.transaction() as transaction:
        await account_settings.change_account(transaction, account.account_id, {"bind_window": 5})
    async with bound(smpp, account.key, account.secret, pdus.BindTransmitter, window=5) as one:
        sent = [await one.sent(DELIVERED) for _ in range(40)]
    await waiting(server, account, 40)
    first: list[str] = []
    async with bound(smpp, account.key, account.secret, pdus.BindReceiver) as one:
        await one.until(lambda esme: len(esme.receipts) >= 10)
        one.connection.unbind()
        await one.until(lambda esme: esme.end)
        assert one.end is SessionEnd.UNBOUND
        first = [receipt.id for receipt in one.receipts]
    async with bound(smpp, account.key, account.secret, pdus.BindReceiver) as one:
        await one.until(lambda esme: len({*first, *(receipt.id for receipt in esme.receipts)}) == 40)
        assert {*first, *(receipt.id for receipt in one.receipts)} == set(sent)
        await waiting(server, account, 0)  # bound until the last answers have been taken


async def test_no_more_is_under_way_than_the_window(server: Server, smpp: str, account: Account) -> None:
    async with server.database.transaction() as transaction:
        await account_settings.change_account(transaction, account.account_id, {"bind_window": 3})
    async with bound(smpp, account.key, account.secret, pdus.BindTransmitter, window=3) as one:
        for _ in range(12):
            await one.sent(DELIVERED)
    await waiting(server, account, 12)
    async with bound(smpp, account.key, account.secret, pdus.BindReceiver, deliver=lambda _pdu: None) as one:
        await one.until(lambda esme: len(esme.arrived) == 3)
        await stays(lambda: len(one.arrived), 3, for_s=0.5)
        one.connection.close()


async def test_two_receivers_share_the_work(server: Server, smpp: str, account: Account) -> None:
    async with (
        bound(smpp, account.key, account.secret, pdus.BindReceiver) as first,
        bound(smpp, account.key, account.secret, pdus.BindReceiver) as second,
        bound(smpp, account.key, account.secret, pdus.BindTransmitter) as transmitter,
    ):
        sent = await asyncio.gather(*(transmitter.sent(DELIVERED) for _ in range(100)))
        await until(lambda: len(first.receipts) + len(second.receipts), lambda count: count >= 100)
        assert sorted(one.id for one in [*first.receipts, *second.receipts]) == sorted(sent)
        holders = (await owners(server, account))[:2]
        assert len(set(holders)) == 2 or (first.receipts and second.receipts), "of one process they take turns"


async def test_a_notice_never_comes_after_its_receipt(server: Server, smpp: str, account: Account) -> None:
    async with (
        bound(smpp, account.key, account.secret) as first,
        bound(smpp, account.key, account.secret) as second,
    ):
        sent = await asyncio.gather(*(first.sent(DELIVERED, registered_delivery=0x11) for _ in range(30)))
        await until(lambda: len(first.receipts) + len(second.receipts), lambda count: count >= 60)
        times: dict[tuple[str, str], float] = {}
        for esme in (first, second):
            for receipt, at_s in zip(esme.receipts, esme.at_s, strict=True):
                times[receipt.id, receipt.stat] = at_s
        assert all(times[one, "ENROUTE"] <= times[one, "DELIVRD"] for one in sent)


async def test_a_receipt_comes_over_the_process_that_has_the_receiver(
    server: Server, smpp: str, account: Account
) -> None:
    async with bound(smpp, account.key, account.secret, pdus.BindTransmitter) as transmitter:
        for _try in range(40):
            async with bound(smpp, account.key, account.secret, pdus.BindReceiver) as receiver:
                if len(set(await owners(server, account))) < 2:
                    continue
                sent = await transmitter.sent(DELIVERED)
                await receiver.receipt(sent)
                return
    pytest.fail("forty binds came to one process")


async def test_the_limit_on_binds_holds_over_both_processes(server: Server, smpp: str, account: Account) -> None:
    async with server.database.transaction() as transaction:
        await account_settings.change_account(transaction, account.account_id, {"binds_max": 6})
    esmes, timer_wheel = [Esme() for _ in range(30)], TimerWheel()
    for one in esmes:
        await call(smpp, one, timer_wheel)
    answers = await asyncio.gather(*(one.ask(pdus.BindReceiver(account.key, account.secret)) for one in esmes))
    assert sum(answer.status == 0 for answer in answers if isinstance(answer, pdus.ResponsePdu)) == 6
    assert len(await owners(server, account)) == 6
    for one in esmes:
        one.connection.close()
    timer_wheel.stop()


async def test_a_killed_link_loses_no_receipt_and_its_binds_do_not_count(
    server: Server, smpp: str, account: Account
) -> None:
    async with server.database.transaction() as transaction:
        await account_settings.change_account(transaction, account.account_id, {"binds_max": 1})
    async with bound(smpp, account.key, account.secret, pdus.BindTransmitter) as one:
        sent = [await one.sent(DELIVERED) for _ in range(10)]
    await waiting(server, account, 10)
    async with bound(smpp, account.key, account.secret, pdus.BindReceiver, deliver=lambda _pdu: None) as one:
        await one.until(lambda esme: len(esme.arrived) == 10)
        (name,) = await owners(server, account)
        victim = link(server, name)
        os.kill(victim.process.pid, signal.SIGKILL)
        await victim.process.wait()
        await one.until(lambda esme: esme.end)
    server.processes.remove(victim)
    await server.start("smpp", name)
    # What the dead process had under way is due when its lease ends, which nobody wants to wait for here.
    await server.query("UPDATE push SET due_at = now() WHERE account_id = $1 AND due_at > now()", account.account_id)
    async with bound(smpp, account.key, account.secret, pdus.BindReceiver) as again:
        await again.until(lambda esme: len(esme.receipts) == 10)
        assert {receipt.id for receipt in again.receipts} == set(sent)


async def test_a_stopping_link_unbinds_its_customers_and_answers_what_they_asked(
    server: Server, smpp: str, account: Account
) -> None:
    third = await server.start("smpp", "smpp-3", HOMING_SMPP_ADDRESS=(address := f"127.0.0.1:{_port()}"))
    async with bound(address, account.key, account.secret) as one:
        answers: list[object] = []
        for _ in range(50):
            one.connection.send(submit(DELIVERED), answers.append)
        await asyncio.sleep(0.02)
        assert await third.stop() == 0
        await one.until(lambda esme: esme.end)
        assert one.end is SessionEnd.PEER_UNBOUND
        taken = [answer for answer in answers if isinstance(answer, pdus.SubmitSmResp) and not answer.status]
        assert len(answers) == 50
    assert (await server.holdings(account))[0] == len(taken)
    server.processes.remove(third)


def _port() -> int:
    from tests.support.server import free_port

    return free_port()


async def test_what_nobody_comes_for_is_given_up_after_days(server: Server, smpp: str, account: Account) -> None:
    async with bound(smpp, account.key, account.secret, pdus.BindTransmitter) as one:
        await one.sent(DELIVERED)
    await waiting(server, account, 1)
    await server.query(
        "UPDATE push SET due_at = now() - make_interval(days => $2, secs => 5) WHERE account_id = $1",
        account.account_id,
        BIND_KEEP_DAYS,
    )
    again = await server.start("smpp", "smpp-4", HOMING_SMPP_ADDRESS=f"127.0.0.1:{_port()}")  # it sweeps when it starts
    await waiting(server, account, 0)
    row = await server.query_row("SELECT outcome FROM push WHERE account_id = $1", account.account_id)
    assert row["outcome"] == PushOutcome.GIVEN_UP
    await again.stop()
    server.processes.remove(again)


# ---- TLS


async def test_with_a_certificate_the_port_speaks_tls_only(
    server: Server, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key, trust = make_certificate(tmp_path)
    address = f"127.0.0.1:{_port()}"
    process = await server.start(
        "smpp",
        "smpp-5",
        HOMING_SMPP_ADDRESS=address,
        HOMING_SMPP_TLS_CERTIFICATE=str(certificate),
        HOMING_SMPP_TLS_KEY=str(key),
    )
    esme, timer_wheel = Esme(), TimerWheel()
    esme.connection = await connect("127.0.0.1", int(address.split(":")[1]), esme, timer_wheel, tls=trust)
    answer = await esme.ask(pdus.BindTransceiver(account.key, account.secret))
    assert isinstance(answer, pdus.ResponsePdu)
    assert answer.status == 0
    await esme.receipt(await esme.sent(DELIVERED))
    esme.connection.close()
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01")
    async with in_time():
        assert not (await reader.read(100)).startswith(b"\0\0\0")
    writer.close()
    timer_wheel.stop()
    await process.stop()
    server.processes.remove(process)


def make_certificate(folder: Path) -> tuple[Path, Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1, its key, and a context that trusts it."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "homing")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    trust = ssl.create_default_context(cafile=str(files[0]))
    return *files, trust


# ---- Together


async def test_money_adds_up_after_all_that(server: Server) -> None:
    await all_adds_up(server.database)
    assert json.dumps(server.log_lines())
    assert await refused(server.environment["HOMING_SMPP_ADDRESS"], "nobody", "x") == CommandStatus.RINVPASWD


async def test_with_an_address_of_its_own_tls_is_spoken_beside_plain_smpp(
    server: Server, account: Account, tmp_path: Path
) -> None:
    certificate, key, trust = make_certificate(tmp_path)
    plain, secure = _port(), _port()
    process = await server.start(
        "smpp",
        "smpp-6",
        HOMING_SMPP_ADDRESS=f"127.0.0.1:{plain}",
        HOMING_SMPP_TLS_ADDRESS=f"127.0.0.1:{secure}",
        HOMING_SMPP_TLS_CERTIFICATE=str(certificate),
        HOMING_SMPP_TLS_KEY=str(key),
    )
    timer_wheel = TimerWheel()
    for port, tls in ((plain, None), (secure, trust)):
        esme = Esme()
        esme.connection = await connect("127.0.0.1", port, esme, timer_wheel, tls=tls)
        answer = await esme.ask(pdus.BindTransceiver(account.key, account.secret))
        assert isinstance(answer, pdus.ResponsePdu)
        assert answer.status == 0
        await esme.receipt(await esme.sent(DELIVERED))
        esme.connection.close()
    timer_wheel.stop()
    await process.stop()
    server.processes.remove(process)


def test_an_address_for_tls_without_a_certificate_is_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="tls_certificate"):
        listen_addresses(SmppServerSettings("127.0.0.1:1", 1, "", "", "127.0.0.1:2"))
