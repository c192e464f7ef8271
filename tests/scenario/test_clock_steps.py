"""The machine's clock is stepped under a real `homing serve` that has traffic: back by an hour and set right again,
forwards by an hour and set right again. Nothing stands still, nothing goes twice, and the operator is told.

libfaketime (Debian: `faketime`) gives the processes a clock that goes by a file of ours; what measures intervals keeps
the machine's. Also with the embedded PostgreSQL under the same clock, as it is on a real machine.
"""

import asyncio
import itertools
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from homing import limits
from homing.admin import carriers, routes
from homing.common import crypto
from homing.dialects.lia import dialect as lia
from homing.routing.rules import RouteScope
from homing.smpp.pdus import SubmitSm
from tests.support.client import Client
from tests.support.installation import Customer, Installation, nothing_left
from tests.support.proofs import all_adds_up
from tests.support.sink import Answer, Box, Push, Sink
from tests.support.smsc import PASSWORD, SYSTEM_ID, Deed, Smsc
from tests.support.waiting import until

LIBRARY = Path("/usr/lib")
HOUR_S = 3_600
PREFIX, SLOW = "95404", "954049"
"""Numbers of our message centre, and of those that it takes its time to answer."""
SLOW_S = 3.0
ANSWER_S = 1.5
"""That the customer takes for a push."""
SPAN_S = 8.0
"""Of traffic between two steps: past the clock's watch, leases' ticks and the longest answer."""
SENDS_PER_S = 6.0
SOON_S = 10.0
"""From a call's answer to the push of its message's end, on a busy machine; the slow answers are part of it."""


def library() -> Path:
    """libfaketime's, or the test is skipped."""
    places = sorted(LIBRARY.glob("*/faketime/libfaketime.so.1"))
    if not shutil.which("faketime") or not places:
        pytest.skip("libfaketime is not here (Debian: apt-get install faketime)")
    return places[0]


@dataclass
class StepClock:
    """The wall clock of all processes that have its environment; stepped by what is written to its file."""

    file: Path
    library: Path

    def step_to(self, offset_s: int) -> None:
        """So far from the machine's own time, above zero ahead of it."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.chmod(0o644)
        new.replace(self.file)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


class Ends(Box):
    """Where reports are pushed: when each message's end was first told."""

    def __init__(self, url: str) -> None:
        super().__init__(url, [(200, {})])
        self.first_s: dict[int, float] = {}

    async def take(self, push: Push) -> Answer:
        """Slow enough for pushes to be under way at every step."""
        if push.json.get("DLRStatus") == "Delivered":
            self.first_s.setdefault(int(push.json["message_id"]), time.monotonic())
        answer = await super().take(push)
        await asyncio.sleep(ANSWER_S)
        return answer


@dataclass
class Course:
    """Traffic by the lia dialect, one call after the other, and what became of each message. Seconds are this process's
    monotonic ones.
    """

    url: str
    ends: "Ends"
    number_of: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    sent_s: dict[int, float] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    longest_call_s: float = 0.0

    async def run(self, client: Client, span_s: float) -> None:
        end_s = time.monotonic() + span_s
        while time.monotonic() < end_s:
            count = next(self.number_of)
            number = f"{SLOW if count % 4 == 0 else PREFIX}{count:05d}9"
            began_s = time.monotonic()
            reply = await client.lia(
                Customer(),
                "SendSMS",
                sms_type="T",
                sender_id=lia.DEMO_SENDER,
                phonenumber=number,
                textmessage="code",
                callback_url=self.ends.url,
            )
            self.longest_call_s = max(self.longest_call_s, time.monotonic() - began_s)
            if reply.json["status"] == "S":
                message_id = int(reply.json["message_id"])
                self.sent_s[message_id], self.numbers[message_id] = time.monotonic(), number
            else:
                self.refused.append(reply.text)
            await asyncio.sleep(1 / SENDS_PER_S)


@dataclass
class Place:
    """The installation under its clock, the message centre that its messages go to, and the traffic."""

    installation: Installation
    clock: StepClock
    smsc: Smsc
    course: Course
    client: Client

    async def spans(self, offset_s: int) -> None:
        """Steps the clock in the middle of traffic."""
        running = asyncio.ensure_future(self.course.run(self.client, SPAN_S))
        await asyncio.sleep(0.5)
        self.clock.step_to(offset_s)
        await running

    async def signed_call(self) -> str:
        """The status of a call that is signed with the right time, which the machine's clock may not have."""
        reply = await self.client.laaffic(Customer(), "GET", "/v3/getBalance")
        return str(reply.json["status"])

    async def alarms(self) -> list[str]:
        async with aiohttp.request("GET", f"{self.installation.url}/healthz") as answer:
            assert answer.status == 200
            found: list[str] = (await answer.json(content_type=None)).get("alarms", [])
        return found

    def log(self, event: str) -> list[dict[str, object]]:
        lines = (line for line in self.installation.log.read_text().splitlines() if f'"{event}"' in line)
        return [json.loads(line) for line in lines]


SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""
"""As `sitecustomize`: libfaketime (0.9.10) refuses the call by which Python's own sleep goes by the monotonic clock."""
POSTGRESQL = """
import os
from homing.store.embedded.cluster import ENVIRONMENT
fakes = {name: value for name, value in os.environ.items() if name.startswith("FAKETIME_") or name == "LD_PRELOAD"}
fakes.pop("FAKETIME_SHARED", None)
ENVIRONMENT.update(fakes, FAKETIME_ONLY_CMDS="postgres")
"""
"""Likewise: PostgreSQL's programs have an environment of their own."""


@pytest.fixture(params=["homing", "homing_and_postgresql"])
async def place(request: pytest.FixtureRequest, room: Path, worker: str, sink: Sink) -> AsyncIterator[Place]:
    clock = StepClock(room / f"clock-{worker}-{request.param}", library())
    clock.step_to(0)
    installation = Installation(room / f"steps-{worker}-{request.param}")
    installation.more = dict(clock.environment)
    folder = room / f"site-{worker}-{request.param}"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SLEEP + (POSTGRESQL if "postgresql" in request.param else ""))
    installation.more["PYTHONPATH"] = f"{folder}{os.pathsep}{installation.environment['PYTHONPATH']}"
    ends = Ends(sink.box().url)
    sink.put(ends)
    with nothing_left(installation):
        async with Smsc(receipt_after_s=0.1, deeds=_deed) as smsc:
            await installation.start()
            await installation.enrich(sink.box().url)
            await _add_carrier(installation, smsc)
            client = Client(installation.url)
            yield Place(installation, clock, smsc, Course(installation.url, ends), client)
            await client.close()
            assert await installation.stop() == 0, installation.log.read_text()[-3000:]
    _tidy()


def _tidy() -> None:
    """What libfaketime leaves of processes that end without its clean-up, as PostgreSQL's do."""
    for path in Path("/dev/shm").glob("*faketime_s[he]m_*"):
        if not Path("/proc", path.name.rpartition("_")[2]).exists():
            path.unlink(missing_ok=True)


def _deed(submit: SubmitSm) -> Deed:
    return Deed(late_s=SLOW_S) if submit.destination_addr.startswith(SLOW) else Deed()


async def _add_carrier(installation: Installation, smsc: Smsc) -> None:
    settings = {"host": "127.0.0.1", "port": smsc.port, "system_id": SYSTEM_ID, "password": PASSWORD}
    vault = crypto.Vault(crypto.load_key("", installation.data / "secret.key"))
    async with installation.looked_into() as database, database.transaction() as transaction:
        carrier_id = await carriers.add_carrier(transaction, "centre", "smpp", json.dumps(settings), vault)
        await routes.set_route(transaction, RouteScope(prefix=PREFIX), carrier_id=carrier_id)
    await until(lambda: smsc.links)


async def test_a_step_back_and_one_forwards_stop_nothing_and_repeat_nothing(place: Place) -> None:
    course = place.course
    await course.run(place.client, 3.0)
    assert await place.alarms() == []

    await place.spans(-HOUR_S)
    assert "clock.stepped_back" in await place.alarms()
    listed = await place.installation.command("alarm", "list")
    said, _errors = await listed.communicate()
    assert "stepped_back" in said.decode()
    assert await place.signed_call() == "0"
    while_back = list(course.sent_s)

    await place.spans(0)
    await until(place.alarms, lambda found: not found)

    await place.spans(HOUR_S)
    told = [float(str(line["seconds"])) for line in place.log("clock_stepped")]
    assert min(told) < -HOUR_S / 2 < HOUR_S / 2 < max(told)

    await place.spans(0)
    assert "clock.stepped_back" in await place.alarms(), "time goes on from where the wrong clock had got to"
    assert await place.signed_call() == "0"
    await asyncio.sleep(SOON_S)

    assert not course.refused, course.refused[:3]
    delays = [course.ends.first_s.get(one, float("inf")) - sent_s for one, sent_s in course.sent_s.items()]
    assert max(delays) < SOON_S, sorted(delays)[-10:]
    submits = Counter(submit.destination_addr for submit in place.smsc.submits)
    assert submits == Counter(course.numbers.values())
    pushed = Counter((push.json["message_id"], push.json["DLRStatus"]) for push in course.ends.pushes)
    assert {one: times for one, times in pushed.items() if times > 1} == {}
    given = list(course.sent_s)
    assert given == sorted(given), "ids increase in the order of the calls"
    async with place.installation.looked_into() as database, database.connection() as connection:
        await all_adds_up(database)
        rows = await connection.raw.fetch(
            "SELECT a.started_at, r.received_at FROM attempt AS a JOIN receipt AS r USING (account_id, message_id)"
            " WHERE message_id = ANY($1)",
            while_back,
        )
    assert len(rows) == len(while_back)
    ages_s = [(row["received_at"] - row["started_at"]).total_seconds() for row in rows]
    assert min(ages_s) > -limits.RECEIPT_CLOCK_AHEAD_S_MAX, "a receipt is held against its submit by one clock"
