"""How fast a customer's bind is answered: submit_sm in, durable and charged, submit_sm_resp out.

    smpp-accept    one bind at a window of 500, the messages only queue; then the same with carriers that take them

Each submit_sm has a number of its own and asks for a receipt. The generator is our own session, in this process.
"""

import asyncio
import itertools
import statistics
import time
from pathlib import Path
from typing import Final

import msgspec

from bench.homing import Homing
from bench.machine import cpu_seconds
from bench.report import Row
from homing.dialects.laaffic import dialect as laaffic
from homing.smpp.connection import SmppConnection, connect
from homing.smpp.open_requests import ResponseOrFailure
from homing.smpp.pdus import BindTransmitter, ResponsePdu, SubmitSm, SubmitSmResp
from homing.smpp.session import IncomingRequest, SessionEnd
from homing.smpp.timer_wheel import TimerWheel

WINDOW: Final = 500
WARMUP_S: Final = 1.0
TARGET_PER_S: Final = 6_000
TEXT: Final = b"Your code is 482913. It is valid for 5 minutes. Do not share"
QUEUES_ONLY: Final = '{"is_down": true}'
TAKES_ALL: Final = '{"receipt_ms_mean": 200, "undeliverable": 0, "expired": 0}'


class Sender:
    """Keeps a bind's window full."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.faults: list[ResponseOrFailure] = []
        self.waits_s: list[float] = []
        self._numbers = itertools.count(8613800000000)
        self._connection: SmppConnection | None = None

    def start(self, connection: SmppConnection) -> None:
        self._connection = connection
        while connection.room:
            self._send(connection)

    def _send(self, connection: SmppConnection) -> None:
        began_s = time.monotonic()
        connection.send(
            SubmitSm(
                source_addr_ton=5,
                source_addr="HOMING",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=str(next(self._numbers)),
                registered_delivery=1,
                short_message=TEXT,
            ),
            lambda answer: self._on_answer(answer, began_s),
        )

    def _on_answer(self, answer: ResponseOrFailure, began_s: float) -> None:
        if isinstance(answer, SubmitSmResp) and not answer.status:
            self.ids.append(answer.message_id)
            self.waits_s.append(time.monotonic() - began_s)
        else:
            self.faults.append(answer)
        if self._connection is not None:
            self._send(self._connection)

    def stop(self) -> None:
        self._connection = None

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        raise AssertionError("a transmitter is told nothing")

    def on_room(self, connection: SmppConnection) -> None:
        """The window is filled by its answers."""

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        """The run is over."""


class Result(msgspec.Struct, frozen=True):
    """One run: answers a second, the median and the 99th percentile of their waits in ms, CPU in µs a message."""

    rate: float
    median_ms: float
    late_ms: float
    homing_us: float
    postgres_us: float
    own_us: float
    fault: str


async def measure(homing: Homing, seconds: float) -> Result:
    """One bind for so long."""
    sender, timer_wheel = Sender(), TimerWheel()
    connection = await connect(*homing.smpp_address, sender, timer_wheel, window_out=WINDOW)
    bound = await connection.request(BindTransmitter(laaffic.DEMO_KEY, laaffic.DEMO_SECRET))
    assert isinstance(bound, ResponsePdu), bound
    assert not bound.status, bound
    sender.start(connection)
    await asyncio.sleep(WARMUP_S)
    pids, postgres = homing.pids(), homing.postgres_pids()
    count, own_s, began_s = len(sender.ids), time.process_time(), time.monotonic()
    homing_s, postgres_s = cpu_seconds(pids), cpu_seconds(postgres)
    await asyncio.sleep(seconds)
    lasted_s = time.monotonic() - began_s
    waits_s = sorted(sender.waits_s[count:])
    count = max(1, len(waits_s))
    result = Result(
        count / lasted_s,
        statistics.median(waits_s) * 1000 if waits_s else 0.0,
        waits_s[count * 99 // 100 - 1] * 1000 if waits_s else 0.0,
        (cpu_seconds(pids) - homing_s) * 1e6 / count,
        (cpu_seconds(postgres) - postgres_s) * 1e6 / count,
        (time.process_time() - own_s) * 1e6 / count,
        f"{len(sender.faults)} refused: {sender.faults[0]}" if sender.faults else "",
    )
    sender.stop()
    connection.unbind()
    while not connection.session.end:
        await asyncio.sleep(0.05)
    timer_wheel.stop()
    return msgspec.structs.replace(result, fault="an id was given twice") if _has_twins(sender.ids) else result


def _has_twins(ids: list[str]) -> bool:
    return len(set(ids)) != len(ids)


async def run(folder: Path, rounds: int, seconds: float) -> list[Row]:
    """The rows of `smpp-accept`."""
    with Homing(folder / "smpp-accept") as homing:
        await homing.fund()
        await homing.use_carrier("simulator", QUEUES_ONLY)  # one alone: nothing moves to another
        queued = [await measure(homing, seconds) for _round in range(rounds)]
        await homing.set_carriers(TAKES_ALL)
        carried = await measure(homing, seconds)
        proof = await homing.proof()
    return [
        _row(f"submit_sm in, one bind, window {WINDOW}", queued, is_target=True),
        _row("the same while carriers take and report them", [carried], is_target=False),
        Row(
            "ledger proof after all that",
            "no difference",
            f"{len(proof.differences)} differences",
            proof.holds,
            f"{proof.messages:,} messages",
        ),
    ]


def _row(name: str, results: list[Result], *, is_target: bool) -> Row:
    rate = statistics.median(result.rate for result in results)
    fault = next((result.fault for result in results if result.fault), "")
    median = {
        field: statistics.median(getattr(result, field) for result in results)
        for field in ("median_ms", "late_ms", "homing_us", "postgres_us", "own_us")
    }
    return Row(
        name,
        f"≥ {TARGET_PER_S:,}/s" if is_target else "",
        f"{rate:,.0f}/s",
        rate >= TARGET_PER_S and not fault if is_target else None,
        f"answered after {median['median_ms']:.0f} ms, 99 % within {median['late_ms']:.0f} ms; CPU"
        f" {median['homing_us']:.0f} µs Homing, {median['postgres_us']:.0f} µs PostgreSQL,"
        f" {median['own_us']:.0f} µs the generator; runs: {', '.join(f'{result.rate:,.0f}' for result in results)}"
        f"{fault and '; ' + fault}",
    )
