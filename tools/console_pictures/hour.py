"""Statistics by the minute, spread over the last hour. Sums stay as they were counted."""

import asyncio
import math
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.support.installation import Installation
from tests.support.waiting import until

MINUTES: Final = 60
PUMPED: Final = (17, 36)
"""The minutes of the hour in which the guard blocked."""
SECOND_MAX: Final = 15  # of a minute: the pictures are taken before the next one begins
COUNTS: Final = ("submitted", "sent", "delivered", "undelivered", "converted", "refused", "cost_micro", "revenue_micro")


async def spread_over_the_hour(installation: Installation, account_id: int) -> None:
    """Waits until everything is counted, and for the beginning of a minute."""
    await until(lambda: _is_counted(installation))
    if time.time() % 60 > SECOND_MAX:
        await asyncio.sleep(60.5 - time.time() % 60)
    first = int(time.time()) // 60 - MINUTES + 1
    draw = random.Random(5)
    async with installation.looked_into() as database, database.transaction() as transaction:
        raw = transaction.raw
        rows = await raw.fetch("DELETE FROM stat WHERE grain = 1 AND account_id = $1 RETURNING *", account_id)
        await raw.executemany(
            f"INSERT INTO stat (grain, period, account_id, cell_id, {', '.join(COUNTS)})"
            " VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            [
                (first + minute, account_id, cell_id, *figures)
                for (minute, cell_id), figures in _spread(rows, draw).items()
            ],
        )
        first_s, last_s = ((first + minute) * 60.0 for minute in PUMPED)
        await raw.execute(
            "UPDATE guard_decision SET at = to_timestamp($1::float8 + random() * ($2::float8 - $1))"
            " WHERE account_id = $3",
            first_s,
            last_s,
            account_id,
        )
        await raw.execute(
            "UPDATE guard_verdict SET since = to_timestamp($1::float8 + 20 * verdict_id) WHERE account_id = $2",
            first_s,
            account_id,
        )


async def _is_counted(installation: Installation) -> bool:
    """Whether no change waits to be added up; changes are written with the message they are about."""
    (row,) = await installation.query(
        "SELECT (SELECT count(*) FROM stat_delta) + (SELECT count(*) FROM stat_pending) AS waiting"
    )
    return bool(row["waiting"] == 0)


def _spread(rows: Iterable[Mapping[str, Any]], draw: random.Random) -> Mapping[tuple[int, int], list[int]]:
    """Figures by minute of the hour and cell."""
    weights = [_weight(minute, draw) for minute in range(MINUTES)]
    spread: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * len(COUNTS))
    for row in rows:
        remaining = [row[name] for name in COUNTS]
        while any(remaining):
            figures = spread[draw.choices(range(MINUTES), weights)[0], row["cell_id"]]
            for place, value in enumerate(remaining):
                part = _part(COUNTS[place], value, row)
                figures[place] += part
                remaining[place] -= part
    return spread


def _part(name: str, remaining: int, row: Mapping[str, Any]) -> int:
    """What one message has of a figure."""
    if name.endswith("_micro"):
        messages: int = max(1, row["submitted"])
        return min(remaining, -(-int(row[name]) // messages))
    return min(remaining, 1)


def _weight(minute: int, draw: random.Random) -> float:
    """A rise and a fall with some noise; the last minute has only begun."""
    wave = 1.0 + 0.3 * math.sin(minute / 11.0 - 0.6) + 0.12 * math.sin(minute / 3.3)
    return wave * draw.uniform(0.9, 1.1) * (0.35 if minute == MINUTES - 1 else 1.0)
