"""Hot statements find their rows by key, whatever the planner believes of the tables' sizes when it plans them."""

import re

import asyncpg
import pytest

import server as serving
from homing.store import queries
from homing.store.database import INDEX_PLANS
from homing.store.migrate import migrate

KEYED = {
    "messages_move": ("message", {"account_id", "message_id"}),
    "messages_by_id": ("message", {"account_id", "message_id"}),
    "conversions_record": ("message", {"account_id", "message_id"}, {"number"}),
    "message_latest_to_number": ("message", {"number"}),
    "message_by_reference": ("message", {"reference"}),
    "message_by_carrier_ref": ("attempt", {"carrier_ref"}),
    "queue_claim": ("message", {"account_id", "message_id"}),
    "queue_await": ("queue", {"lane", "message_id"}),
    "queue_leave": ("queue", {"lane", "message_id"}),
    "queue_defer": ("queue", {"lane", "message_id"}),
    "receipts_match": ("attempt", {"carrier_ref"}),
    "receipts_match_parts": ("part", {"carrier_ref"}),
    "attempts_unanswered": ("attempt", {"carrier_id"}),
    "attempts_name": ("attempt", {"account_id", "message_id"}),
    "parts_lock": ("message", {"account_id", "message_id"}),
    "parts_move": ("part", {"account_id", "message_id"}),
    "parts_of": ("part", {"account_id", "message_id"}),
    "parts_delivered": ("part", {"account_id", "message_id"}),
    "queue_await_parts": ("queue", {"lane", "message_id"}),
    "queue_expired": ("message", {"account_id", "message_id"}),
    "parked_claim": ("parked_receipt", {"parked_id"}),
    "parked_leave": ("parked_receipt", {"parked_id"}),
    "pushes_claim": ("push", {"account_id", "push_id"}),
    "pushes_record": ("push", {"account_id", "push_id"}),
    "deliveries_claim": ("push", {"account_id", "push_id"}),
    "queue_withdraw": ("queue", {"lane", "message_id"}),
    "binds_release": ("bind", {"account_id", "bind_id"}),
    "long_members": ("long_part", {"account_id", "number", "sender", "reference", "total"}),
    "long_end": ("long_part", {"account_id", "part_id"}),
    "purses": ("balance", {"account_id"}),
    "attempts_add": ("message", {"account_id", "message_id"}),
    "messages_reroute": ("message", {"account_id", "message_id"}),
    "carrier_errors": ("attempt", {"carrier_id"}),
    "guard_decisions_page_of": ("guard_decision", {"account_id"}),
    "stat_cells_find": (
        "stat_cell",
        {"account_id", "app_id", "country", "network", "prefix", "carrier_id", "sender"},
    ),
}
"""Each statement, the table that grows without bound, and the columns by which its rows must be found, or those of
another look into it.
"""
ALL_IDS = "0, 9223372036854775807"
ARGUMENTS = {
    "receipts_match": f"NULL, NULL, {ALL_IDS}, 1, 1",
    "receipts_match_parts": f"NULL, NULL, {ALL_IDS}, 1, 1",
    "attempts_unanswered": f"NULL, NULL, {ALL_IDS}, NULL, 1",
}
"""Of statements that name a span of ids: one that leaves no partition out."""

FEW = """
INSERT INTO account (name, queries_per_s) VALUES ('few', 1);
INSERT INTO balance (account_id) VALUES (1);
INSERT INTO message (account_id, message_id, submission_id, door, app_id, request_id, number, country, mcc, mnc, sender,
    text, encoding, segments, traffic, price_micro, charge_micro, gift_micro, route_id, carrier_id, expires_at)
SELECT 1, first.id + n, 1, 1, '', '', n::text, '', '', '', '', '', 0, 1, 0, 0, 0, 0, 1, 1, now()
FROM (SELECT ((extract(epoch FROM now()) * 1000)::bigint - 1735689600000) << 12 AS id) AS first
CROSS JOIN generate_series(1, 2) AS n;
INSERT INTO queue (lane, message_id, account_id, due_at, expires_at)
SELECT 2, message_id, account_id, now(), now() FROM message;
INSERT INTO attempt (account_id, message_id, attempt, carrier_id, started_at, answered_at, outcome, carrier_ref)
SELECT account_id, message_id, 1, 1, now(), now(), 1, message_id::text FROM message;
INSERT INTO part (account_id, message_id, attempt, part, carrier_id, carrier_ref)
SELECT account_id, message_id, 1, n, 1, message_id::text || n FROM message CROSS JOIN generate_series(1, 2) AS n;
INSERT INTO parked_receipt (carrier_id, carrier_ref, received_at, state, raw)
SELECT 1, message_id::text, now(), 3, '' FROM message;
INSERT INTO push (account_id, lane, message_id, kind, url, body, created_at, due_at)
SELECT account_id, 1, message_id, 1, '', '', now(), now() FROM message;
INSERT INTO stat_cell (account_id, app_id, country, network, prefix, carrier_id, sender)
SELECT account_id, '', '', '', number, 1, '' FROM message;
INSERT INTO bind (account_id, bind_id, owner, kind, system_id, address)
SELECT account_id, message_id, '', 1, '', '' FROM message;
INSERT INTO long_part (account_id, part_id, number, sender, reference, total, part, content, form, due_at)
SELECT account_id, message_id, number, '', 1, 2, 1, '', '', now() FROM message;
ANALYZE;
"""


@pytest.fixture(scope="module")
async def connections(postgres: str, worker: str) -> dict[str, asyncpg.Connection]:
    """Sessions with the data plane's settings on an empty database and on one with two rows a table, analysed."""
    found = {}
    for state in ("empty", "few"):
        dsn = await serving.new_database(postgres, f"plans_{state}_{worker}")
        await migrate(dsn)
        connection = await asyncpg.connect(dsn, server_settings=dict(INDEX_PLANS))
        if state == "few":
            await connection.execute(FEW)
        found[state] = connection
    return found


@pytest.mark.parametrize("state", ["empty", "few"])
@pytest.mark.parametrize("name", sorted(KEYED))
async def test_a_hot_statement_finds_its_rows_by_their_whole_key(
    connections: dict[str, asyncpg.Connection], name: str, state: str
) -> None:
    table, *keys = KEYED[name]
    connection, statement = connections[state], queries.load()[name]
    values = ARGUMENTS.get(name) or ", ".join(
        "0" if parameter.name in ("int4", "int8") else "NULL"
        for parameter in (await connection.prepare(statement)).get_parameters()
    )
    await connection.execute(f"PREPARE kept AS {statement}")
    plan = [row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE kept ({values})")]
    await connection.execute("DEALLOCATE kept")
    assert not [line for line in plan if f"Seq Scan on {table}" in line], "\n".join(plan)
    scans = [
        (line, plan[at + 1])
        for at, line in enumerate(plan)
        if re.search(rf"Index (Only )?Scan.* on {table}(_\d{{8}})?\b", line)
        and not re.search(r"\b(later|earlier)", line)
    ]
    assert scans, "\n".join(plan)
    beside = [at for at, line in enumerate(plan) if re.search(r"Scan.* on push (later|earlier)", line)]
    assert all("Index Cond: (message_id = " in plan[at + 1] for at in beside), "\n".join(plan)
    for line, condition in scans:
        if "due_at <=" in condition:
            continue  # the claim itself walks the lane in order of time
        columns = set(re.findall(r"\((?:ltrim\(lower\()?(?:\w+\.)?(\w+)(?:\), '0x'::text\))? = ", condition))
        assert any(key <= columns for key in keys), f"{line}\n{condition}"
