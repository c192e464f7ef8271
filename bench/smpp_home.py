"""The whole way over one SMPP link: HTTP accept → charge → submit_sm → deliver_sm receipt → push acknowledged.

And Kannel against the same SMSC: HTTP accept → submit_sm → deliver_sm receipt → callback. Twice: as it comes, when it
keeps in memory alone which receipts it waits for, so that a restart loses them; and with these in PostgreSQL, where
Homing keeps its own: that is doing the same.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg

from bench import requests
from bench.homing import Homing
from bench.kannel import RECEIPTS_TABLE, Kannel
from bench.load import open_loop
from bench.report import Row
from bench.sink import Sink
from bench.smsc import Smsc
from bench.way_home import CONNECTIONS, TICK_S, Sustained, sustain
from homing.store.embedded.server import EmbeddedPostgres

RATES_PER_S: Final = (2_000, 3_000, 3_250, 3_500, 3_750, 4_000, 4_250, 4_500, 4_750, 5_000)
TARGET_PER_S: Final = 3_000
TIMES_KANNEL: Final = 5
KANNEL_RATES_PER_S: Final = (500, 600, 700, 800, 900, 1_000, 1_100, 1_200, 1_300, 1_400, 1_500, 2_000)
KANNEL_DURABLE_RATES_PER_S: Final = (200, 300, 400, 450, *KANNEL_RATES_PER_S)
CATCH_UP_S: Final = 30.0


async def run(folder: Path, seconds: float) -> list[Row]:
    """Climbs through the rates until one does not hold, then lets Kannel try."""
    best, failed, proof_row = await _homing(folder, seconds)
    shown = best or failed
    assert shown is not None
    note = (
        f"{shown.accepted:,} accepted, {shown.pushed:,} pushed and acknowledged; waiting, every second: "
        f"{', '.join(map(str, shown.depths))}; all home {shown.catch_up_s:.1f} s after the last send"
    )
    if best and failed:
        note += f"; {failed.rate:,.0f}/s did not hold"
    rows = [
        Row(
            "accept → submit_sm → receipt → push acknowledged, one SMPP link, sustained",
            f"≥ {TARGET_PER_S:,}/s, queue not growing",
            f"{shown.rate:,.0f}/s" + ("" if best else " did not hold"),
            best is not None and best.rate >= TARGET_PER_S,
            note,
        ),
        proof_row,
    ]
    if not Kannel.available():
        return [*rows, Row("Kannel, the same way", "-", "not installed", None, "")]
    reached = best.rate if best else 0.0
    with EmbeddedPostgres(folder / "kannel-receipts") as dsn:
        await _execute(dsn, RECEIPTS_TABLE)
        rows += _compared("with its receipts in PostgreSQL", reached, await _kannel(folder, seconds, dsn), TIMES_KANNEL)
    return rows + _compared("with its receipts in memory", reached, await _kannel(folder, seconds, None), None)


def _compared(how: str, reached: float, peer: tuple[float, str], times: int | None) -> list[Row]:
    rate, note = peer
    ratio = reached / rate if rate else 0.0
    return [
        Row(f"Kannel, the same way, {how}", "-", f"{rate:,.0f}/s", None, note),
        Row(
            f"Homing over Kannel {how}",
            f"≥ {times} ×" if times else "-",
            f"{ratio:.1f} ×",
            ratio >= times if times else None,
            "",
        ),
    ]


async def _execute(dsn: str, statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statements)
    await connection.close()


async def _homing(folder: Path, seconds: float) -> tuple[Sustained | None, Sustained | None, Row]:
    best: Sustained | None = None
    failed: Sustained | None = None
    with Smsc() as smsc, Homing(folder / "smpp-home") as homing:
        await homing.fund()
        settings = {"host": "127.0.0.1", "port": smsc.port, "system_id": "bench", "password": "secret", "window": 500}
        await homing.use_carrier("smpp", json.dumps(settings))
        for step, rate in enumerate(RATES_PER_S):
            with Sink() as sink:
                await homing.set_report_url(sink.url)
                await asyncio.sleep(2.0)
                run = await sustain(homing, sink, rate, seconds, 100 + step)
            if not run.held:
                failed = run
                break
            best = run
        proof = await homing.proof()
    return (
        best,
        failed,
        Row(
            "ledger proof after that",
            "no difference",
            f"{len(proof.differences)} differences",
            proof.holds,
            f"{proof.messages:,} messages",
        ),
    )


async def _kannel(folder: Path, seconds: float, receipts_dsn: str | None) -> tuple[float, str]:
    """The highest rate that Kannel holds, by the same measure: what waits at the end is no more than 2 s of traffic."""
    best, tried = 0.0, []
    for rate in KANNEL_RATES_PER_S if receipts_dsn is None else KANNEL_DURABLE_RATES_PER_S:
        home = folder / f"kannel-{'memory' if receipts_dsn is None else 'postgresql'}-{rate}"
        home.mkdir()
        with Smsc() as smsc, Sink() as sink, Kannel(home, smsc_port=smsc.port, receipts_dsn=receipts_dsn) as kannel:
            callback = quote(f"{sink.url}?id=%p&type=%d", safe="")
            path = kannel.send_path.removesuffix("&to=") + f"&dlr-mask=3&dlr-url={callback}&to="
            await asyncio.sleep(1.0)
            run = await open_loop(
                kannel.address,
                requests.kannel_send(path),
                rate,
                CONNECTIONS,
                seconds,
                1.0,
                b" delivery",
                status=202,
                tick_s=TICK_S,
            )
            waiting = run.accepted - sink.counts().posts
            began_s = time.monotonic()
            home_count = (await sink.reached(run.accepted, CATCH_UP_S)).messages
            tried.append(
                f"{rate}/s: {waiting:,} of {run.accepted:,} waited at the end, {home_count:,} home"
                f" {time.monotonic() - began_s:.1f} s later"
            )
        if run.errors or waiting > 2 * rate or home_count < run.accepted:
            break
        best = rate
    return best, "; ".join(tried)
