"""`kill -9` in mid-traffic, of each process and of all: what was acknowledged is there once and goes its way."""

import asyncio
import json
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from homing import limits
from homing.admin import carriers, routes
from homing.dialects.v1.dialect import DEMO_KEY, DEMO_SECRET
from homing.dispatch.written_marks import HEAD_BYTES, SLOT, SUFFIX
from homing.model import Outcome
from homing.roles import MARKS, RUN
from homing.routing.rules import RouteScope
from homing.states import TABLE, MessageState
from tests.support.installation import CONNECTIONS, Installation, Traffic, eventually, is_gone, nothing_left
from tests.support.proofs import all_adds_up
from tests.support.server import Process, Server, migrated_database, running
from tests.support.sink import Box, Sink
from tests.support.waiting import in_time, stays, until

SILENT = "0005"
"""The simulator never reports such a number: it stays sent until its validity ends."""
DRAIN_S = 30.0
TAKEN_OVER_S = 20.0
"""Ten are promised and asserted in limits.py; here other tests want the same processors."""
IN_FLIGHT_MAX = CONNECTIONS * 3


@dataclass(kw_only=True)
class WatchedInstallation(Installation):
    """The demo account has a webhook endpoint for every event: `events`."""

    events: Box

    async def watch(self) -> None:
        headers = {"Authorization": f"Bearer hm_{DEMO_KEY}_{DEMO_SECRET}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.url}/v1/webhooks", json={"url": self.events.url}) as response,
        ):
            assert response.status == 201, await response.text()


@pytest.fixture(scope="module")
async def box(sink: Sink) -> Box:
    return sink.box()


@pytest.fixture(scope="module")
async def installation(room: Path, worker: str, box: Box, sink: Sink) -> AsyncIterator[WatchedInstallation]:
    """One data folder for all of these tests: each finds what the kill before it has left."""
    made = WatchedInstallation(room / f"restart-{worker}", events=sink.box())
    with nothing_left(made):
        await made.start()
        await made.enrich(box.url)
        await made.watch()
        yield made
        if made.is_running:
            assert await made.stop() == 0


@pytest.fixture
async def serving(installation: WatchedInstallation) -> WatchedInstallation:
    if not installation.is_running:
        await installation.start()
    return installation


async def all_is_well(installation: WatchedInstallation, traffic: Traffic, box: Box) -> None:
    """After traffic has ended and everything runs again: nothing lost, nothing invented, all of it finished."""
    async with installation.looked_into() as database, database.connection() as connection:
        rows = await connection.raw.fetch(
            "SELECT message_id, reference, number, state FROM message WHERE reference LIKE $1", f"{traffic.name}-%"
        )
        stored = {row["reference"]: row["message_id"] for row in rows}
        assert len(stored) == len(rows), "a message is there twice"
        missing = {order for order, message_id in traffic.accepted.items() if stored.get(order) != message_id}
        assert not missing, f"{len(missing)} of {len(traffic.accepted)} acknowledged messages are lost"
        invented = set(stored) - set(traffic.accepted)
        assert invented <= traffic.unknown, "there are messages that nobody was waiting for"

        owners = await connection.raw.fetch("SELECT DISTINCT claimed_by FROM queue WHERE claimed_by IS NOT NULL")
        dead = [owner for (owner,) in owners if is_gone(int(owner.split(":")[1]))]
        await connection.raw.execute("UPDATE queue SET due_at = now() WHERE claimed_by = ANY($1)", dead)
        await connection.raw.execute("UPDATE push SET due_at = now() WHERE due_at > now() AND attempts > 0")
        deadline_s = time.monotonic() + DRAIN_S
        while True:
            waiting = await connection.raw.fetch(
                "SELECT m.state, count(*) FROM queue JOIN message AS m USING (account_id, message_id)"
                " WHERE NOT (m.state = $1 AND m.number LIKE $2) GROUP BY m.state",
                MessageState.SENT,
                f"%{SILENT}",
            )
            pushes = await connection.raw.fetchval("SELECT count(*) FROM push WHERE due_at IS NOT NULL")
            if not waiting and not pushes:
                break
            assert time.monotonic() < deadline_s, f"the queue does not drain: {waiting}, {pushes} pushes"
            await asyncio.sleep(0.1)
        ended = await connection.raw.fetch(
            "SELECT message_id, number, state FROM message WHERE reference LIKE $1", f"{traffic.name}-%"
        )
        await all_adds_up(database)
    final = set()
    for row in ended:
        if row["number"].endswith(SILENT):
            assert row["state"] == MessageState.SENT
        else:
            assert TABLE[MessageState(row["state"])].final
            final.add(row["message_id"])
    told = {int(push.json["msgid"]) for push in box.pushes}
    assert final <= told, f"{len(final - told)} of {len(final)} messages were never reported to the customer"
    pushed = [push.json for push in installation.events.pushes]
    ends = {int(event["data"]["id"]) for event in pushed if event["type"] in ("message.delivered", "message.failed")}
    assert final <= ends, f"{len(final - ends)} of {len(final)} messages' ends were never pushed as events"
    bodies = defaultdict(set)
    for event in pushed:
        bodies[event["id"]].add(json.dumps(event))
    assert all(len(different) == 1 for different in bodies.values()), "an event that comes again is the same"


