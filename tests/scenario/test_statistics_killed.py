"""`kill -9` of the link process that adds up, in the middle of a round: its successor counts everything once."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.support.proofs import all_adds_up
from tests.support.server import Account, Process, Server, migrated_database, running
from tests.support.waiting import until

MESSAGES = 60

TAKING = ("LOCK TABLE stat_pending IN SHARE MODE", "INSERT INTO stat_pending")
SETTLING = ("SELECT FROM stat WHERE grain = 1440 FOR UPDATE", "DELETE FROM stat_pending")
"""What holds a round up after it has deleted its rows and before its commit, and how its statement is known. Minutes
and hours are written before days.
"""


@pytest.fixture
async def server(postgres: str, room: Path, worker: str, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    name = f"statistics_killed_{request.node.callspec.id}_{worker}"
    data = room / name
    data.mkdir()
    async with running(await migrated_database(postgres, name), data) as made:
        yield made


async def send(server: Server, account: Account) -> None:
    """Messages that are delivered at once."""
    numbers = ",".join(f"9181{n:04d}0001" for n in range(MESSAGES))
    reply = await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": numbers, "content": "x"}
    )
    assert reply.json["success"] == str(MESSAGES)


async def until_so(server: Server, sql: str) -> None:
    await until(lambda: server.query_row(f"SELECT ({sql}) AS is_so"), lambda row: row["is_so"])


async def killed(server: Server) -> None:
    """The link of the moment."""
    (link,) = [one for one in server.processes if one.name.startswith("link")]
    os.kill(link.process.pid, signal.SIGKILL)
    await link.process.wait()
    server.processes.remove(link)


async def started(server: Server, name: str) -> Process:
    return await server.start("link", name)


NOTHING_TO_TAKE = "NOT EXISTS (SELECT FROM stat_delta)"
NOTHING_TO_SETTLE = "NOT EXISTS (SELECT FROM stat_pending)"
ALL_IS_FINAL = "NOT EXISTS (SELECT FROM message WHERE final_at IS NULL)"


@pytest.mark.parametrize(("hold", "statement"), [TAKING, SETTLING], ids=["taking", "settling"])
async def test_a_link_that_is_killed_while_it_adds_up_has_counted_nothing_and_its_successor_all(
    server: Server, hold: str, statement: str
) -> None:
    account = await server.account(balance="1000")
    await send(server, account)
    await until_so(server, f"{ALL_IS_FINAL} AND {NOTHING_TO_TAKE}")
    await killed(server)
    await started(server, "link-2")
    await until_so(server, f"EXISTS (SELECT FROM stat) AND {NOTHING_TO_SETTLE}")  # who takes over settles at once

    holder = await asyncpg.connect(server.dsn)
    transaction = holder.transaction()
    try:
        if (hold, statement) == SETTLING:
            await send(server, account)
            await until_so(server, f"{ALL_IS_FINAL} AND {NOTHING_TO_TAKE} AND EXISTS (SELECT FROM stat_pending)")
            await killed(server)
            await transaction.start()
            await holder.execute(hold)
            await started(server, "link-3")
        else:
            await transaction.start()
            await holder.execute(hold)
            await send(server, account)
        await until_so(
            server,
            "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            f" AND query LIKE '%{statement}%')",
        )
        await killed(server)
        await all_adds_up(server.database)
        await started(server, "link-4")
        await transaction.rollback()
    finally:
        await holder.close()
    await until_so(server, f"{ALL_IS_FINAL} AND {NOTHING_TO_TAKE}")
    await send(server, account)
    await until_so(server, f"{ALL_IS_FINAL} AND {NOTHING_TO_TAKE}")
    await all_adds_up(server.database)
    for grain in (1, 60, 1440):
        row = await server.query_row(
            "SELECT sum(submitted) AS submitted, sum(sent) AS sent, sum(delivered) AS delivered FROM stat_now"
            " WHERE grain = $1 AND account_id = $2",
            grain,
            account.account_id,
        )
        assert tuple(row) == (3 * MESSAGES,) * 3
