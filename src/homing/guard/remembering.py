"""What of the mind outlives a process: what it knows of networks, written down and read by the next one. Pure."""

from collections.abc import Sequence
from math import inf

import msgspec

from homing.guard.book import WHOLE_NETWORK, CellName, RangeName, Verdict
from homing.guard.docket import Docket
from homing.guard.known import Known
from homing.guard.ranges import C, N, Range, V
from homing.statistics.delta import Delta


class KeptRange(msgspec.Struct, frozen=True, array_like=True):
    """A range as it is written down."""

    digits: str
    level: int
    history: float
    times: int
    kept_n: float
    kept_e: float
    kept_c: float
    minutes: dict[int, list[float]]


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A network as it is written down."""

    country: str
    heard: float
    pairs: list[float]
    ranges_then: dict[int, list[float]]
    judged: dict[str, float]
    evened: float
    volumes: dict[int, list[float]]
    ranges: list[KeptRange]


def keep(known: Known, since_s: float, most: int) -> list[tuple[CellName, Kept]]:
    """What is to be remembered of the networks with traffic since a time, the busiest lately first."""
    cells = sorted(
        ((name, cell) for name, cell in known.cells.items() if cell.active_s >= since_s),
        key=lambda pair: -pair[1].active_s,
    )[:most]
    kept = {
        name: Kept(
            cell.key.country,
            cell.heard,
            cell.pairs,
            cell.ranges_then,
            cell.judged,
            cell.volumes.kept_n,
            dict(cell.volumes.minutes),
            [],
        )
        for name, cell in cells
    }
    for (account_id, app_id, network, _digits), found in known.ranges.items():
        mine = kept.get((account_id, app_id, network))
        if mine is not None and (found.history >= 1.0 or found.times or len(found.minutes) > 1):
            mine.ranges.append(_kept(found))
    return list(kept.items())


def remember(known: Known, name: CellName, kept: Kept) -> None:
    """Takes back what a mind before this one kept."""
    account_id, app_id, network = name
    known.app(account_id, app_id)
    cell = known.cell(account_id, app_id, kept.country, network)
    cell.heard, cell.pairs, cell.judged = kept.heard, list(kept.pairs), dict(kept.judged)
    cell.ranges_then = {minute: list(ranges) for minute, ranges in kept.ranges_then.items()}
    cell.volumes.kept_n = kept.evened
    cell.volumes.minutes = {minute: list(counts) for minute, counts in kept.volumes.items()}
    cell.volumes_since.clear()
    for one in kept.ranges:
        known.ranges.setdefault((*name, one.digits), _range(one))


def uphold(known: Known, docket: Docket, name: RangeName, verdict: Verdict) -> None:
    """Takes back a verdict that was given before this mind began."""
    cell = known.cells.get(name[:3])
    if cell is None or name in docket.verdicts:
        return
    if name[3] == WHOLE_NETWORK:
        cell.verdict = verdict
        docket.expect(name, verdict.since_s, 0.0, 0.0, 1)
        return
    found = known.ranges.setdefault(name, Range(name[3], 0))
    found.times = max(1, found.times)
    found.crowd = inf  # not known any more: probes will tell
    docket.enter(name, verdict, found.times)
    cell.judged[name[3]] = verdict.since_s


def recall(known: Known, past: Delta, conversion_times: Sequence[int]) -> None:
    """Takes in what was added up of an earlier time: how soon an app's people come back, and where they did."""
    app = known.app(past.account_id, past.app_id)
    for bucket, count in enumerate(conversion_times):
        if count:
            app.curve.hear(bucket, count)
    cell = known.cell(past.account_id, past.app_id, past.country, past.network)
    cell.active_s = max(cell.active_s, past.minute * 60.0)
    for area in (cell, known.country(past.account_id, past.app_id, past.country)):
        area.came += past.converted
        area.busiest = max(area.busiest, float(past.converted))


def _kept(found: Range) -> KeptRange:
    return KeptRange(
        found.digits,
        found.level,
        found.history,
        found.times,
        found.kept_n,
        found.kept_e,
        found.kept_c,
        dict(found.minutes),
    )


def _range(kept: KeptRange) -> Range:
    found = Range(kept.digits, kept.level)
    found.history, found.times = kept.history, kept.times
    found.seen = kept.history + sum(counts[V] for counts in kept.minutes.values())
    found.held = sum(counts[N] for counts in kept.minutes.values())
    found.came = sum(counts[C] for counts in kept.minutes.values())
    found.kept_n, found.kept_e, found.kept_c = kept.kept_n, kept.kept_e, kept.kept_c
    found.minutes = {minute: list(counts) for minute, counts in kept.minutes.items()}
    return found
