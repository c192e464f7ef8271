"""What a customer asked of a message reaches the carrier: flash, and the registration ids of India."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homing.admin import routes
from homing.admin.carriers import add_carrier
from homing.api.smpp.statuses import VendorStatus
from homing.dialects.registry import DIALECTS
from homing.messages import timeline
from homing.model import Outcome, Traffic
from homing.reasons import ReasonCode, decode_reason
from homing.routing.rules import RouteScope
from homing.smpp import concatenation, udh
from homing.smpp.pdus import SubmitSm
from homing.states import MessageState
from homing_clients.lia import AsyncLiaClient, Encoding, Message
from tests.support.esme import bound
from tests.support.proofs import all_adds_up
from tests.support.server import Account, Server, migrated_database, running
from tests.support.smsc import PASSWORD, SYSTEM_ID, Smsc
from tests.support.waiting import until

BOTH, ORDINARY, CHANGED, LAST = "95501", "95502", "95503", "95504"
"""To a carrier without flash and one with it; to that without alone; to one that says so only once it has a message,
before one with it, and alone.
"""
PRICE = 20_000
"""Of a segment, in micro-units."""
SOON = {"reconnect_first_s": 0.1, "reconnect_longest_s": 0.3}
IDS = ((0x1400, b"1101"), (0x1401, b"1107"))


@pytest.fixture(scope="module")
async def centre() -> AsyncIterator[Smsc]:
    async with Smsc(receipt_after_s=0.05) as made:
        yield made


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str, centre: Smsc) -> AsyncIterator[Server]:
    data = room / f"options-{worker}"
    data.mkdir()
    async with running(await migrated_database(postgres, f"options_{worker}"), data) as made:
        reached = {"host": "127.0.0.1", "port": centre.port, "system_id": SYSTEM_ID, "password": PASSWORD, **SOON}
        certain = {"submit_ms": 1, "receipt_ms_mean": 0, "undeliverable": 0, "expired": 0}
        async with made.database.transaction() as transaction:

            async def add(name: str, kind: str, settings: dict[str, Any]) -> int:
                return await add_carrier(transaction, name, kind, json.dumps(settings), made.vault)

            able = await add("able", "smpp", reached)
            unable = await add("unable", "simulator", {**certain, "flash": False})
            late = await add("late", "simulator", {**certain, "flash": False})
            await transaction.raw.execute("UPDATE carrier SET carries_flash = true WHERE carrier_id = $1", late)
            for prefix, carriers in {
                BOTH: (unable, able),
                ORDINARY: (unable,),
                CHANGED: (late, able),
                LAST: (late,),
            }.items():
                for priority, carrier_id in enumerate(carriers, 1):
                    await routes.set_route(
                        transaction, RouteScope(prefix=prefix), carrier_id=carrier_id, priority=priority
                    )
        await centre.bound()
        await made.settled()
        yield made
        await all_adds_up(made.database)


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account(balance="10")


async def send(server: Server, account: Account, number: str, encoding: str, **more: object) -> Any:
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding=encoding,
        sender_id=account.sender,
        phonenumber=number,
        textmessage="Your code is 1234",
        **more,
    )
    return reply.json


async def submitted(centre: Smsc, number: str) -> SubmitSm:
    await centre.until(lambda: any(one.destination_addr == number for one in centre.submits))
    return next(one for one in centre.submits if one.destination_addr == number)


async def ended(server: Server, message_id: object) -> MessageState:
    row = await until(
        lambda: server.query_row("SELECT state FROM message WHERE message_id = $1", int(str(message_id))),
        lambda row: row["state"] not in (MessageState.QUEUED, MessageState.SENT),
    )
    return MessageState(row["state"])


@pytest.mark.parametrize(("encoding", "coding"), [("FS", 0x10), ("UFS", 0x18)])
async def test_a_lia_customers_flash_leaves_as_flash_by_the_carrier_that_can(
    server: Server, centre: Smsc, account: Account, encoding: str, coding: int
) -> None:
    number = f"{BOTH}{coding:06d}"
    reply = await send(server, account, number, encoding, pe_id="1101", template_id="1107")
    submit = await submitted(centre, number)
    assert (submit.data_coding, submit.tlvs) == (coding, IDS)
    assert await ended(server, reply["message_id"]) is MessageState.DELIVERED


async def test_an_ordinary_message_takes_the_first_carrier_that_has_no_flash(
    server: Server, centre: Smsc, account: Account
) -> None:
    reply = await send(server, account, f"{BOTH}000001", "T")
    assert await ended(server, reply["message_id"]) is MessageState.DELIVERED
    assert all(one.destination_addr != f"{BOTH}000001" for one in centre.submits)


@pytest.mark.parametrize(
    ("coding", "sent", "text"), [(0x10, 0x10, b"code"), (0xF0, 0x10, b"code"), (0x18, 0x18, b"\0c\0o\0d\0e")]
)
async def test_an_smpp_customers_flash_and_ids_leave_as_they_came(
    server: Server, centre: Smsc, account: Account, coding: int, sent: int, text: bytes
) -> None:
    number = f"{BOTH}1{coding:05d}"
    async with bound(server.environment["HOMING_SMPP_ADDRESS"], account.key, account.secret) as esme:
        await esme.sent(number, text, data_coding=coding, tlvs=IDS)
    submit = await submitted(centre, number)
    assert (submit.data_coding, submit.short_message, submit.tlvs) == (sent, text, IDS)


async def test_a_long_message_that_came_in_parts_leaves_with_what_its_first_part_asked(
    server: Server, centre: Smsc, account: Account
) -> None:
    number = f"{BOTH}200001"
    async with bound(server.environment["HOMING_SMPP_ADDRESS"], account.key, account.secret) as esme:
        for part in (1, 2):
            header = concatenation.build_header(7, 2, part)
            await esme.sent(number, header + b"x" * 150, esm_class=udh.UDHI, data_coding=0x10, tlvs=IDS)
    await submitted(centre, number)
    await centre.until(lambda: sum(one.destination_addr == number for one in centre.submits) == 2)
    parts = [one for one in centre.submits if one.destination_addr == number]
    assert [(one.data_coding, one.tlvs) for one in parts] == [(0x10, IDS)] * 2


async def test_where_no_carrier_can_flash_is_refused_at_once_with_words_and_costs_nothing(
    server: Server, account: Account
) -> None:
    before = await server.holdings(account)
    reply = await send(server, account, f"{ORDINARY}000001", "FS", uid="mine")
    assert reply == {
        "message_id": 0,
        "status": "F",
        "remarks": "Flash messages are not carried to this phonenumber",
        "uid": "mine",
    }
    async with bound(server.environment["HOMING_SMPP_ADDRESS"], account.key, account.secret) as esme:
        answer = await esme.submit(f"{ORDINARY}000002", data_coding=0x10)
        assert answer.status == VendorStatus.UNSUPPORTED_CONTENT
        await esme.sent(f"{ORDINARY}000013")
    assert (await send(server, account, f"{ORDINARY}000014", "T"))["status"] == "S"
    messages, gift_micro, balance_micro = before
    after = await server.holdings(account)
    assert after == (messages + 2, gift_micro, balance_micro - 2 * PRICE)


async def test_a_carrier_that_turns_out_to_have_no_flash_hands_on_to_the_next_or_it_is_refunded(
    server: Server, centre: Smsc, account: Account
) -> None:
    reply = await send(server, account, f"{CHANGED}000009", "FS")
    assert (await submitted(centre, f"{CHANGED}000009")).data_coding == 0x10
    assert await ended(server, reply["message_id"]) is MessageState.DELIVERED
    lost = await send(server, account, f"{LAST}000009", "FS")
    assert await ended(server, lost["message_id"]) is MessageState.REJECTED
    (attempt,) = await server.query(
        "SELECT outcome, error_code, error_text, reason FROM attempt WHERE message_id = $1", int(lost["message_id"])
    )
    assert tuple(attempt.values())[:3] == (Outcome.REFUSED, "flash", None)
    assert decode_reason(attempt["reason"]).code is ReasonCode.ATTEMPT_NO_FLASH
    row = await server.query_row(
        "SELECT refund_micro, charge_micro FROM message WHERE message_id = $1", int(lost["message_id"])
    )
    assert row["refund_micro"] == row["charge_micro"] > 0


async def test_the_typed_client_asks_for_flash_and_the_timeline_tells_it(
    server: Server, centre: Smsc, account: Account
) -> None:
    number = f"{BOTH}300001"
    async with AsyncLiaClient(account.api_id, account.api_password, base_url=f"{server.url}/api") as client:
        message = Message(account.sender, "Hello", encoding=Encoding.LATIN_FLASH, pe_id="1101", template_id="1107")
        sent = await client.send(number, message)
    submit = await submitted(centre, number)
    assert (submit.data_coding, submit.tlvs) == (0x10, IDS)
    assert sent.message_id is not None
    async with server.database.transaction() as transaction:
        row = await timeline.find_message(transaction, sent.message_id)
        assert row is not None
        moments = await timeline.read_timeline(transaction, row, DIALECTS)
    (text,) = [moment.detail for moment in moments if moment.what == "text"]
    (route,) = [moment.detail for moment in moments if moment.what == "route"]
    assert route.startswith("able, by route")
    assert route.endswith("; carriers without flash SMS: 1")
    assert text.endswith(", flash message, PE id 1101 (DLT), template id 1107 (DLT)")


# ---- Every parameter of a send, in both dialects

VALIDITY = "extract(epoch FROM expires_at) - ((message_id >> 12) + 1735689600000) / 1000.0 BETWEEN 89 AND 91"
LIA: dict[str, tuple[object, str, object]] = {
    "sms_type": ("P", "traffic", int(Traffic.PROMOTIONAL)),
    "encoding": ("UFS", "notes ->> 'flash'", "true"),
    "sender_id": ("HOMING", "sender", "HOMING"),
    "phonenumber": (f"+{BOTH}400001", "number", f"{BOTH}400001"),
    "textmessage": ("Your code is 1", "text", "Your code is 1"),
    "uid": ("my-uid", "reference", "my-uid"),
    "callback_url": ("https://example.com/x?y=%2F", "callback_url", "https://example.com/x?y=%2F"),
    "ValidityPeriodInSeconds": (90, VALIDITY, True),
    "pe_id": ("1101", "notes ->> 'pe_id'", "1101"),
    "template_id": ("1107", "notes ->> 'template_id'", "1107"),
}
"""By parameter: what is given, where it is stored and as what. `templateid` and V1 to V5 stand for the text."""
LAAFFIC: dict[str, tuple[object, str, object]] = {
    "appId": (None, "app_id", None),
    "numbers": (f"+{BOTH} 400 002", "number", f"{BOTH}400002"),
    "content": ("Your code is 2", "text", "Your code is 2"),
    "senderId": ("HOMING", "sender", "HOMING"),
    "orderId": ("my-order", "reference", "my-order"),
}


def documented(page: str, heading: str) -> set[str]:
    """The parameters in a section's table."""
    text = (Path(__file__).parents[2] / "docs" / "reference" / page).read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| (?:yes|no|unless [^|]+) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


