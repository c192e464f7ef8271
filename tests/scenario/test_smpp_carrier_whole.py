"""The real processes and a message centre: from a customer's call by SMPP to the push, and through a centre's death."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from homing.admin import carriers, routes
from homing.model import Outcome
from homing.routing.rules import RouteScope
from homing.states import MessageState
from tests.support import smsc as centre
from tests.support.proofs import all_adds_up
from tests.support.server import Account, Server, free_port, migrated_database, running
from tests.support.sink import Sink
from tests.support.smsc import PASSWORD, SYSTEM_ID, Deed, Smsc, in_turn
from tests.support.waiting import until

PREFIX = "95401"
"""By the centre in this process."""
MORTAL = "95402"
"""By one that is killed."""
SLOW = "95403"
"""By one that answers after the response time."""
UNWRITTEN = "9540"
"""By one that never answers: the fifth digit tells the traffic."""
UNKNOWN_RETRY_S = 1
CLAIMED = """
SELECT count(*) AS claimed FROM queue JOIN message USING (account_id, message_id)
WHERE carrier_id = $1 AND claimed_by IS NOT NULL AND lane <> 0
"""
SOON = {"reconnect_first_s": 0.1, "reconnect_longest_s": 0.3}


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    data = room / f"smpp-carrier-{worker}"
    data.mkdir()
    settings = {"HOMING_DISPATCH_UNKNOWN_RETRY_S": str(UNKNOWN_RETRY_S), "HOMING_DISPATCH_QUEUE_AGE_S": "60"}
    async with running(await migrated_database(postgres, f"smpp_carrier_{worker}"), data, **settings) as made:
        yield made
    assert PASSWORD not in made.logs


async def add_carrier(server: Server, prefix: str, port: int, **settings: object) -> int:
    given = {"host": "127.0.0.1", "port": port, "system_id": SYSTEM_ID, "password": PASSWORD, **SOON, **settings}
    async with server.database.transaction() as transaction:
        carrier_id = await carriers.add_carrier(transaction, f"smpp-{prefix}", "smpp", json.dumps(given), server.vault)
        await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=carrier_id)
    await server.settled()
    await is_up(server, carrier_id)
    return carrier_id


async def is_up(server: Server, carrier_id: int) -> Any:
    """Its health, once a process has it and it is bound."""
    up = "SELECT detail FROM carrier_session WHERE carrier_id = $1 AND is_up"
    (row,) = await until(lambda: server.query(up, carrier_id))
    return json.loads(row["detail"])


async def send(server: Server, account: Account, number: str, text: str, traffic: str = "T", **more: object) -> int:
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type=traffic,
        encoding="T" if text.isascii() else "U",
        sender_id=account.sender,
        phonenumber=number,
        textmessage=text,
        **more,
    )
    assert reply.json["status"] == "S", reply
    return int(reply.json["message_id"])


async def states(server: Server, ids: Sequence[int]) -> Counter[MessageState]:
    rows = await server.query(
        "SELECT state, count(*) AS messages FROM message WHERE message_id = ANY($1) GROUP BY 1", ids
    )
    return Counter({MessageState(row["state"]): row["messages"] for row in rows})


async def become(server: Server, ids: Sequence[int], wanted: set[MessageState]) -> None:
    """Until each of the messages is in one of the states."""
    await until(lambda: states(server, ids), lambda found: set(found) <= wanted)


async def attempts(server: Server, ids: Sequence[int]) -> dict[int, list[Outcome]]:
    rows = await server.query(
        "SELECT message_id, outcome FROM attempt WHERE message_id = ANY($1) ORDER BY message_id, attempt", ids
    )
    found: dict[int, list[Outcome]] = {message_id: [] for message_id in ids}
    for row in rows:
        found[row["message_id"]].append(Outcome(row["outcome"]))
    return found


async def test_a_customers_message_leaves_by_smpp_and_its_receipt_is_pushed(server: Server, sink: Sink) -> None:
    async with Smsc(receipt_after_s=0.05, submit_id=centre.hexadecimal, first_id=0xBEEF) as smsc:
        carrier_id = await add_carrier(server, PREFIX, smsc.port)
        account = await server.account(balance="10")
        box = sink.box()
        long = "Ваш код 1234. " * 12
        ids = [
            await send(server, account, f"{PREFIX}000001", "Your code is 1234", callback_url=box.url),
            await send(server, account, f"{PREFIX}000002", long, callback_url=box.url),
        ]
        await become(server, ids, {MessageState.DELIVERED})
        assert smsc.texts == [(f"{PREFIX}000001", "Your code is 1234"), (f"{PREFIX}000002", long)]
        pushes = await box.until(lambda come: sum(push.json["DLRStatus"] == "Delivered" for push in come) == 2)
        assert {push.json["message_id"] for push in pushes} == set(ids)
        parts = await server.query("SELECT carrier_ref FROM part WHERE message_id = $1 ORDER BY part", ids[1])
        assert [row["carrier_ref"] for row in parts] == [one.message_id for one in smsc.taken[1:]]
        assert len(parts) == 3

        smsc.deeds = lambda _submit: Deed(status=11)
        refused = await send(server, account, f"{PREFIX}000003", "Your code is 1234")
        await become(server, [refused], {MessageState.REJECTED})

        smsc.write_text(f"{PREFIX}000001", account.sender, "STOP")
        await until(lambda: server.query("SELECT FROM inbound WHERE content = 'STOP'"))
        detail = await until(lambda: is_up(server, carrier_id), lambda detail: detail["received"] >= 5)
        assert detail["binds"][0]["state"] == "bound"
        assert detail["received"] == 5
        assert PASSWORD not in json.dumps(detail)


async def test_a_receipt_finds_its_message_by_an_answer_that_came_late(server: Server) -> None:
    async with Smsc(deeds=in_turn(Deed(late_s=4))) as smsc:
        await add_carrier(server, SLOW, smsc.port, response_timeout_s=1)
        account = await server.account(balance="10")
        message_id = await send(server, account, f"{SLOW}000001", "Buy one, get one", "P")
        await become(server, [message_id], {MessageState.UNKNOWN, MessageState.DELIVERED})
        await become(server, [message_id], {MessageState.DELIVERED})
        (row,) = await server.query("SELECT outcome, carrier_ref FROM attempt WHERE message_id = $1", message_id)
        assert (Outcome(row["outcome"]), row["carrier_ref"]) == (Outcome.UNKNOWN, smsc.taken[0].message_id)


@asynccontextmanager
async def mortal(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """A centre in a process of its own, that can be killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.smsc", "--port", str(port), "--rtt-ms", "100", "--receipt-ms", "20"),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert (await process.stdout.readline()).startswith(b"ready")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_centre_that_is_killed_amid_traffic_loses_nothing(server: Server) -> None:
    port = free_port()
    account = await server.account(balance="100")
    codes: list[int] = []
    campaign: list[int] = []
    async with mortal(port) as first:
        carrier_id = await add_carrier(server, MORTAL, port)
        for n in range(150):
            codes.append(await send(server, account, f"{MORTAL}1{n:05d}", "Your code is 1234"))
            if n < 75:
                campaign.append(await send(server, account, f"{MORTAL}2{n:05d}", "Buy one, get one", "P"))
            if n == 90:
                first.kill()
    async with mortal(port):
        await is_up(server, carrier_id)
        # A receipt that died with the centre never comes: such a message stays sent.
        await become(server, codes, {MessageState.DELIVERED, MessageState.SENT})
        await become(server, campaign, {MessageState.DELIVERED, MessageState.SENT, MessageState.UNKNOWN})
        await asyncio.sleep(UNKNOWN_RETRY_S + 1)
    tried = await attempts(server, codes)
    lost = [message_id for message_id, outcomes in tried.items() if Outcome.UNKNOWN in outcomes]
    assert lost, "the kill came while answers were awaited"
    assert all(outcomes[-1] is Outcome.ACCEPTED for outcomes in tried.values()), "every code was taken"
    assert await states(server, lost) == {MessageState.DELIVERED: len(lost)}, "those whose answer was lost went again"
    for outcomes in (await attempts(server, campaign)).values():
        assert outcomes[-1] in (Outcome.ACCEPTED, Outcome.UNKNOWN)
        assert Outcome.UNKNOWN not in outcomes[:-1], "a campaign's message goes once"
    await all_adds_up(server.database)


