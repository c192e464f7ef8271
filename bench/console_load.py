"""A long history for the console to be looked at over: written straight into the tables, as many messages as one likes.

Every message has its attempt, nine of ten a receipt, one of five entries, a push and its answer and a conversion; the
statistics are their sums. What a message is follows from its place in the row alone, so that each table is filled
without reading another.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from homing.common import ids
from homing.store.database import Database
from homing.store.migrate import WEEK_MS

ACCOUNTS: Final = 50
PIECE: Final = 250_000
UNMATCHED: Final = 20_000
MINUTES_KEPT: Final = 2 * 1440  # of statistics by the minute

DESTINATIONS: Final = """(VALUES
    (0, 'CN', '460', '86138'), (1, 'CN', '460', '86139'), (2, 'IN', '404', '91987'), (3, 'IN', '405', '91900'),
    (4, 'BR', '724', '55119'), (5, 'NG', '621', '23480'), (6, 'ID', '510', '62812')
) AS d (place, country, mcc, prefix)"""
# $1 and $2: which messages; $3 the first one's id, $4 from one to the next; $5 accounts, $6 carriers. The first account
# sends four of ten. Each sends to two of the destinations.
HISTORY: Final = f"""
WITH one AS (
    SELECT n, $3::bigint + n * $4::bigint AS message_id, CASE WHEN n % 83 >= 50 THEN 0 ELSE n % 83 END AS place
    FROM generate_series($1::bigint, $2::bigint - 1) AS n
), m AS (
    SELECT n, message_id, ($5::bigint[])[1 + one.place] AS account_id, ($6::int[])[1 + n / 7 % 2] AS carrier_id,
        d.country, d.mcc, d.prefix || lpad((n * 7919 % 3000017)::text, 7, '0') AS number,
        to_timestamp(((message_id >> 12) + {ids.EPOCH_MS}) / 1000.0) AS at,
        CASE WHEN n % 100 < 90 THEN 3 WHEN n % 100 < 95 THEN 4 WHEN n % 100 < 98 THEN 5 WHEN n % 2000 = 99 THEN 7
            ELSE 2 END AS state
    FROM one
    JOIN {DESTINATIONS} ON d.place = (one.place + n / 83 % 2) % 7
)
"""
TABLES: Final = (
    """INSERT INTO message (account_id, message_id, submission_id, dialect, app_id, request_id, number, country, mcc,
        mnc, sender, text, encoding, segments, traffic, reference, price_micro, charge_micro, gift_micro, route_id,
        carrier_id, state, expires_at, sent_at, final_at, carrier_ref, error_code)
    SELECT account_id, message_id, message_id, 2, 'App' || account_id, to_hex(n), number, country, mcc, '00', 'HOMING',
        'Your code is ' || n % 1000000, 0, 1, 0, CASE WHEN n % 2 = 0 THEN 'order-' || n END, 31000, 31000, 0, 1,
        carrier_id, state, at + interval '2 days', at + interval '40 ms',
        CASE WHEN state <> 2 THEN at + interval '4 s' END,
        to_hex(n + 1000000000), CASE WHEN state NOT IN (2, 3) THEN '001' END
    FROM m""",
    """INSERT INTO attempt (account_id, message_id, attempt, carrier_id, started_at, answered_at, outcome, carrier_ref)
    SELECT account_id, message_id, 1, carrier_id, at, at + interval '40 ms', 1, to_hex(n + 1000000000) FROM m""",
    """INSERT INTO receipt (account_id, message_id, carrier_id, carrier_ref, received_at, state, raw, applied)
    SELECT account_id, message_id, carrier_id, to_hex(n + 1000000000), at + interval '4 s', state,
        'id:' || to_hex(n + 1000000000) || ' sub:001 dlvrd:001 stat:DELIVRD err:000', true
    FROM m WHERE state IN (3, 4)""",
    """INSERT INTO posting (account_id, at, kind, source, destination, amount_micro, submission_id)
    SELECT account_id, at, 1, 2, 3, 31000, message_id FROM m WHERE n % 5 = 0""",
    """, told AS (
        INSERT INTO push (account_id, lane, message_id, kind, url, body, created_at, due_at, attempts, outcome)
        SELECT account_id, account_id % 4, message_id, 2, 'https://customer.example/reports', '{}', at + interval '4 s',
            CASE WHEN n % 10000 = 0 THEN now() + n % 80000 * interval '1 s' END, 1 + n % 7,
            CASE WHEN n % 10000 = 0 THEN 0 WHEN n % 250 = 5 THEN 2 ELSE 1 END
        FROM m WHERE n % 5 = 0
        RETURNING account_id, push_id, created_at, outcome
    )
    INSERT INTO push_attempt (account_id, push_id, attempt, at, took_ms, status, answer)
    SELECT account_id, push_id, 1, created_at, 12, CASE outcome WHEN 1 THEN 200 ELSE 502 END, 'an answer' FROM told""",
    """INSERT INTO conversion (account_id, message_id, recorded_at, dialect)
    SELECT account_id, message_id, at + interval '60 s', 2 FROM m WHERE n % 5 = 0 AND state = 3""",
)
CELLS: Final = """
INSERT INTO stat_cell (account_id, app_id, country, network, prefix, carrier_id, sender)
SELECT DISTINCT account_id, app_id, country, mcc || mnc, left(number, 6), carrier_id, sender FROM message
ON CONFLICT DO NOTHING
"""
STATISTICS: Final = f"""
INSERT INTO stat (grain, period, account_id, cell_id, submitted, sent, delivered, undelivered, converted, refused,
    cost_micro, revenue_micro)