@pytest.mark.parametrize("role", ["api", "link", "smpp"])
async def test_a_killed_process_is_started_anew_and_nothing_is_lost(
    serving: WatchedInstallation, box: Box, role: str
) -> None:
    victim = serving.roles(role)[0]
    async with Traffic(serving.url, f"kill-{role}") as traffic:
        await traffic.until(300)
        await serving.killed(victim)
        await traffic.until(300)
    await eventually(lambda: len(serving.roles()) == serving.workers + 3, 30, "the dead process has a successor")
    assert victim not in serving.roles(role)
    if role != "api":
        assert not traffic.unknown, "the customers noticed that a process which they do not talk to had died"
    assert len(traffic.unknown) <= 2 * IN_FLIGHT_MAX
    await all_is_well(serving, traffic, box)


async def test_when_the_parent_is_killed_the_next_start_finds_all_and_the_orphans_end(
    serving: WatchedInstallation, box: Box
) -> None:
    orphans, servers = serving.roles(), serving.servers()
    assert len(orphans) == serving.workers + 3, "beside the link, the SMPP server and the console"
    assert servers
    async with Traffic(serving.url, "kill-parent", pause_s=0.002) as traffic:
        await traffic.until(300)
        await serving.killed(serving.pid)
        await serving.start()
        await traffic.until(100)
    await eventually(
        lambda: all(map(is_gone, orphans)), 2 * limits.DRAIN_TIMEOUT_S, "the processes of a killed parent end"
    )
    # PostgreSQL goes on where the new start came before the last of them ended, and is a new one where it did not.
    assert all(map(is_gone, servers)) or serving.servers() == servers
    await all_is_well(serving, traffic, box)


async def test_when_all_is_killed_the_next_start_needs_no_help(serving: WatchedInstallation, box: Box) -> None:
    async with Traffic(serving.url, "kill-all", pause_s=0.002) as traffic:
        await traffic.until(300)
        await serving.killed(serving.postmaster(), *serving.servers(), *serving.roles(), serving.pid)
    assert len(traffic.unknown) > 0
    await serving.start()
    await all_is_well(serving, traffic, box)


async def test_sigterm_under_load_finishes_what_is_under_way_and_leaves_nothing_behind(
    serving: WatchedInstallation, box: Box
) -> None:
    children, servers = serving.roles(), serving.servers()
    async with Traffic(serving.url, "sigterm", pause_s=0.002) as traffic:
        await traffic.until(300)
        started_s = time.monotonic()
        code = await serving.stop()
        took_s = time.monotonic() - started_s
    assert code == 0, serving.log.read_text()[-3000:]
    assert took_s < limits.DRAIN_TIMEOUT_S
    assert all(map(is_gone, children + servers))
    assert not serving.servers()
    claimed = await serving.query("SELECT count(*) FROM queue WHERE claimed_by IS NOT NULL AND due_at > now()")
    assert claimed[0][0] == 0, "a stop that drains leaves nobody's lease to wait for"
    await serving.start()
    await all_is_well(serving, traffic, box)


async def test_sigterm_while_a_dead_process_is_being_replaced_is_a_good_end_too(serving: WatchedInstallation) -> None:
    await serving.killed(serving.roles("api")[0])
    await asyncio.sleep(limits.PROCESS_RESTART_PAUSE_S + 0.2)
    assert await serving.stop() == 0, serving.log.read_text()[-2000:]
    assert not serving.servers()


async def test_a_second_serve_on_the_same_data_says_so_and_stops(serving: WatchedInstallation) -> None:
    second = await serving.command("serve", "--http", "127.0.0.1:0")
    async with in_time():
        _, said = await second.communicate()
    assert second.returncode not in (0, None)
    assert "already serves" in said.decode()
    assert str(serving.pid) in said.decode()
    assert "Traceback" not in said.decode()
    assert await serving.health() == 200