@pytest.mark.parametrize("traffic", ["T", "P"])
async def test_what_a_killed_process_had_claimed_and_not_written_goes_once_and_without_a_lost_attempt(
    server: Server, traffic: str
) -> None:
    """A window of two: two messages are written and never answered, the others wait behind them for room."""
    prefix = f"{UNWRITTEN}{7 + (traffic == 'P')}"
    account = await server.account(balance="10")
    async with Smsc(deeds=lambda _submit: Deed(answers=0, receipt=None)) as smsc:
        carrier_id = await add_carrier(server, prefix, smsc.port, window=2, response_timeout_s=20)
        ids = [await send(server, account, f"{prefix}00000{n}", "Your code is 1234", traffic) for n in range(4)]
        await until(lambda: server.query_row(CLAIMED, carrier_id), lambda row: row["claimed"] >= len(ids))
        await until(lambda: len(smsc.taken), lambda count: count >= 2)
        (link,) = [process for process in server.processes if process.name == "link-1"]
        link.process.kill()
        await link.process.wait()
        server.processes.remove(link)
        written = {number for number, _text in smsc.texts}
        smsc.deeds = lambda _submit: Deed()
        await server.start("link", "link-1")
        unwritten = [message_id for n, message_id in enumerate(ids) if f"{prefix}00000{n}" not in written]
        assert len(unwritten) == len(ids) - 2
        await become(server, unwritten, {MessageState.DELIVERED})
        tried = await attempts(server, ids)
        assert [tried[message_id] for message_id in unwritten] == [[Outcome.ACCEPTED]] * len(unwritten)
        lost = [tried[message_id][0] for message_id in ids if message_id not in unwritten]
        assert lost == [Outcome.UNKNOWN] * 2, "of what was written the answer is not known"
        submits = Counter(number for number, _text in smsc.texts)
        assert [submits[number] for number in submits if number not in written] == [1] * len(unwritten)
    await all_adds_up(server.database)