SELECT $1::int, (((m.message_id >> 12) + {ids.EPOCH_MS}) / 60000 / $1)::int AS period, c.account_id, c.cell_id,
    count(*), count(*), count(*) FILTER (WHERE m.state = 3), count(*) FILTER (WHERE m.state NOT IN (2, 3)),
    count(*) FILTER (WHERE m.state = 3) / 5, 0, count(*) * 20000, sum(m.charge_micro)
FROM message AS m
JOIN stat_cell AS c ON c.account_id = m.account_id AND c.app_id = m.app_id AND c.country = m.country
    AND c.network = m.mcc || m.mnc AND c.prefix = left(m.number, 6) AND c.carrier_id = m.carrier_id
    AND c.sender = m.sender
WHERE m.message_id >= $2
GROUP BY period, c.account_id, c.cell_id
"""


async def load(database: Database, messages: int) -> dict[str, Any]:
    """Writes so many, evenly from the beginning of the last week until now. Gives a message and its number, reference
    and carrier's id from the middle, and the name of an account and of a carrier.
    """
    now_ms = ids.wall_clock_ms()
    first_ms = ids.EPOCH_MS + ((now_ms - ids.EPOCH_MS) // WEEK_MS - 1) * WEEK_MS
    first_id, beyond_id = ids.first_id_at(first_ms), ids.first_id_at(now_ms)
    step = max(1, (beyond_id - first_id) // messages)
    async with database.connection() as connection:
        raw = connection.raw
        await raw.execute("SET synchronous_commit = off")
        await raw.execute("SET work_mem = '256MB'", timeout=None)
        accounts = await _accounts(raw)
        carriers = [row[0] for row in await raw.fetch("SELECT carrier_id FROM carrier ORDER BY 1")]
        began_s = time.monotonic()
        for first, beyond in _pieces(messages):
            for table in TABLES:
                await raw.execute(HISTORY + table, first, beyond, first_id, step, accounts, carriers, timeout=3600)
            print(f"{beyond:,} messages after {time.monotonic() - began_s:.0f} s", flush=True)
        await raw.execute(
            "INSERT INTO parked_receipt (carrier_id, carrier_ref, received_at, state, raw, given_up_at)"
            " SELECT $1, 'lost' || n, now() - n * interval '1 s', 3, 'id:lost' || n, now()"
            " FROM generate_series(1, $2::int) AS n",
            carriers[0],
            UNMATCHED,
        )
        await raw.execute(CELLS, timeout=3600)
        await raw.execute("SET enable_nestloop = off")  # of seven columns that follow each other few rows are expected
        recent_id = ids.first_id_at(now_ms - MINUTES_KEPT * 60_000)
        for grain, since_id in ((1, recent_id), (60, 0), (1440, 0)):
            await raw.execute(STATISTICS, grain, since_id, timeout=3600)
        await raw.execute("VACUUM ANALYZE", timeout=3600)
        (chosen,) = await raw.fetch(
            "SELECT m.message_id, m.number, m.reference, m.carrier_ref, m.account_id, a.name AS account,"
            " c.name AS carrier"
            " FROM message AS m JOIN account AS a USING (account_id) JOIN carrier AS c USING (carrier_id)"
            " WHERE m.account_id = ANY ($1) AND m.message_id = $2",
            accounts,
            first_id + messages // 20 * 10 * step,
        )
        (parked,) = await raw.fetch("SELECT max(parked_id) AS parked_id FROM parked_receipt")
        took_s = time.monotonic() - began_s
    began = datetime.fromtimestamp(first_ms / 1000, UTC)
    return {**chosen, **parked, "took_s": took_s, "began": began}


async def _accounts(raw: Any) -> Sequence[int]:
    rows = await raw.fetch(
        "INSERT INTO account (name, queries_per_s) SELECT 'customer-' || n, 100 FROM generate_series(1, $1::int) AS n"
        " RETURNING account_id",
        ACCOUNTS,
    )
    accounts = [row["account_id"] for row in rows]
    await raw.execute(
        "INSERT INTO balance (account_id, balance_micro) SELECT unnest($1::bigint[]), 1000000000000", accounts
    )
    await raw.execute(
        "INSERT INTO app (app_id, account_id, name) SELECT 'App' || one, one, 'main' FROM unnest($1::bigint[]) AS one",
        accounts,
    )
    return accounts


def _pieces(messages: int) -> Iterator[tuple[int, int]]:
    for first in range(0, messages, PIECE):
        yield first, min(messages, first + PIECE)