async def test_the_command_line_proves_the_ledger_beside_a_running_server(serving: WatchedInstallation) -> None:
    proving = await serving.command("ledger", "prove", "--json")
    async with in_time():
        said, errors = await proving.communicate()
    assert proving.returncode == 0, errors.decode()
    assert json.loads(said)["holds"] is True
    assert await serving.health() == 200


# --- leases ----------------------------------------------------------------------------------------------

SLOW = "95999"
"""Numbers whose carrier takes its time to answer a submit."""
LATE = "95888"
"""Numbers whose carrier takes its time to report."""
STUCK = "95777"
"""Numbers whose carrier takes longer to answer than a lease on a carrier lasts."""
CARRIERS = {
    STUCK: {
        "submit_ms": 1_500 + 1_000 * limits.CARRIER_LEASE_S,
        "receipt_ms_mean": 0,
        "undeliverable": 0,
        "expired": 0,
    },
    SLOW: {"submit_ms": 1_500, "receipt_ms_mean": 0},
    LATE: {"submit_ms": 0, "receipt_ms_mean": 700, "undeliverable": 0, "expired": 0},
}


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    """A server of our own, whose processes we may kill, with carriers that take their time."""
    data = room / f"leases-{worker}"
    data.mkdir()
    async with running(await migrated_database(postgres, f"leases_{worker}"), data) as made:
        async with made.database.transaction() as transaction:
            for prefix, settings in CARRIERS.items():
                carrier_id = await carriers.add_carrier(transaction, f"to-{prefix}", "simulator", json.dumps(settings))
                await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=carrier_id)
        await made.settled()
        yield made


async def sent_to(server: Server, prefix: str, count: int, tail: str = "0001") -> list[int]:
    account = await server.account(balance="1000")
    ids = []
    for first in range(0, count, 500):
        numbers = ",".join(f"{prefix}{n:04d}{tail}" for n in range(first, min(count, first + 500)))
        reply = await server.client.laaffic(
            account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": numbers, "content": "x"}
        )
        assert reply.json["status"] == "0", reply.json
        ids += [int(sent["msgId"]) for sent in reply.json["array"]]
    return ids


async def queued(server: Server, ids: list[int]) -> Counter[tuple[str | None, int]]:
    """How many rows each owner has claimed, and how often."""
    rows = await server.query("SELECT claimed_by, attempts FROM queue WHERE message_id = ANY($1)", ids)
    return Counter((row["claimed_by"], row["attempts"]) for row in rows)


async def until_claimed(server: Server, ids: list[int], attempts: int) -> set[str | None]:
    """The owners, once every message has been claimed so often."""
    found = await until(
        lambda: queued(server, ids),
        lambda found: sum(found.values()) == len(ids) and all(tries == attempts for _owner, tries in found),
        within_s=TAKEN_OVER_S,
    )
    return {owner for owner, _tries in found}


async def until_marked(server: Server, owner: str, ids: list[int]) -> None:
    """Until the process may have written all the messages to their carrier: a claim alone has submitted nothing."""
    marks = server.data / RUN / MARKS / f"{quote(owner, safe='')}{SUFFIX}"
    await until(
        lambda: asyncio.to_thread(marks.read_bytes),
        lambda content: set(ids) <= {slot for (slot,) in SLOT.iter_unpack(content[HEAD_BYTES:])},
    )


async def until_delivered(server: Server, ids: list[int]) -> None:
    counted = "SELECT count(*) FROM message WHERE message_id = ANY($1) AND state = $2"
    await until(lambda: server.query_row(counted, ids, MessageState.DELIVERED), lambda row: row["count"] == len(ids))


async def attempts_of(server: Server, ids: list[int]) -> Counter[int]:
    """How many submits the messages took, by how many messages took so many."""
    rows = await server.query("SELECT count(*) FROM attempt WHERE message_id = ANY($1) GROUP BY message_id", ids)
    return Counter(row["count"] for row in rows)


async def owner_of(server: Server, carrier: str) -> str | None:
    """The process that owns a carrier's sessions now."""
    rows = await server.query(
        "SELECT owner FROM carrier_session JOIN carrier USING (carrier_id) WHERE name = $1 AND leased_until > now()",
        carrier,
    )
    return str(rows[0]["owner"]) if rows else None


