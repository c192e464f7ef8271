"""After accept: a message that its carrier refuses, puts off, loses or does not take goes by the next one, or ends
clearly; never twice when it may not, and never at a loss.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from homing.admin import carriers, prices, routes
from homing.common import money
from homing.model import Outcome
from homing.routing.rules import RouteScope
from homing.states import MessageState
from tests.support.proofs import all_adds_up
from tests.support.server import Account, Server, migrated_database, running
from tests.support.waiting import WAIT_S, until

CERTAIN = {"submit_ms": 1, "receipt_ms_mean": 0, "undeliverable": 0, "expired": 0}
DEAR = "95201"
"""The second carrier asks more for these than customers pay."""
AWAY = "95301"
"""The first carrier is down, and at first there is no second."""
PROBE = "95109"
"""By these the test learns that the link knows the routes too."""
FIRST: dict[str, dict[str, object]] = {
    "95101": {"refused": 1.0},
    "95102": {"deferred": 1.0},
    "95103": {"unanswered": 1.0, "lost": 1.0},
    "95105": {"unanswered": 1.0, "lost": 1.0},
    PROBE: {"refused": 1.0},
    DEAR: {"refused": 1.0},
    AWAY: {"is_down": True},
}
"""What the first carrier of a prefix does: each prefix has its own, because carriers that fail rest for a while. The
second delivers all.
"""
UNKNOWN_RETRY_S = 1
STATE = "SELECT state FROM message WHERE message_id = $1"


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    data = room / f"failover-{worker}"
    data.mkdir()
    settings = {"HOMING_DISPATCH_UNKNOWN_RETRY_S": str(UNKNOWN_RETRY_S), "HOMING_DISPATCH_QUEUE_AGE_S": "1"}
    async with running(await migrated_database(postgres, f"failover_{worker}"), data, **settings) as made:
        async with made.database.transaction() as transaction:
            second = await carriers.add_carrier(transaction, "second", "simulator", json.dumps(CERTAIN))
            for prefix, odds in FIRST.items():
                chances = json.dumps({**CERTAIN, **odds})
                first = await carriers.add_carrier(transaction, f"first-{prefix}", "simulator", chances)
                await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=first, priority=1)
                if prefix != AWAY:
                    await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=second, priority=2)
            await prices.set_costs(transaction, second, [(DEAR, money.parse("0.021"))])
        await made.settled()
        await failing_over(made)
        yield made


@pytest.fixture(scope="module")
async def account(server: Server) -> Account:
    return await server.account(balance="100")


async def failing_over(server: Server) -> None:
    """Returns when the link has heard of the routes: it hears of them apart from the api."""
    account = await server.account(balance="100")

    async def probe() -> MessageState:
        ids = await sent(server, account, PROBE, 1)
        row = await until(
            lambda: server.query_row(STATE, *ids),
            lambda row: row["state"] not in (MessageState.QUEUED, MessageState.SENT),
        )
        return MessageState(row["state"])

    await until(probe, lambda state: state is MessageState.DELIVERED)


async def sent(server: Server, account: Account, prefix: str, count: int, traffic: str = "T") -> list[int]:
    ids = []
    for n in range(count):
        reply = await server.client.lia(
            account,
            "SendSMS",
            sms_type=traffic,
            encoding="T",
            sender_id=account.sender,
            phonenumber=f"{prefix}{time.time_ns() % 100_000:05d}{n % 10}9",
            textmessage="your code is 1234",
        )
        assert reply.json["status"] == "S", reply
        ids.append(int(reply.json["message_id"]))
    return ids


async def become(server: Server, ids: Sequence[int], state: MessageState, within_s: float = WAIT_S) -> None:
    """Until all of the messages are in the state."""
    states = "SELECT DISTINCT state FROM message WHERE message_id = ANY($1)"
    await until(
        lambda: server.query(states, ids), lambda rows: [row["state"] for row in rows] == [state], within_s=within_s
    )


async def attempts(server: Server, message_id: int) -> list[tuple[str, Outcome]]:
    rows = await server.query(
        "SELECT c.name, a.outcome FROM attempt AS a JOIN carrier AS c USING (carrier_id) WHERE message_id = $1"
        " ORDER BY attempt",
        message_id,
    )
    return [(row["name"].partition("-")[0], Outcome(row["outcome"])) for row in rows]


@pytest.mark.parametrize(
    ("prefix", "first"), [("95101", Outcome.REFUSED), ("95102", Outcome.DEFERRED), ("95103", Outcome.UNKNOWN)]
)
async def test_what_the_first_carrier_does_not_carry_goes_by_the_second_and_both_attempts_are_told(
    server: Server, account: Account, prefix: str, first: Outcome
) -> None:
    ids = await sent(server, account, prefix, 5)
    await become(server, ids, MessageState.DELIVERED)
    for message_id in ids:
        assert await attempts(server, message_id) == [("first", first), ("second", Outcome.ACCEPTED)]
        row = await server.query_row(
            "SELECT c.name FROM message JOIN carrier AS c USING (carrier_id) WHERE message_id = $1", message_id
        )
        assert row["name"] == "second"


async def test_a_code_whose_answer_was_lost_waits_before_it_goes_again(server: Server, account: Account) -> None:
    (message_id,) = await sent(server, account, "95103", 1)
    await become(server, [message_id], MessageState.DELIVERED)
    first, second = await server.query(
        "SELECT started_at, answered_at FROM attempt WHERE message_id = $1 ORDER BY attempt", message_id
    )
    assert (second["started_at"] - first["answered_at"]).total_seconds() >= UNKNOWN_RETRY_S * 0.95


async def test_a_campaigns_message_whose_answer_was_lost_never_goes_again_and_says_unknown(
    server: Server, account: Account
) -> None:
    ids = await sent(server, account, "95105", 5, traffic="P")
    await become(server, ids, MessageState.UNKNOWN)
    await asyncio.sleep(UNKNOWN_RETRY_S + 1)
    for message_id in ids:
        assert await attempts(server, message_id) == [("first", Outcome.UNKNOWN)]


async def test_a_carrier_that_asks_more_than_the_customer_pays_is_not_the_way_out(
    server: Server, account: Account
) -> None:
    before = await server.holdings(account)
    ids = await sent(server, account, DEAR, 3)
    await become(server, ids, MessageState.REJECTED)
    assert [await attempts(server, message_id) for message_id in ids] == [[("first", Outcome.REFUSED)]] * 3
    assert (await server.holdings(account))[1:] == before[1:], "what was refused was given back"


async def test_messages_of_a_carrier_that_is_down_go_by_another_as_soon_as_a_route_has_one(
    server: Server, account: Account
) -> None:
    codes = await sent(server, account, AWAY, 3)
    campaign = await sent(server, account, AWAY, 3, traffic="P")
    await become(server, await sent(server, account, PROBE, 1), MessageState.DELIVERED)
    assert {
        row["state"] for row in await server.query("SELECT state FROM message WHERE message_id = ANY($1)", codes)
    } == {MessageState.QUEUED}, "nobody else takes them yet, and nothing was tried in vain"
    second = await carriers.find_carrier(server.database, "second")
    async with server.database.transaction() as transaction:
        await routes.set_route(transaction, RouteScope(prefix=AWAY), carrier_id=second.carrier_id, priority=2)
    await become(server, codes + campaign, MessageState.DELIVERED)
    for message_id in codes + campaign:
        assert await attempts(server, message_id) == [("first", Outcome.DEFERRED), ("second", Outcome.ACCEPTED)]
    await server.settled()
    (after,) = await sent(server, account, AWAY, 1)
    await become(server, [after], MessageState.DELIVERED, 1.0)
    assert await attempts(server, after) == [("second", Outcome.ACCEPTED)], "new ones are routed around it at once"


async def test_the_money_of_all_that_adds_up(server: Server) -> None:
    await all_adds_up(server.database)
