"""Hot statements find their rows by key, whatever the planner believes of the tables' sizes when it plans them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from homing.store.database import FREE_PLANS, INDEX_PLANS
from homing.store.migrate import migrate
from tests.support import server as serving
from tests.support.statements import definition_of, in_order

KEYED: dict[str, tuple[str, *tuple[set[str], ...]]] = {
    "messages_move": ("message", {"account_id", "message_id"}),
    "messages_by_id": ("message", {"account_id", "message_id"}),
    "conversions_record": ("message", {"account_id", "message_id"}, {"number"}),
    "message_latest_to_number": ("message", {"number"}),
    "learn_repeats": ("message", {"number"}),
    "message_by_reference": ("message", {"reference"}),
    "message_by_carrier_ref": ("attempt", {"carrier_ref"}),
    "queue_claim": ("message", {"account_id", "message_id"}),
    "queue_await": ("queue", {"lane", "message_id"}),
    "queue_remove": ("queue", {"lane", "message_id"}),
    "queue_defer": ("queue", {"lane", "message_id"}),
    "receipts_match": ("attempt", {"carrier_ref"}),
    "receipts_match_parts": ("part", {"carrier_ref"}),
    "attempts_unanswered": ("attempt", {"carrier_id"}),
    "attempts_set_reference": ("attempt", {"account_id", "message_id"}),
    "parts_lock": ("message", {"account_id", "message_id"}),
    "parts_move": ("part", {"account_id", "message_id"}),
    "parts_of": ("part", {"account_id", "message_id"}),
    "parts_delivered": ("part", {"account_id", "message_id"}),
    "queue_await_parts": ("queue", {"lane", "message_id"}),
    "queue_expired": ("message", {"account_id", "message_id"}),
    "parked_claim": ("parked_receipt", {"parked_id"}),
    "parked_remove": ("parked_receipt", {"parked_id"}),
    "pushes_claim": ("push", {"account_id", "push_id"}),
    "pushes_record": ("push", {"account_id", "push_id"}),
    "webhook_deliveries": ("push", {"account_id", "webhook_id"}),
    "webhook_replay": ("push", {"account_id", "push_id"}, {"account_id", "event_id"}),
    "events_latest": ("event", {"account_id"}),
    "events_earliest": ("event", {"account_id"}),
    "events_of_message": ("event", {"message_id"}),
    "events_of_verification": ("event", {"verification_id"}),
    "event_first_at": ("event", {"account_id"}),
    "verifications_by_id": ("verification", {"account_id", "verification_id"}),
    "deliveries_claim": ("push", {"account_id", "push_id"}),
    "queue_cancel": ("queue", {"lane", "message_id"}),
    "binds_release": ("bind", {"account_id", "bind_id"}),
    "part_set_members": ("submitted_part", {"account_id", "number", "sender", "reference", "total"}),
    "submitted_parts_end": ("submitted_part", {"account_id", "part_id"}),
    "balances_of": ("balance", {"account_id"}),
    "postings_page": ("posting", {"account_id"}),
    "inbound_before": ("inbound", {"account_id"}),
    "answered_call_find": ("answered_call", {"account_id", "scope", "key"}),
    "attempts_add": ("message", {"account_id", "message_id"}),
    "messages_reroute": ("message", {"account_id", "message_id"}),
    "carrier_errors": ("attempt", {"carrier_id"}),
    "verifications_cancel_earlier": ("verification", {"number"}, {"verification_id"}),
    "guard_decisions_page_of": ("guard_decision", {"account_id"}),
    "verifications_check": ("verification", {"account_id", "verification_id"}, {"verification_id"}),
    "verifications_open": ("verification", {"account_id", "verification_id"}, {"verification_id"}),
    "verifications_resent": ("verification", {"account_id", "verification_id"}, {"verification_id"}),
    "verifications_hasten": ("verification", {"account_id", "verification_id"}, {"verification_id"}),
    "verification_find": ("verification", {"account_id", "verification_id"}),
    "verification_of_message": ("verification", {"account_id", "verification_id"}),
    "verification_by_reference": ("verification", {"reference"}),
    "limits_lock": ("limit_use", {"account_id", "scope", "key"}),
    "submit_on_terms": ("limit_use", {"account_id", "scope", "key"}),
    "submit_on_terms codes": ("verification", {"account_id", "app_id", "number"}, {"account_id", "verification_id"}),
    "answered_calls_remove": ("answered_call", {"account_id", "scope", "key"}),
    "stat_cells_find": (
        "stat_cell",
        {"account_id", "app_id", "country", "network", "prefix", "carrier_id", "sender"},
    ),
}
"""Each statement, the table that grows without bound (with a word behind the name where there is a second one), and the
columns by which its rows must be found, or those of another look into it.
"""
REFERENCE_KEY = re.compile(r"ltrim\(btrim\(lower\((\w+)\), '.*?'::text\), '0x'::text\)", re.DOTALL)
"""What PostgreSQL makes of `reference_key(column)`, over several lines: a line feed is among what is trimmed."""
ALL_IDS = {"first_id": 0, "beyond_id": 9223372036854775807}
ARGUMENTS: Mapping[str, Mapping[str, int]] = {
    "receipts_match": {**ALL_IDS, "looked_max": 1, "candidates_max": 1},
    "receipts_match_parts": {**ALL_IDS, "looked_max": 1, "candidates_max": 1},
    "attempts_unanswered": {**ALL_IDS, "rows_max": 1},
}
"""Of statements that name a span of ids: one that leaves no partition out."""

FEW = """
INSERT INTO account (name, queries_per_s) VALUES ('few', 1);
INSERT INTO balance (account_id) VALUES (1);
INSERT INTO message (account_id, message_id, submission_id, dialect, app_id, request_id, number, country, mcc, mnc,
    sender, text, encoding, segments, traffic, price_micro, charge_micro, gift_micro, route_id, carrier_id, expires_at)
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
INSERT INTO submitted_part (account_id, part_id, number, sender, reference, total, part, content, request, due_at)
SELECT account_id, message_id, number, '', 1, 2, 1, '', '', now() FROM message;
INSERT INTO verification (account_id, verification_id, dialect, app_id, number, raw_number, reference, sender, text,
    code_hash, attempts_max, latest_id, created_at, expires_at)