async def test_every_parameter_of_a_lia_send_is_kept_with_the_message(server: Server, account: Account) -> None:
    assert documented("lia.md", "SendSMS") == {*LIA, "templateid", "V1", "V5"}
    given = {name: value for name, (value, _where, _wanted) in LIA.items()}
    reply = await server.client.lia(account, "SendSMS", **given)
    assert reply.json["status"] == "S", reply
    await kept(server, LIA, reply.json["message_id"])


async def test_every_variable_of_a_template_stands_in_the_text(server: Server) -> None:
    account = await server.account(templates={"five": "{V1}-{V2}-{V3}-{V4}-{V5}"})
    given = {"sms_type": "T", "sender_id": account.sender, "phonenumber": f"{BOTH}400003", "templateid": "five"}
    reply = await server.client.lia(account, "SendSMS", **given, **{f"V{n}": f"v{n}" for n in range(1, 6)})
    assert reply.json["status"] == "S", reply
    (row,) = await server.query("SELECT text FROM message WHERE message_id = $1", int(reply.json["message_id"]))
    assert row["text"] == "v1-v2-v3-v4-v5"


async def test_every_parameter_of_a_laaffic_send_is_kept_with_the_message(server: Server, account: Account) -> None:
    assert documented("laaffic.md", "sendSms") == set(LAAFFIC)
    given = {name: value for name, (value, _where, _wanted) in LAAFFIC.items()} | {"appId": account.app}
    reply = await server.client.laaffic(account, "POST", "/v3/sendSms", body=given)
    assert reply.json["status"] == "0", reply
    await kept(server, {**LAAFFIC, "appId": (None, "app_id", account.app)}, reply.json["array"][0]["msgId"])


async def kept(server: Server, table: dict[str, tuple[object, str, object]], message_id: object) -> None:
    for name, (_value, where, wanted) in table.items():
        if wanted is not None:
            (row,) = await server.query(
                f"SELECT {where} AS kept FROM message WHERE message_id = $1",
                int(str(message_id)),
            )
            assert row["kept"] == wanted, name
