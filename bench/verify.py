"""Codes that Homing sends and checks, beside plain messages: what limits, a code's row and its conversion cost."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench import requests
from bench.accept import Figures, Load, measure_closed, per_s, runs
from bench.homing import Homing
from bench.report import Row

SHARE_MIN: Final = 0.9  # of the same dialect's plain messages
CHECKS_MIN: Final = 5_000
CHECK_S: Final = 2.0  # what a run of codes leaves to check


async def run(folder: Path, rounds: int, seconds: float) -> list[Row]:
    """The rows of verifications."""
    ids: dict[str, list[str]] = {"laaffic": [], "v1": []}
    start = iter(range(0, 10**9, 10_000_000))
    sends = {
        "laaffic": Load("laaffic: sendSms", lambda: requests.laaffic_send(next(start)), b'"status":"0"'),
        "v1": Load("v1: messages", lambda: requests.v1_send(next(start)), b'"status":"queued"', status=201),
    }
    codes = {
        "laaffic": Load("laaffic: otp send", lambda: requests.laaffic_code(next(start)), b'"status":"0"'),
        "v1": Load("v1: verifications", lambda: requests.v1_code(next(start)), b'"status":"pending"', status=201),
    }
    checks = {
        "laaffic": Load("laaffic: otp verify", lambda: requests.laaffic_check(_taken(ids["laaffic"])), b'"status":"0"'),
        "v1": Load("v1: check", lambda: requests.v1_check(_taken(ids["v1"])), b'"status":"verified"'),
    }
    figures = {load.name: Figures(load) for loads in (sends, codes, checks) for load in loads.values()}
    with Homing(folder / "verify", link_workers=0) as homing:
        await homing.fund()
        for _round in range(rounds):
            for dialect, id_of in (("laaffic", _laaffic_id), ("v1", _v1_id)):
                await measure_closed(homing, figures[sends[dialect].name], seconds)
                await measure_closed(
                    homing,
                    figures[codes[dialect].name],
                    seconds,
                    _collector(ids[dialect], id_of),
                )
                await measure_closed(homing, figures[checks[dialect].name], min(seconds, CHECK_S))
        proof = await homing.proof()
    rows = []
    for dialect in ids:
        plain = figures[sends[dialect].name]
        rows.append(Row(plain.load.name, "-", per_s(plain.rate), None, f"{plain.note}; runs: {runs(plain.rates)}"))
        code = figures[codes[dialect].name]
        share = code.rate / plain.rate
        rows.append(
            Row(
                code.load.name,
                f"≥ {SHARE_MIN} × plain messages",
                f"{per_s(code.rate)} ({share:.2f} ×)",
                share >= SHARE_MIN and not code.errors,
                f"{code.note}; runs: {runs(code.rates)}",
            )
        )
        check = figures[checks[dialect].name]
        rows.append(
            Row(
                check.load.name,
                f"≥ {per_s(CHECKS_MIN)}",
                per_s(check.rate),
                check.rate >= CHECKS_MIN and not check.errors,
                f"{check.note}; runs: {runs(check.rates)}",
            )
        )
    rows.append(
        Row(
            "ledger proof after the codes",
            "no difference",
            f"{len(proof.differences)} differences",
            proof.holds,
            f"{proof.messages:,} messages",
        )
    )
    return rows


def _collector(ids: list[str], id_of: Callable[[bytes], str]) -> Callable[[bytes], None]:
    return lambda body: ids.append(id_of(body))


def _taken(ids: list[str]) -> Iterator[str]:
    """Each id once, from the list's end."""
    while ids:
        yield ids.pop()


def _laaffic_id(body: bytes) -> str:
    return str(json.loads(body)["data"]["verificationId"])


def _v1_id(body: bytes) -> str:
    return str(json.loads(body)["id"])
