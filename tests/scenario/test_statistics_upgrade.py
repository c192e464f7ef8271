"""A database with messages from before there were statistics: the migration counts them, and everything adds up."""

from datetime import UTC, datetime

import asyncpg

from homing.statistics.proof import prove
from homing.statistics.report import ReportGrouping, report
from homing.statistics.rollup import Rollup
from homing.store.database import FREE_PLANS, Database
from homing.store.leader_lease import LeaderLease
from homing.store.migrate import add_partitions, available, migrate
from tests.support.server import new_database

BEFORE = """
INSERT INTO account (name, queries_per_s) VALUES ('old', 1);
INSERT INTO carrier (name, kind) VALUES ('one', 'simulator'), ('two', 'simulator');
INSERT INTO message (account_id, message_id, submission_id, door, app_id, request_id, number, country, mcc, mnc,
    sender, text, encoding, segments, traffic, price_micro, charge_micro, gift_micro, refund_micro, route_id,
    carrier_id, expires_at, state, sent_at, final_at)
SELECT 1, first.id + (n << 24), 1, 1, 'app', '', (254722000000 + n * 500)::text, 'KE', '639', '02', 'S', '', 0, 1, 0,
    100, 100, 0, CASE WHEN n % 9 IN (5, 6, 7) THEN 100 ELSE 0 END, 1, 1 + n % 2, now(), n % 9,
    CASE WHEN n % 9 IN (2, 3, 4, 5) THEN now() END,
    CASE WHEN n % 9 IN (3, 4, 5, 6, 7) THEN now() + n * interval '7 seconds' END
FROM (SELECT ((extract(epoch FROM now()) * 1000)::bigint - 1735689600000 - 86400000) << 12 AS id) AS first
CROSS JOIN generate_series(1, 200) AS n;
INSERT INTO attempt (account_id, message_id, attempt, carrier_id, started_at, answered_at, outcome)
SELECT account_id, message_id, n, 1 + n % 2, now(), now(), 1 + n FROM message CROSS JOIN generate_series(0, 3) AS n;
INSERT INTO conversion (account_id, message_id, recorded_at, reported_at, door)
SELECT account_id, message_id, now(), CASE message_id >> 24 & 3
        WHEN 0 THEN NULL WHEN 1 THEN now() - interval '1 year' WHEN 2 THEN now() + interval '1 day'
        ELSE now() - interval '1 hour' END, 1
FROM message
WHERE state = 3;
"""


async def test_what_there_was_before_is_counted(postgres: str, worker: str) -> None:
    dsn = await new_database(postgres, f"statistics_upgrade_{worker}")
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "CREATE TABLE migration (number int PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now())"
    )
    for migration in available():
        if migration.number <= 2:
            await connection.execute(migration.sql)
            await connection.execute("INSERT INTO migration VALUES ($1, $2)", migration.number, migration.name)
    await add_partitions(dsn)
    await connection.execute(BEFORE)
    await connection.close()

    assert "0003_statistics" in await migrate(dsn)
    database = Database(dsn=dsn, connections_max=2, plans=FREE_PLANS)
    await database.open()
    now = datetime.now(UTC)
    assert await prove(database, now) == []
    duty = LeaderLease(database, "aggregator", "elsewhere:1:link")
    await duty.take()
    rollup = Rollup(database, duty, lambda: now)
    while (turn := await rollup.run_round()) and turn.is_more:
        pass
    while await rollup.settle():
        pass
    assert await prove(database, now) == []
    (day,) = (
        await report(database, ReportGrouping.COUNTRY, since=datetime(2026, 1, 1, tzinfo=UTC), until=now, now=now)
    ).lines
    assert (day.submitted, day.delivered, day.refused) == (200, 22, 600)
    assert day.converted == day.delivered
    await database.close()
