"""What adaptive routes and the guard in block mode cost where messages are accepted.

The same requests go in turn with both and with neither. No link runs, so messages only queue, and what a brain would
conclude is written here, as a customer of this size would have it: shares of each network, and a new snapshot
every two seconds with ranges that are flagged and ranges that are busy, from a process of its own as in service.
"""

import asyncio
import contextlib
import multiprocessing
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import requests
from bench.accept import Figures, Load, measure_closed, per_s, runs
from bench.homing import Homing, database_of
from bench.report import Row
from homing import demo, limits
from homing.admin import prices, routes
from homing.aggregation.guard_listener import GUARD_SNAPSHOT_RANGES_MAX
from homing.guard.policy import LEVELS
from homing.guard.rules import RULES, RuleMode
from homing.guard.snapshot import Allowance, GuardSnapshot, NetworkLimits, Verdict, encode_snapshot
from homing.model import Strategy
from homing.reasons import Reason, ReasonCode, encode_reason
from homing.routing.catalogue_cache import encode_scope
from homing.routing.rules import RouteScope
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.learning import NewShares
from homing.text.numbers import Numbering

RATIO_MIN: Final = 0.90
RANGES: Final = 5_000  # flagged, and as many that are busy
NUMBERS: Final = 20_000  # that are looked at for the networks in use
SETTLE_S: Final = 1.0  # for the processes to hear of changed settings
ROOMY: Final = 1e9


async def run(folder: Path, rounds: int, seconds: float) -> list[Row]:
    """The rows of the pair."""
    start = iter(range(0, 10**9, 10_000_000))
    plain, learnt = (
        Figures(Load(name, lambda: requests.laaffic_send(next(start)), b'"status":"0"'))
        for name in ("sendSms, POST: priorities, guard off", "sendSms, POST: adaptive, guard blocks")
    )
    with Homing(folder / "learning", link_workers=0) as homing:
        await homing.fund()
        async with homing.database() as database:
            account_id = await _prepare(database)
            networks = _networks()
            await _conclude(database, account_id, networks)
            for turn in range(rounds):
                for figures in (plain, learnt) if turn % 2 else (learnt, plain):
                    await _set(database, is_on=figures is learnt)
                    async with (
                        _snapshots(homing.data, account_id, networks) if figures is learnt else contextlib.nullcontext()
                    ):
                        await asyncio.sleep(SETTLE_S)
                        await measure_closed(homing, figures, seconds)
            async with database.connection() as connection:
                chosen = await connection.raw.fetchval(
                    'SELECT count(*) FROM message WHERE notes::jsonb @> \'{"route": [{"code": "route.shares"}]}\''
                )
                decided = await connection.raw.fetchval("SELECT count(*) FROM guard_decision")
    ratio = statistics.median(on / off for on, off in zip(learnt.rates, plain.rates, strict=True))
    cost_us = statistics.median(learnt.homing_us) - statistics.median(plain.homing_us)
    met = ratio >= RATIO_MIN and not learnt.errors and chosen > 0
    return [
        Row(plain.load.name, "-", per_s(plain.rate), None, f"{plain.note}; runs: {runs(plain.rates)}"),
        Row(
            learnt.load.name,
            f"≥ {RATIO_MIN:.2f} × that",
            f"{per_s(learnt.rate)} ({ratio:.2f} ×)",
            met,
            f"{learnt.note}, {cost_us:+.0f} µs Homing; {chosen:,} by shares, {decided:,} decisions;"
            f" runs: {runs(learnt.rates)}",
        ),
    ]


async def _prepare(database: Database) -> int:
    """Costs of the two carriers; the demo account's id."""
    async with database.transaction() as transaction:
        account = await statements.admin.account_find(transaction, name=demo.ACCOUNT, account_id=None)
        assert account is not None
        for row, cost in zip(await statements.admin.carrier_list(transaction), (4_000, 3_000), strict=True):
            await prices.set_costs(transaction, row.carrier_id, [("", cost)])
    return int(account.account_id)


def _networks() -> set[tuple[str, str]]:
    """(country, network) of the numbers that are sent to."""
    numbering = Numbering.load()
    places = (numbering.locate(requests.number(index).decode()) for index in range(NUMBERS))
    return {(place.country, place.mcc + place.mnc) for place in places}


async def _set(database: Database, *, is_on: bool) -> None:
    strategy = Strategy.ADAPTIVE if is_on else Strategy.PRIORITY
    async with database.transaction() as transaction:
        for row in await statements.admin.carrier_list(transaction):
            await routes.set_route(transaction, RouteScope(), carrier_id=row.carrier_id, strategy=strategy)
        for rule in RULES:
            await statements.guard.guard_mode_set(
                transaction, account_id=0, rules=[rule], mode=int(RuleMode.BLOCK if is_on else RuleMode.OFF)
            )


async def _conclude(database: Database, account_id: int, networks: set[tuple[str, str]]) -> None:
    """Shares of nine to one in each network."""
    carriers = [row.carrier_id for row in await statements.admin.carrier_list(database)]
    listed = sorted(networks)
    await statements.learning.learn_shares_write(
        database,
        made_at=datetime.now(UTC),
        shares=[
            NewShares(
                account_id=account_id,
                app_id=demo.APP_ID,
                country=country,
                network=network,
                rule=encode_scope(RouteScope()),
                reason=encode_reason(Reason.of(ReasonCode.LEGACY_TEXT, text="written for the bench")),
                rests_on="{}",
                carriers=",".join(map(str, carriers)),
                weights="9000,1000",
            )
            for country, network in listed
        ],
    )


@asynccontextmanager
async def _snapshots(data: Path, account_id: int, networks: set[tuple[str, str]]) -> AsyncIterator[None]:
    spawned = multiprocessing.get_context("spawn")
    process = spawned.Process(target=_write_snapshots, args=(data, account_id, networks), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


def _write_snapshots(data: Path, account_id: int, networks: set[tuple[str, str]]) -> None:
    async def write() -> None:
        async with database_of(data) as database:
            while True:
                encoded = encode_snapshot(_snapshot(account_id, networks, time.time()), GUARD_SNAPSHOT_RANGES_MAX)
                await statements.guard.guard_snapshot_write(database, made_at=datetime.now(UTC), snapshot=encoded)
                await asyncio.sleep(limits.GUARD_SNAPSHOT_S)

    asyncio.run(write())


def _snapshot(account_id: int, networks: set[tuple[str, str]], now_s: float) -> GuardSnapshot:
    """Flagged ranges are those without messages, busy ones have ample allowances."""
    network_limits = NetworkLimits((1_000,) * len(LEVELS), Allowance(0.0, ROOMY), Allowance(0.0, ROOMY))
    some = sorted(network for _country, network in networks)[0]
    verdict = Verdict(Reason.of(ReasonCode.LEGACY_TEXT, text="written for the bench"), now_s, now_s + 7_200.0)
    cut = LEVELS[0]
    busy = (requests.number(index).decode()[:-cut] for index in range(RANGES))
    return GuardSnapshot(
        made_s=now_s,
        networks={(account_id, demo.APP_ID, network): network_limits for _country, network in networks},
        verdicts={(account_id, demo.APP_ID, some, f"8699{n:06d}"): verdict for n in range(RANGES)},
        allowances={(account_id, demo.APP_ID, some, block): Allowance(3.0, 1_000.0) for block in busy},
        reporting_apps=frozenset({(account_id, demo.APP_ID)}),
    )