async def until_owned(server: Server, carrier: str, *, by_other_than: str | None) -> str:
    """The new owner; a dead one's carriers are taken over soon."""
    owner = await until(
        lambda: owner_of(server, carrier),
        lambda owner: owner is not None and owner != by_other_than,
        within_s=TAKEN_OVER_S,
    )
    assert owner is not None
    return owner


def process_of(server: Server, owner: str) -> Process:
    return next(one for one in server.processes if one.process.pid == int(owner.split(":")[1]))


async def test_a_dead_links_carriers_and_claims_have_a_new_owner_within_ten_seconds(server: Server) -> None:
    await server.start("link", "link-2")
    ids = await sent_to(server, SLOW, 40)
    (dead,) = await until_claimed(server, ids, attempts=1)
    assert dead is not None
    await until_marked(server, dead, ids)
    victim = process_of(server, dead)
    os.kill(victim.process.pid, signal.SIGKILL)
    await victim.process.wait()
    server.processes.remove(victim)
    (living,) = await until_claimed(server, ids, attempts=2)
    assert living == await owner_of(server, f"to-{SLOW}") != dead
    await until_delivered(server, ids)
    outcomes = await server.query(
        "SELECT attempt, outcome, count(*) FROM attempt WHERE message_id = ANY($1) GROUP BY 1, 2 ORDER BY 1", ids
    )
    assert [tuple(row) for row in outcomes] == [(1, Outcome.UNKNOWN, 40), (2, Outcome.ACCEPTED, 40)]
    await all_adds_up(server.database)


async def test_a_link_that_stands_still_loses_its_carriers_and_lets_go_of_them_when_it_wakes(server: Server) -> None:
    await server.start("link", "link-5")
    still = await until_owned(server, f"to-{LATE}", by_other_than=None)
    sleeper = process_of(server, still)
    os.kill(sleeper.process.pid, signal.SIGSTOP)
    try:
        successor = await until_owned(server, f"to-{LATE}", by_other_than=still)
        ids = await sent_to(server, LATE, 40)
        await until_delivered(server, ids)
    finally:
        os.kill(sleeper.process.pid, signal.SIGCONT)
    more = await sent_to(server, LATE, 40)
    await until_delivered(server, more)
    assert await attempts_of(server, ids + more) == {1: 80}
    assert await owner_of(server, f"to-{LATE}") == successor
    assert await sleeper.stop() == 0
    server.processes.remove(sleeper)


async def test_a_carrier_that_closes_slowly_costs_no_lease_and_no_message(server: Server) -> None:
    for other in [one for one in server.processes if one.name.startswith("link")][1:]:
        assert await other.stop() == 0
        server.processes.remove(other)
    before = [await until_owned(server, f"to-{prefix}", by_other_than=None) for prefix in (LATE, STUCK)]
    ids = await sent_to(server, STUCK, 5)
    await until_claimed(server, ids, attempts=1)
    row = await carriers.find_carrier(server.database, f"to-{STUCK}")
    async with server.database.transaction() as transaction:
        await carriers.change_carrier(transaction, row, {"seed": 99}, server.vault)

    async def owners() -> list[str | None]:
        return [await owner_of(server, f"to-{prefix}") for prefix in (LATE, STUCK)]

    await stays(owners, before, for_s=limits.CARRIER_LEASE_S)
    await until_delivered(server, ids)
    assert await attempts_of(server, ids) == {1: 5}


async def test_two_living_links_share_the_work_and_submit_each_message_once(server: Server) -> None:
    third = await server.start("link", "link-3")
    slow = await sent_to(server, SLOW, 600)
    quick = await sent_to(server, "861380", 1_500)
    await until_delivered(server, slow + quick)
    assert await attempts_of(server, slow + quick) == {1: 2_100}
    assert third.process.returncode is None


async def test_receipts_that_dead_links_were_waiting_for_are_heard_by_their_successor(server: Server) -> None:
    ids = await sent_to(server, LATE, 80, tail="9999")
    counts = (
        "SELECT count(*) FILTER (WHERE state < $2) AS early, count(*) FILTER (WHERE state = $2) AS sent FROM message"
    )
    row = await until(
        lambda: server.query_row(f"{counts} WHERE message_id = ANY($1)", ids, MessageState.SENT),
        lambda row: row["early"] == 0,
    )
    for dead in [one for one in server.processes if one.name.startswith("link")]:
        os.kill(dead.process.pid, signal.SIGKILL)
        await dead.process.wait()
        server.processes.remove(dead)
    assert row["sent"] > 10
    await server.start("link", "link-4")
    await until_delivered(server, ids)
    assert await attempts_of(server, ids) == {1: 80}
