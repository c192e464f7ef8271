"""What the console asks is found by an index, with a history behind it: nothing reads a large table from end to end."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from bench.console_load import load
from homing import limits
from homing.common import ids
from homing.delivery.pushes import PUSHES_LOOKED_MAX
from homing.store.database import FREE_PLANS, Database
from homing.store.migrate import migrate
from tests.support import server as serving
from tests.support.statements import definition_of, in_order

MESSAGES = 60_000
LARGE = (
    "message",
    "attempt",
    "receipt",
    "part",
    "push",
    "push_attempt",
    "parked_receipt",
    "posting",
    "conversion",
    "verification",
    "verification_message",
)
VERIFICATIONS = 20_000
WINDOW = {"first_id": 0, "beyond_id": ids.ID_MAX, "looked_max": 51, "rows_max": 51}
NOW = datetime(2026, 11, 1, tzinfo=UTC)
MESSAGE = {"account_id": "account_id", "message_id": "message_id"}
ASKED: Mapping[str, Mapping[str, Any]] = {
    "search_latest": WINDOW,
    "search_number": {**WINDOW, "number": "number"},
    "search_reference": {**WINDOW, "reference": "reference"},
    "search_carrier_ref": {**WINDOW, "carrier_ref": "carrier_ref"},
    "search_part": {"part_id": 17},
    "messages_listed": {"account_id": [1], "message_id": ["message_id"]},
    "timeline_message": {"message_id": "message_id"},
    "timeline_attempts": MESSAGE,
    "timeline_receipts": MESSAGE,
    "timeline_parts": MESSAGE,
    "timeline_pushes": MESSAGE,
    "timeline_push_attempts": MESSAGE,
    "timeline_conversion": MESSAGE,
    "timeline_queue": {"message_id": "message_id", "traffic": 0},
    "postings_of_message": {**MESSAGE, "submission_id": "message_id"},
    "pushes_recent": {"rows_max": 51},
    "pushes_given_up": {"rows_max": 51},
    "pushes_failing": {"rows_max": 51, "looked_max": PUSHES_LOOKED_MAX},
    "pushes_given_up_count": {"counted_max": limits.PUSHES_REPLAYED_MAX},
    "push_find": {"push_id": 17},
    "unmatched_list": {"rows_max": 51, "before_at": NOW, "before_id": 17},
    "unmatched_show": {"parked_id": 17},
    "verifications_searched": {"now": NOW, "first_id": 0, "before_id": ids.ID_MAX, "rows_max": 51},
    "verifications_search_end": {"before_id": ids.ID_MAX, "looked_max": limits.SEARCH_LOOKED_MAX},
    "verification_shown": {"now": NOW, "message_id": "message_id"},
    "verification_of_message": MESSAGE,
    "verification_story": {"account_id": "account_id", "verification_id": "message_id"},
    "attention_pushes": {"rows_max": 5},
}
"""Each statement and its values; a text that names a column stands for what a message has in it."""


@pytest.fixture(scope="module")
async def history(postgres: str, worker: str) -> AsyncIterator[tuple[asyncpg.Connection, Mapping[str, Any]]]:
    """A session with the console's settings on a database with a history, and a message of it."""
    dsn = await serving.migrated_database(postgres, f"console_plans_{worker}")
    await migrate(dsn)
    database = Database(dsn=dsn, connections_max=1, plans=FREE_PLANS)
    await database.open()
    async with database.connection() as connection:
        await connection.raw.execute("INSERT INTO carrier (name, kind, settings) VALUES ('one', 'simulator', '{}')")
        await connection.raw.execute("INSERT INTO carrier (name, kind, settings) VALUES ('two', 'simulator', '{}')")
    known = await load(database, MESSAGES)
    async with database.connection() as connection:
        await connection.raw.execute(
            "INSERT INTO verification (account_id, verification_id, dialect, app_id, number, raw_number, sender, text,"
            " code_hash, attempts_max, latest_id, created_at, expires_at)"
            " SELECT account_id, message_id, 2, 'app', number, number, '', '##code##', '', 5, message_id, now(), now()"
            " FROM message ORDER BY message_id DESC LIMIT $1",
            VERIFICATIONS,
        )
        await connection.raw.execute(
            "INSERT INTO verification_message (account_id, message_id, verification_id, code_hash)"
            " SELECT account_id, verification_id + 1, verification_id, '' FROM verification"
        )
        await connection.raw.execute("ANALYZE verification, verification_message")
    await database.close()
    connection = await asyncpg.connect(dsn, server_settings=dict(FREE_PLANS))
    (row,) = await connection.fetch("SELECT account_id FROM message WHERE message_id = $1", known["message_id"])
    filled = await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 1000")
    yield connection, {**known, "account_id": row["account_id"], "filled": {one["relname"] for one in filled}}
    await connection.close()


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("name", sorted(ASKED))
async def test_a_page_reads_no_large_table_from_end_to_end(
    history: tuple[asyncpg.Connection, Mapping[str, Any]], name: str, mode: str
) -> None:
    connection, known = history
    values = ", ".join(_literal(value, known) for value in in_order(name, ASKED[name]))
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute(f"PREPARE kept AS {definition_of(name).text}")
    try:
        plan = [row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE kept ({values})")]
    finally:
        await connection.execute("DEALLOCATE kept")
    tables = "|".join(LARGE)
    read = [match for line in plan if (match := re.search(rf"Seq Scan on (({tables})(_\d{{8}})?)\b", line))]
    assert not [match for match in read if match[1] in known["filled"]], "\n".join(plan)


def _literal(value: Any, known: Mapping[str, Any]) -> str:
    """As SQL."""
    if isinstance(value, list):
        return f"ARRAY[{', '.join(_literal(one, known) for one in value)}]"
    found = known.get(value, value) if isinstance(value, str) else value
    if found is None:
        return "NULL"
    return str(found) if isinstance(found, int) else f"'{found}'"