SELECT account_id, message_id, 1, '', number, '', message_id::text, '', '', '', 5, message_id, now(), now()
FROM message;
INSERT INTO verification_message SELECT account_id, verification_id + 1, verification_id, '' FROM verification;
INSERT INTO limit_use SELECT account_id, 1, number, '[]', now() FROM message;
INSERT INTO answered_call SELECT account_id, '', number, '', '', now() FROM message;
ANALYZE;
"""


@pytest.fixture(scope="module")
async def connections(postgres: str, worker: str) -> dict[str, asyncpg.Connection]:
    """Sessions with the data plane's settings on an empty database and on one with two rows a table, analysed."""
    found = {}
    for state in ("empty", "few"):
        dsn = await serving.migrated_database(postgres, f"plans_{state}_{worker}")
        await migrate(dsn)
        connection = await asyncpg.connect(dsn, server_settings=dict(INDEX_PLANS))
        if state == "few":
            await connection.execute(FEW)
        found[state] = connection
    return found


def _condition(lines: Sequence[str]) -> str:
    return REFERENCE_KEY.sub(r"\1", "\n".join(lines)) if "btrim(" in lines[0] else lines[0]


@pytest.mark.parametrize("state", ["empty", "few"])
@pytest.mark.parametrize("name", sorted(KEYED))
async def test_a_hot_statement_finds_its_rows_by_their_whole_key(
    connections: dict[str, asyncpg.Connection], name: str, state: str
) -> None:
    table, *keys = KEYED[name]
    connection, statement = connections[state], definition_of(name.partition(" ")[0]).text
    if name in ARGUMENTS:
        values = ", ".join("NULL" if value is None else str(value) for value in in_order(name, ARGUMENTS[name]))
    else:
        values = ", ".join(
            "0" if parameter.name in ("int4", "int8") else "NULL"
            for parameter in (await connection.prepare(statement)).get_parameters()
        )
    await connection.execute(f"PREPARE kept AS {statement}")
    plan = [row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE kept ({values})")]
    await connection.execute("DEALLOCATE kept")
    assert not [line for line in plan if f"Seq Scan on {table}" in line], "\n".join(plan)
    scans = [
        (line, _condition(plan[at + 1 : at + 4]))
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
        columns = set(re.findall(r"\((?:\w+\.)?(\w+) = ", condition))
        assert any(key <= columns for key in keys), f"{line}\n{condition}"


# --- statistics, learning and guard, at the size of a busy year -----------------------------------------------------

NOW = datetime.now(UTC)
MINUTE = int(NOW.timestamp()) // 60
CELLS, VERDICTS, DECISIONS, CHOICES, SHARES = 40_000, 60_000, 120_000, 40_000, 4_000
REASON = '{"code":"guard.burst","values":{"messages":9,"limit":8}}'

MANY = f"""
INSERT INTO stat_cell (account_id, app_id, country, network, prefix, carrier_id, sender)
SELECT n % 50 + 1, 'app' || n % 50, 'ID', '51010', (600000 + n)::text, 1, 'S' FROM generate_series(1, {CELLS}) AS n;
INSERT INTO stat (grain, period, account_id, cell_id, submitted, sent, delivered, undelivered, converted, refused,
    cost_micro, revenue_micro)
SELECT g.grain, {MINUTE} / g.grain - n / 2000, c.account_id, c.cell_id, 1, 1, 1, 0, 0, 0, 1, 1
FROM generate_series(1, {CELLS}) AS n
JOIN stat_cell AS c ON c.cell_id = n
CROSS JOIN (VALUES (1::smallint), (60::smallint), (1440::smallint)) AS g (grain);
INSERT INTO guard_verdict (account_id, app_id, country, network, digits, reason, may_block, since, until)
SELECT 1, 'app', 'ID', '51010', (6281000000 + n)::text, '{REASON}', true, now() - n * interval '2 minutes',
    now() - n * interval '2 minutes' + interval '2 hours'
FROM generate_series(1, {VERDICTS}) AS n;
UPDATE guard_verdict SET lifted_at = until WHERE verdict_id % 1000 = 0;
INSERT INTO guard_alert (account_id, url) VALUES (0, 'http://127.0.0.1/');
INSERT INTO guard_decision (account_id, at, message_id, app_id, number, country, network, action, rule, reason,
    reason_code, scope, charge_micro)
SELECT n % 50 + 1, now() - n * interval '1 minute', n, 'app', '6281', 'ID', '51010', 2, 'range', '{REASON}',
    CASE WHEN n % 50 = 0 THEN 'guard.flood' ELSE 'guard.burst' END, '', 1
FROM generate_series(1, {DECISIONS}) AS n;
INSERT INTO guard_address (message_id, account_id, app_id, network, address, prefix, number)
SELECT first_id_at(now() - n * interval '1 minute'), n % 50 + 1, 'app', '51010', n, n, n
FROM generate_series(1, {DECISIONS}) AS n;
INSERT INTO learn_choice (account_id, made_at, app_id, country, network, rule, reason, rests_on)
SELECT n % 50 + 1, now() - n * interval '1 minute', 'app', 'ID', (n % {SHARES})::text, '[]', '{REASON}', '{{}}'
FROM generate_series({CHOICES}, 1, -1) AS n;
INSERT INTO learn_shares (account_id, app_id, country, network, rule, version, carriers, weights, reason, made_at)
SELECT account_id, app_id, country, network, rule, version, '{{1}}', '{{10000}}', '{REASON}', made_at
FROM learn_choice WHERE version > {CHOICES - SHARES};
ANALYZE;
"""

NEW = ["628177777", "628177778"]
FOUND = {"account_id": [1, 1], "app_id": ["app", "app"], "network": ["51010", "51010"], "digits": NEW}
AT_SIZE: Mapping[str, tuple[Mapping[str, str], Mapping[str, Any], str]] = {
    "stat_cells_find": (
        INDEX_PLANS,
        {
            "account_id": [2, 3],
            "app_id": ["app1", "app2"],
            "country": ["ID"] * 2,
            "network": ["51010"] * 2,
            "prefix": ["600001", "600002"],
            "carrier_id": [1, 1],
            "sender": ["S", "S"],
        },
        "stat_cell",
    ),
    "stat_cells": (
        INDEX_PLANS,
        {"grain": 1, "first_period": MINUTE - 1, "beyond_period": MINUTE, "account_id": 1, "rows_max": 10_000},
        "stat_minute",
    ),
    "stat_forget": (INDEX_PLANS, {"grain": 60, "before_period": MINUTE // 60 - 19}, "stat_hour"),
    "learn_shares_read": (INDEX_PLANS, {"after_version": CHOICES - 2}, "learn_shares"),
    "learn_shares_drop": (
        INDEX_PLANS,
        {"account_id": [1], "app_id": ["app"], "country": ["ID"], "network": ["7"], "rule": ["[]"]},
        "learn_shares",
    ),
    "learn_choice": (INDEX_PLANS, {"account_id": 1, "version": 50}, "learn_choice"),
    "learn_choices_forget": (INDEX_PLANS, {"before": NOW - timedelta(minutes=CHOICES - 50)}, "learn_choice"),
    "guard_verdicts_active": (INDEX_PLANS, {"now": NOW + timedelta(minutes=110)}, "guard_verdict"),
    "guard_verdicts_lifted": (INDEX_PLANS, {"lifted_since": NOW - timedelta(days=2)}, "guard_verdict"),
    "guard_verdicts_end": (INDEX_PLANS, {**FOUND, "until": NOW}, "guard_verdict"),
    "guard_verdicts_add": (
        INDEX_PLANS,
        {
            **FOUND,
            "country": ["ID"] * 2,
            "reason": [REASON] * 2,
            "text": [""] * 2,
            "may_block": [True] * 2,
            "since": [NOW] * 2,
            "until": [NOW] * 2,
        },
        "guard_verdict",
    ),
    "guard_delete_old": (INDEX_PLANS, {"before": NOW - timedelta(minutes=DECISIONS - 50)}, "guard_decision"),
    "guard_addresses_read": (INDEX_PLANS, {"since": NOW - timedelta(hours=1), "rows_max": 50_000}, "guard_address"),
    "guard_addresses_forget": (
        INDEX_PLANS,
        {"before": NOW - timedelta(minutes=DECISIONS - 50)},
        "guard_address",
    ),
    "guard_refusal": (FREE_PLANS, {"message_id": 1}, "guard_decision"),
    "guard_saved": (FREE_PLANS, {"account_id": 1, "since": NOW - timedelta(minutes=500)}, "guard_decision"),
    "guard_reason_counts": (FREE_PLANS, {"since": NOW - timedelta(minutes=500), "before": NOW}, "guard_decision"),
    "guard_decisions_page_for": (
        FREE_PLANS,
        {"code": "guard.flood", "looked_max": 51, "rows_max": 51},
        "guard_decision",
    ),
    "guard_decisions_of": (FREE_PLANS, {"rows_max": 50}, "guard_decision"),
    "guard_verdicts_of": (FREE_PLANS, {"with_past": False, "rows_max": 50}, "guard_verdict"),
    "guard_verdict_lift": (FREE_PLANS, {"digits": "6281000001"}, "guard_verdict"),
    "stat_report": (
        FREE_PLANS,
        {"by": "carrier", "grain": 1, "first_period": MINUTE, "beyond_period": MINUTE + 1, "account_id": 1},
        "stat_minute",
    ),
    "learn_shares_of": (FREE_PLANS, {"account_id": 1, "app_id": "app"}, "learn_shares"),
}
"""Each statement that runs every second or is asked for by people: its plans, values, and the table whose rows it must
not read in the mass.
"""
ROWS_MAX = 3_000
"""That a statement may read of a table, where it has 40,000 or more: what is asked for, and a page or so beside it."""


@pytest.fixture(scope="module")
async def grown(postgres: str, worker: str) -> asyncpg.Connection:
    dsn = await serving.migrated_database(postgres, f"plans_grown_{worker}")
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute(MANY)
    return connection


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize("name", sorted(AT_SIZE))
async def test_a_statement_reads_no_more_of_a_large_table_than_it_asks_for(
    grown: asyncpg.Connection, name: str
) -> None:
    plans, values, table = AT_SIZE[name]
    transaction = grown.transaction()
    await transaction.start()
    try:
        for setting, value in plans.items():
            await grown.execute(f"SET LOCAL {setting} = {value}")
        statement = definition_of(name).text
        types = [parameter.name for parameter in (await grown.prepare(statement)).get_parameters()]
        given = [
            f"{await grown.fetchval(f'SELECT quote_nullable($1::{kind}::text)', value)}::{kind}"
            for value, kind in zip(in_order(name, values), types, strict=True)
        ]
        await grown.execute(f"PREPARE kept_{name} AS {statement}")
        (plan,) = json.loads(
            await grown.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE kept_{name} ({', '.join(given)})")
        )
    finally:
        await transaction.rollback()
    scans = [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == table and "Scan" in node["Node Type"]]
    assert scans, plan
    for scan in scans:
        read = (
            scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
        )
        assert read * scan["Actual Loops"] <= ROWS_MAX, scan
