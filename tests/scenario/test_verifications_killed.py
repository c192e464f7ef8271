"""`kill -9` while codes are sent and checked: who holds a code can check it, nobody is charged twice, and a code is
right once.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from homing import demo
from tests.support.client import signed
from tests.support.installation import Customer, Installation, nothing_left
from tests.support.proofs import all_adds_up
from tests.support.waiting import until

CODES = 240
CLIENTS = 12
KILLS = 4
RETRY_S = 0.05
CALL_S = 10.0


@dataclass
class Clients:
    """Callers that ask again, with the same orderId, until they are answered."""

    url: str
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)
    repeated: int = 0

    async def send(self, session: aiohttp.ClientSession, order: str, number: str) -> None:
        body = {"appId": demo.APP_ID, "to": number, "code": code_of(order), "orderId": order}
        for attempt in itertools.count():
            answer = await self._call(session, "otp/verification/sendRule", body)
            if answer is not None and answer["status"] == "0":
                self.answers[order] = answer["data"]
                self.repeated += attempt > 0
                return
            assert answer is None or answer["status"] == "-18", answer
            await asyncio.sleep(RETRY_S)

    async def check(self, session: aiohttp.ClientSession, order: str) -> None:
        body = {"verificationId": self.answers[order]["verificationId"], "code": code_of(order)}
        while True:
            answer = await self._call(session, "otp/verification/verify", body)
            if answer is not None and answer["status"] == "0":
                self.verified.append(order)
                return
            if answer is not None and answer["status"] == "-22":
                assert answer["reason"] == "already verified", answer
                return
            await asyncio.sleep(RETRY_S)

    async def _call(self, session: aiohttp.ClientSession, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None when none came."""
        try:
            async with session.post(
                f"{self.url}/{path}",
                data=json.dumps(body),
                headers=signed(Customer()),
                timeout=aiohttp.ClientTimeout(total=CALL_S),
            ) as response:
                answer: dict[str, Any] = await response.json(content_type=None)
                return answer
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None


def code_of(order: str) -> str:
    return f"{int(order.rpartition('-')[2]) * 7919 % 10**6:06d}"


@pytest.fixture(scope="module")
async def installation(room: Path, worker: str) -> AsyncIterator[Installation]:
    made = Installation(room / f"verifications-killed-{worker}")
    with nothing_left(made):
        await made.start()
        await made.enrich("http://127.0.0.1:9/nobody")
        yield made
        assert await made.stop() == 0


async def kill_api(installation: Installation) -> None:
    await until(lambda: installation.roles("api"))
    await installation.killed(installation.roles("api")[0])


async def test_codes_survive_kills_of_whoever_takes_the_calls(installation: Installation) -> None:
    clients = Clients(installation.url)
    orders = iter(range(CODES))

    async def work(client: int) -> None:
        async with aiohttp.ClientSession() as session:
            for order in orders:
                await clients.send(session, f"killed-{order}", f"91{client:02d}{order:06d}00")

    tasks = [asyncio.create_task(work(client)) for client in range(CLIENTS)]
    for kill in range(1, KILLS + 1):
        await until(lambda least=kill * CODES // (KILLS + 2): len(clients.answers) >= least)  # type: ignore[misc]
        await kill_api(installation)
    await asyncio.gather(*tasks)
    assert len(clients.answers) == CODES

    async with aiohttp.ClientSession() as session:
        checks = [clients.check(session, order) for order in clients.answers for _twice in range(2)]
        checking = asyncio.gather(*checks)
        await until(lambda: len(clients.verified) >= CODES // 4)
        await kill_api(installation)
        await checking
    assert len(clients.verified) <= CODES, "a code was right twice"

    async with installation.looked_into() as database, database.connection() as connection:
        rows = await connection.raw.fetch(
            "SELECT v.reference, v.verification_id, v.status, count(m.message_id) AS messages,"
            " sum(m.charge_micro) AS micro, count(c.message_id) FILTER (WHERE c.recorded_at IS NOT NULL) AS conversions"
            " FROM verification AS v LEFT JOIN message AS m ON m.reference = v.reference"
            " LEFT JOIN conversion AS c ON c.account_id = m.account_id AND c.message_id = m.message_id"
            " WHERE v.reference LIKE 'killed-%' GROUP BY 1, 2, 3"
        )
        assert len(rows) == CODES, "one verification for each order, whoever had to ask again"
        assert {row["messages"] for row in rows} == {1}
        assert {row["micro"] for row in rows} == {4_000}
        assert {row["status"] for row in rows} == {1}, "whoever held a code could check it"
        assert {row["conversions"] for row in rows} == {1}
        await all_adds_up(database)
