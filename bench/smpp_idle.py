"""10,000 customers who are bound and silent, on one smpp process: what they cost, and whether each is answered in time.

    smpp-idle      memory of the process, then enquire_links from all of them at once, spread over seconds as they come

The customers are bare sockets in a process of their own, with our codec and nothing else of ours.
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

from bench.homing import Homing, memory_mb
from bench.machine import cpu_seconds
from bench.report import Row
from homing.dialects.laaffic import dialect as laaffic
from homing.smpp.codec import PduDecoder, encode
from homing.smpp.pdus import BindTransceiver, EnquireLink, EnquireLinkResp, Pdu, ResponsePdu

BINDS: Final = 10_000
AT_ONCE: Final = 200  # binds under way
SPREAD_S: Final = 10.0  # each asks once within it
REST_S: Final = 3.0
MEMORY_MB_MAX: Final = 1024
ANSWER_S_MAX: Final = 1.0


class Idle(asyncio.Protocol):
    """A customer who has bound and waits."""

    __slots__ = ("_decoder", "_transport", "_waiting", "answered_s", "asked_s")

    def __init__(self) -> None:
        self._decoder = PduDecoder()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Pdu] | None = None
        self.asked_s = self.answered_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        for sequence, pdu in self._decoder.feed(data):
            if isinstance(pdu, EnquireLink):
                self._transport.write(encode(EnquireLinkResp(), sequence))
            elif isinstance(pdu, EnquireLinkResp):
                self.answered_s = time.monotonic()
            elif self._waiting is not None and isinstance(pdu, ResponsePdu):
                self._waiting.set_result(pdu)

    async def bind(self, system_id: str, password: str) -> bool:
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(encode(BindTransceiver(system_id, password), 1))
        pdu = await self._waiting
        self._waiting = None
        return isinstance(pdu, ResponsePdu) and pdu.status == 0

    def ask(self) -> None:
        assert self._transport is not None
        self.asked_s = time.monotonic()
        self._transport.write(encode(EnquireLink(), 2))


class Answers(msgspec.Struct, frozen=True):
    """What the customers saw: how many are bound, how long binding took them, and their enquire_links' waits in s."""

    bound: int
    binding_s: float
    answered: int
    median_s: float
    longest_s: float


async def run(folder: Path) -> list[Row]:
    """The rows of `smpp-idle`."""
    with Homing(folder / "smpp-idle") as homing:
        await homing.let_bind(BINDS + 10)
        server = next(pid for pid in homing.pids() if b"homing.app\0smpp" in Path(f"/proc/{pid}/cmdline").read_bytes())
        before_mb = memory_mb([server])
        command = [sys.executable, "-m", "bench.smpp_idle", str(homing.smpp_address[1]), str(BINDS)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as customers:
            assert customers.stdin is not None
            assert customers.stdout is not None
            if not await asyncio.to_thread(customers.stdout.readline):  # all are bound
                raise RuntimeError("the customers did not bind")
            after_mb = memory_mb([server])
            cpu_s, began_s = cpu_seconds([server]), time.monotonic()
            await asyncio.sleep(REST_S)
            idle_share = (cpu_seconds([server]) - cpu_s) / (time.monotonic() - began_s)
            customers.stdin.write(b"ask\n")
            customers.stdin.flush()
            answers = msgspec.json.decode(await asyncio.to_thread(customers.stdout.readline), type=Answers)
            answered_mb = memory_mb([server])
    return [
        Row(
            f"{BINDS:,} idle binds, one process",
            f"≤ {MEMORY_MB_MAX:,} MB",
            f"{max(after_mb, answered_mb):,.0f} MB",
            max(after_mb, answered_mb) <= MEMORY_MB_MAX and answers.bound == BINDS,
            f"{answers.bound:,} bound in {answers.binding_s:.1f} s; {(after_mb - before_mb) * 1024 / BINDS:.1f} KB a"
            f" bind above {before_mb:.0f} MB; {idle_share * 100:.0f} % of a core while nobody speaks",
        ),
        Row(
            f"an enquire_link of each within {SPREAD_S:.0f} s",
            f"≤ {ANSWER_S_MAX:.0f} s",
            f"{answers.longest_s * 1000:.0f} ms",
            answers.longest_s <= ANSWER_S_MAX and answers.answered == answers.bound,
            f"the slowest; median {answers.median_s * 1000:.1f} ms; {answers.answered:,} answered",
        ),
    ]


async def _customers(port: int, count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    loop = asyncio.get_running_loop()
    slots, idle, began_s = asyncio.Semaphore(AT_ONCE), [Idle() for _ in range(count)], time.monotonic()

    async def bind(client: Idle) -> bool:
        async with slots:
            await loop.create_connection(lambda: client, "127.0.0.1", port)
            return await client.bind(laaffic.DEMO_KEY, laaffic.DEMO_SECRET)

    bound = sum(await asyncio.gather(*map(bind, idle)))
    binding_s = time.monotonic() - began_s
    print("bound", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for client in idle:
        client.ask()
        await asyncio.sleep(SPREAD_S / count)
    deadline_s = time.monotonic() + 10
    while any(not client.answered_s for client in idle) and time.monotonic() < deadline_s:
        await asyncio.sleep(0.05)
    waits_s = [client.answered_s - client.asked_s for client in idle if client.answered_s]
    answers = Answers(bound, binding_s, len(waits_s), statistics.median(waits_s), max(waits_s))
    print(msgspec.json.encode(answers).decode(), flush=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="The idle customers, for the bench to start.")
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    uvloop.run(_customers(options.port, options.count))


if __name__ == "__main__":
    main()
