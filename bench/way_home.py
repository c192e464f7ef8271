"""The whole way: accept → simulated carrier → receipt → push acknowledged, at a constant rate, nothing piling up."""

import asyncio
import time
from pathlib import Path
from typing import Final

import msgspec

from bench import requests
from bench.homing import Homing, memory_mb
from bench.load import closed_loop, open_loop
from bench.report import Row
from bench.sink import Sink

RATES_PER_S: Final = (3_000, 3_500, 4_000, 5_000)
CONNECTIONS: Final = 64
TICK_S: Final = 0.002
"""A coarser tick than for latencies: each wake-up of the generator is CPU that the measured system cannot have."""
PROMPT: Final = '{"submit_ms": 5, "receipt_ms_mean": 200, "undeliverable": 0.03, "expired": 0.01}'
STALLED: Final = '{"submit_ms": 29000}'  # a carrier that answers nothing for as long as it may
QUEUED: Final = 1_000_000
MEMORY_MB_MAX: Final = 300


class Sustained(msgspec.Struct, frozen=True):
    """A run at one rate: did it hold?"""

    rate: float
    accepted: int
    pushed: int
    errors: int
    p99_ms: float
    depths: list[int]
    catch_up_s: float

    @property
    def held(self) -> bool:
        """Every accepted message was pushed, and what waited at the end was no more than 2 s of traffic."""
        return not self.errors and self.pushed >= self.accepted and self.depths[-1] <= 2 * self.rate


async def run_sustained(folder: Path, seconds: float) -> list[Row]:
    """Climbs through the rates until one does not hold."""
    best: Sustained | None = None
    failed: Sustained | None = None
    with Homing(folder / "way-home") as homing:
        await homing.fund()
        await homing.set_carriers(PROMPT)
        for step, rate in enumerate(RATES_PER_S):
            with Sink() as sink:
                await homing.set_report_url(sink.url)
                await asyncio.sleep(1.0)
                run = await sustain(homing, sink, rate, seconds, step)
            if not run.held:
                failed = run
                break
            best = run
        proof = await homing.proof()
    shown = best or failed
    assert shown is not None
    note = (
        f"{shown.accepted:,} accepted, {shown.pushed:,} pushed and acknowledged; waiting, every second: "
        f"{', '.join(map(str, shown.depths))}; all home {shown.catch_up_s:.1f} s after the last send; "
        f"accept p99 {shown.p99_ms:.1f} ms"
    )
    if best and failed:
        note += f"; {failed.rate:,.0f}/s did not hold"
    return [
        Row(
            "accept → carrier → receipt → push acknowledged, sustained",
            "≥ 3,000/s, queue not growing",
            f"{shown.rate:,.0f}/s" + ("" if best else " did not hold"),
            best is not None,
            note,
        ),
        Row(
            "ledger proof after that",
            "no difference",
            f"{len(proof.differences)} differences",
            proof.holds,
            f"{proof.messages:,} messages",
        ),
    ]


async def sustain(homing: Homing, sink: Sink, rate: float, seconds: float, step: int) -> Sustained:
    """One run at a constant rate; `step` keeps the numbers of several runs apart."""
    depths: list[int] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(1.0)
            waiting = await homing.waiting()
            depths.append(sum(waiting[kind] for kind in ("messages_to_send", "messages_awaiting_receipt", "pushes")))

    watcher = asyncio.get_running_loop().create_task(watch())
    result = await open_loop(
        homing.address,
        requests.laaffic_send(step * 10_000_000),
        rate,
        CONNECTIONS,
        seconds,
        1.0,
        b'"status":"0"',
        tick_s=TICK_S,
    )
    watcher.cancel()
    ended_s = time.monotonic()
    counts = await sink.reached(result.accepted, 60)
    return Sustained(
        rate, result.accepted, counts.messages, result.errors, result.p99_ms, depths, time.monotonic() - ended_s
    )


async def run_memory(folder: Path, messages: int = QUEUED) -> list[Row]:
    """A million messages behind a carrier that has stalled."""
    with Homing(folder / "memory") as homing:
        await homing.fund()
        await homing.set_carriers(STALLED)
        await asyncio.sleep(1.0)
        idle_mb = memory_mb(homing.pids())
        sent = 0
        while sent < messages:
            result = await closed_loop(
                homing.address, requests.laaffic_send_many(sent // 9_000 + 1), 4, 5.0, 0.0, b'"status":"0"'
            )
            sent += result.accepted * 1_000
        waiting = await homing.waiting()
        queued_mb = memory_mb(homing.pids())
        processes = len(homing.pids())
    return [
        Row(
            f"memory of Homing's {processes} processes with {waiting['messages_to_send']:,} messages queued",
            f"≤ {MEMORY_MB_MAX} MB",
            f"{queued_mb:.0f} MB",
            queued_mb <= MEMORY_MB_MAX,
            f"proportional set size; {idle_mb:.0f} MB before",
        )
    ]
