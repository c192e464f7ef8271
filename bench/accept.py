"""How fast submissions, balance queries and conversions are answered, and how fast Kannel accepts beside us.

Machines here are shared, and their speed moves by half within minutes. So every figure is taken several times, in turn
with Kannel's, and the medians are what counts.
"""

import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from bench import requests
from bench.homing import Homing
from bench.kannel import Kannel, kannel_accept_rate
from bench.load import closed_loop, open_loop
from bench.machine import cpu_seconds
from bench.report import Row
from bench.tally import Result

CONNECTIONS: Final = 64
BULK_CONNECTIONS: Final = 8
BULK_NUMBERS: Final = 1000
WARMUP_S: Final = 1.0
IDS_LEFT_MIN: Final = 40_000  # message ids that the conversions' peak leaves for their latency


class Load(msgspec.Struct, frozen=True):
    """One kind of request: a stream of them, and what a right answer holds."""

    name: str
    stream: Callable[[], Iterator[bytes]]
    expect: bytes
    messages: int = 1
    connections: int = CONNECTIONS
    status: int = 200


class Figures:
    """What was measured of one load, run by run."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.rates: list[float] = []
        self.homing_us: list[float] = []
        self.postgres_us: list[float] = []
        self.errors = 0
        self.first_fault = ""

    @property
    def rate(self) -> float:
        """Median messages (or requests) a second."""
        return statistics.median(self.rates)

    def add(self, result: Result, homing_s: float, postgres_s: float) -> None:
        count = max(1, result.accepted * self.load.messages)
        self.rates.append(result.rate * self.load.messages)
        self.homing_us.append(homing_s * 1e6 / count)
        self.postgres_us.append(postgres_s * 1e6 / count)
        self.errors += result.errors
        self.first_fault = self.first_fault or (result.first_fault or "")

    @property
    def note(self) -> str:
        homing_us, postgres_us = statistics.median(self.homing_us), statistics.median(self.postgres_us)
        cost = f"CPU {homing_us:.0f} µs Homing, {postgres_us:.0f} µs PostgreSQL"
        return cost + (f"; {self.errors} errors: {self.first_fault[-80:]}" if self.errors else "")


async def run(folder: Path, rounds: int, seconds: float) -> list[Row]:
    """The accept rows of the table."""
    ids: list[int] = []
    start = iter(range(0, 10**9, 10_000_000))
    post = Load("sendSms, POST", lambda: requests.laaffic_send(next(start)), b'"status":"0"')
    get = Load("SendSMS, GET", lambda: requests.lia_send(next(start)), b'"status":"S"')
    bulk = Load(
        "sendSms, 1000 numbers",
        lambda: requests.laaffic_send_many(next(start)),
        b'"status":"0"',
        BULK_NUMBERS,
        BULK_CONNECTIONS,
    )
    balance = Load("getBalance", requests.laaffic_balance, b'"status":"0"')
    leave = iter([*[IDS_LEFT_MIN] * rounds, 0])
    track = Load("CTrack", lambda: requests.lia_ctrack(_taken(ids, next(leave))), b'"ErrorCode":1000')
    figures = {load.name: Figures(load) for load in (post, get, bulk, balance, track)}
    kannel_rates: list[float] = []
    with Homing(folder / "accept", link_workers=0) as homing:
        await homing.fund()
        for _round in range(rounds):
            await measure_closed(homing, figures[post.name], seconds, lambda body: ids.append(_first_id(body)))
            if Kannel.available():
                kannel_rates.append(await _kannel(seconds))
            await measure_closed(homing, figures[get.name], seconds, lambda body: ids.append(_lia_id(body)))
            await measure_closed(homing, figures[bulk.name], seconds)
            await measure_closed(homing, figures[balance.name], seconds)
            await measure_closed(homing, figures[track.name], min(seconds, 2.0))
        rows = _rate_rows(figures, kannel_rates)
        for load in (post, get, balance, track):
            rows.append(await _latency_row(homing, figures[load.name], seconds))
        proof = await homing.proof()
    rows.append(
        Row(
            "ledger proof after all that",
            "no difference",
            f"{len(proof.differences)} differences",
            proof.holds,
            f"{proof.messages:,} messages, {proof.postings:,} postings",
        )
    )
    return rows


async def measure_closed(
    homing: Homing, figures: Figures, seconds: float, collect: Callable[[bytes], None] | None = None
) -> None:
    pids, postgres = homing.pids(), homing.postgres_pids()
    before = cpu_seconds(pids), cpu_seconds(postgres)
    load = figures.load
    result = await closed_loop(
        homing.address,
        load.stream(),
        load.connections,
        seconds,
        WARMUP_S,
        load.expect,
        status=load.status,
        collect=collect,
    )
    figures.add(result, cpu_seconds(pids) - before[0], cpu_seconds(postgres) - before[1])


async def _kannel(seconds: float) -> float:
    with tempfile.TemporaryDirectory() as folder, Kannel(Path(folder) / "kannel") as kannel:
        result, _cpu_us = await kannel_accept_rate(kannel, seconds, WARMUP_S, CONNECTIONS)
    return result.rate


def _rate_rows(figures: dict[str, Figures], kannel_rates: list[float]) -> list[Row]:
    post, get, bulk, balance, track = figures.values()
    rows = []
    if kannel_rates:
        kannel = statistics.median(kannel_rates)
        rows.append(
            Row("Kannel accepts over HTTP, file store", "-", per_s(kannel), None, f"runs: {runs(kannel_rates)}")
        )
        rows.append(
            Row(
                f"{post.load.name}, {CONNECTIONS} connections",
                f"≥ {per_s(kannel)} (Kannel)",
                per_s(post.rate),
                post.rate >= kannel and not post.errors,
                f"{post.rate / kannel:.2f} × Kannel; {post.note}; runs: {runs(post.rates)}",
            )
        )
    else:
        rows.append(Row("Kannel", "-", "not installed", None, "apt-get install kannel"))
        rows.append(Row(f"{post.load.name}, {CONNECTIONS} connections", "≥ Kannel", per_s(post.rate), None, post.note))
    ratio = get.rate / post.rate
    rows.append(
        Row(
            get.load.name,
            "≥ 0.85 × POST",
            f"{per_s(get.rate)} ({ratio:.2f} ×)",
            ratio >= 0.85 and not get.errors,
            f"{get.note}; runs: {runs(get.rates)}",
        )
    )
    for row, least in ((bulk, 30_000), (balance, 10_000), (track, 10_000)):
        rows.append(
            Row(
                row.load.name,
                f"≥ {per_s(least)}",
                per_s(row.rate),
                row.rate >= least and not row.errors,
                f"{row.note}; runs: {runs(row.rates)}",
            )
        )
    return rows


async def _latency_row(homing: Homing, figures: Figures, seconds: float) -> Row:
    """At half of the peak that was just measured, arrivals at a constant rate, timed from when each was due."""
    load = figures.load
    result = await open_loop(
        homing.address, load.stream(), figures.rate / 2, CONNECTIONS, seconds, WARMUP_S, load.expect
    )
    return Row(
        f"{load.name}, latency at half of its peak",
        "p99 ≤ 25 ms",
        f"p99 {result.p99_ms:.1f} ms",
        result.p99_ms <= 25 and not result.errors,
        f"p50 {result.p50_ms:.1f} ms at {per_s(result.rate)}" + (f"; {result.faults}" if result.errors else ""),
    )


def _taken(ids: list[int], leave: int) -> Iterator[int]:
    """Each id once, from the list's end; the last `leave` stay."""
    while len(ids) > leave:
        yield ids.pop()


def _first_id(body: bytes) -> int:
    return int(json.loads(body)["array"][0]["msgId"])


def _lia_id(body: bytes) -> int:
    return int(json.loads(body)["message_id"])


def per_s(rate: float) -> str:
    return f"{rate:,.0f}/s"


def runs(rates: list[float]) -> str:
    return ", ".join(f"{rate:,.0f}" for rate in rates)
