"""Deltas by cell: what is counted apart, and for how long a period. Pure."""

from collections.abc import Iterable, Mapping

from homing.statistics.delta import Delta

CellNames = tuple[int, str, str, str, str, int, str]
"""What is counted apart: account_id, app_id, country, network, prefix, carrier_id, sender."""
Key = tuple[int, int, int, int, int]
"""account_id, minute, cell_id, and the buckets of the times to the receipt and to the conversion (-1: not told)."""


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


def add_up(deltas: Iterable[Delta], cells: Mapping[CellNames, int]) -> dict[Key, list[int]]:
    """The figures (delta.FIGURES, in their order) by cell and minute. `cells`: the numbers of all that are named."""
    sums: dict[Key, list[int]] = {}
    for delta in deltas:
        key = (
            delta.account_id,
            delta.minute,
            cells[names_of(delta)],
            delta.receipt_bucket,
            delta.conversion_bucket,
        )
        found = sums.get(key)
        if found is None:
            found = sums[key] = [0, 0, 0, 0, 0, 0, 0, 0]
        found[0] += delta.submitted
        found[1] += delta.sent
        found[2] += delta.delivered
        found[3] += delta.undelivered
        found[4] += delta.converted
        found[5] += delta.refused
        found[6] += delta.cost_micro
        found[7] += delta.revenue_micro
    return sums
