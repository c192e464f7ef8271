"""Codes that were sent before the first message's hash stood in the verification's row can be checked after it does."""

from datetime import UTC, datetime

import asyncpg

from homing.model import CheckOutcome
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
"""


async def test_codes_that_were_sent_before_can_be_checked_by_each_of_their_messages(postgres: str, worker: str) -> None:
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
    await database.close()
