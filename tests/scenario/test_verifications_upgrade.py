"""An upgrade keeps codes, limits and the guard's decisions: what was sent can be checked, what was used stays used."""

from datetime import UTC, datetime, timedelta

import asyncpg

from homing.model import CheckOutcome
from homing.reasons import Reason, ReasonCode, decode_reason
from homing.store import statements
from homing.store.database import Database
from homing.store.migrate import available, migrate
from homing.store.statements.verifications import CodeGuess
from tests.support.server import new_database

VERSION_BEFORE = 37
FIRST, AGAIN = 10, 11
BEFORE = f"""
INSERT INTO verification (account_id, verification_id, dialect, app_id, number, raw_number, sender, text, attempts_max,
    messages, latest_id, created_at, expires_at)
VALUES (1, {FIRST}, 2, 'app', '8613800000000', '8613800000000', '', '##code##', 5, 2, {AGAIN}, now(),
    now() + interval '1 hour');
INSERT INTO verification_message (account_id, message_id, verification_id, code_hash)
VALUES (1, {FIRST}, {FIRST}, 'first'), (1, {AGAIN}, {FIRST}, 'again');
INSERT INTO verification (account_id, verification_id, dialect, app_id, number, raw_number, sender, text, attempts_max,
    latest_id, created_at, expires_at)
SELECT 1, first_id_at(now()) + n, 2, 'app', '8613800000001', '8613800000001', '', '##code##', 5, first_id_at(now()) + n,
    now() - n * interval '1 hour', now()
FROM generate_series(0, 8) AS n;
INSERT INTO verification_message (account_id, message_id, verification_id, code_hash)
SELECT account_id, verification_id, verification_id, 'first'::bytea FROM verification WHERE number = '8613800000001'
UNION ALL
SELECT account_id, verification_id + 100, verification_id, 'again'::bytea FROM verification
WHERE verification_id = first_id_at(now());
INSERT INTO guard_decision (account_id, at, message_id, app_id, number, country, network, action, rule, reason, scope,
    charge_micro)
VALUES (1, now(), {FIRST}, 'app', '8613800000000', 'CN', '46000', 1, 'burst',
    '{{"code": "guard.burst", "values": {{"messages": 9, "limit": 8}}}}', '8613800000', 31000);
"""


async def test_codes_limits_and_decisions_of_before_are_kept(postgres: str, worker: str) -> None:
    dsn = await new_database(postgres, f"verifications_upgrade_{worker}")
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "CREATE TABLE migration (number int PRIMARY KEY, name text NOT NULL, applied_at timestamptz DEFAULT now())"
    )
    for migration in available():
        if migration.number <= VERSION_BEFORE:
            await connection.execute(migration.sql)
            await connection.execute("INSERT INTO migration VALUES ($1, $2)", migration.number, migration.name)
    await connection.execute(BEFORE)
    await connection.close()
    await migrate(dsn)
    database = Database(dsn=dsn, connections_max=1)
    await database.open()
    now = datetime.now(UTC)
    guesses = [(FIRST, b"again"), (AGAIN, b"first"), (AGAIN, b"again"), (FIRST, b"first"), (12, b"first")]
    checks = await statements.verifications.verifications_check(
        database,
        now=now,
        guesses=[CodeGuess(account_id=1, message_id=each, code_hash=code) for each, code in guesses],
    )
    outcomes = {check.nth - 1: CheckOutcome(check.outcome) for check in checks}
    assert outcomes == {
        0: CheckOutcome.WRONG,
        1: CheckOutcome.WRONG,
        2: CheckOutcome.VERIFIED,
        3: CheckOutcome.ALREADY_VERIFIED,
    }
    for message_id in (FIRST, AGAIN):
        row = await statements.verifications.verification_find(database, account_id=1, message_id=message_id, now=now)
        assert row is not None
        assert row.verification_id == FIRST
    async with database.connection() as connection:
        places = await connection.raw.fetch(
            "SELECT nth, cardinality(sent_times) FROM verification WHERE number = '8613800000001' AND nth IS NOT NULL"
        )
    assert [tuple(place) for place in places] == [(1, 10)], "ten were sent before, one of them again"
    (decision,) = await statements.guard.guard_decisions_of(database, account_id=1, rule=None, rows_max=9)
    assert decode_reason(decision.reason) == Reason.of(ReasonCode.GUARD_BURST, messages=9, limit=8)
    (count,) = await statements.guard.guard_reason_counts(
        database, since=now - timedelta(minutes=1), before=now + timedelta(minutes=1), account_id=None
    )
    assert (count.reason_code, count.messages) == ("guard.burst", 1)
    await database.close()
