"""Deltas into the rows that are kept: by cell, and by minute, hour and day. Pure."""

import enum
from collections.abc import Iterable, Mapping

import msgspec

from homing.kit import histogram
from homing.statistics.delta import Delta

CellNames = tuple[int, str, str, str, str, int, str]
"""What is counted apart: account_id, app_id, country, network, prefix, carrier_id, sender."""


class Grain(enum.IntEnum):
    """How long the periods are that figures are kept for, in minutes."""

    MINUTE = 1
    HOUR = 60
    DAY = 1440


class Sum(msgspec.Struct, gc=False):
    """What happened in one period and cell. Times are counts by bucket; None: none."""

    submitted: int = 0
    sent: int = 0
    delivered: int = 0
    undelivered: int = 0
    converted: int = 0
    refused: int = 0
    cost_micro: int = 0
    revenue_micro: int = 0
    receipt_times: list[int] | None = None
    conversion_times: list[int] | None = None

    def add(self, other: "Sum") -> None:
        self.submitted += other.submitted
        self.sent += other.sent
        self.delivered += other.delivered
        self.undelivered += other.undelivered
        self.converted += other.converted
        self.refused += other.refused
        self.cost_micro += other.cost_micro
        self.revenue_micro += other.revenue_micro
        self.receipt_times = _together(self.receipt_times, other.receipt_times)
        self.conversion_times = _together(self.conversion_times, other.conversion_times)


Key = tuple[int, int, int, int]
"""Of a row: grain, period (how many grains after 1970), account_id, cell_id."""


def names_of(delta: Delta) -> CellNames:
    return (
        delta.account_id,
        delta.app_id,
        delta.country,
        delta.network,
        delta.prefix,
        delta.carrier_id,
        delta.sender,
    )


def add_up(
    deltas: Iterable[Delta], cells: Mapping[CellNames, int], kept_from: Mapping[Grain, int]
) -> list[tuple[Key, Sum]]:
    """The rows to be added to those that are kept, in the order of their keys.

    `cells`: the numbers of all cells that the deltas name. `kept_from`: the first minute for which each grain is kept.
    """
    minutes: dict[tuple[int, int, int], Sum] = {}
    for delta in deltas:
        key = delta.minute, delta.account_id, cells[names_of(delta)]
        found = minutes.get(key)
        if found is None:
            found = minutes[key] = Sum()
        _count(found, delta)
    sums: dict[Key, Sum] = {}
    for (minute, account_id, cell_id), one in minutes.items():
        for grain, first in kept_from.items():
            if minute // grain >= first // grain:
                whole = sums.setdefault((int(grain), minute // grain, account_id, cell_id), Sum())
                whole.add(one)
    return sorted(sums.items(), key=lambda row: row[0])


def _count(found: Sum, delta: Delta) -> None:
    found.submitted += delta.submitted
    found.sent += delta.sent
    found.delivered += delta.delivered
    found.undelivered += delta.undelivered
    found.converted += delta.converted
    found.refused += delta.refused
    found.cost_micro += delta.cost_micro
    found.revenue_micro += delta.revenue_micro
    if delta.receipt_bucket >= 0:
        if found.receipt_times is None:
            found.receipt_times = histogram.empty()
        found.receipt_times[delta.receipt_bucket] += delta.delivered + delta.undelivered
    if delta.conversion_bucket >= 0:
        if found.conversion_times is None:
            found.conversion_times = histogram.empty()
        found.conversion_times[delta.conversion_bucket] += delta.converted


def _together(mine: list[int] | None, more: list[int] | None) -> list[int] | None:
    if more is None:
        return mine
    if mine is None:
        return list(more)
    return [a + b for a, b in zip(mine, more, strict=True)]
