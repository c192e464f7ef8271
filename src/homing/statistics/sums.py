"""Sums of deltas by cell and minute. Pure."""

from collections.abc import Iterable, Mapping

from homing.statistics.delta import Delta

CellLabels = tuple[int, str, str, str, str, int, str]
"""The dimensions of a cell: account_id, app_id, country, network, prefix, carrier_id, sender."""
SumKey = tuple[int, int, int, int, int]
"""account_id, minute, cell_id, and the buckets of the times to the receipt and to the conversion (-1: none)."""


def labels_of(delta: Delta) -> CellLabels:
    return (
        delta.account_id,
        delta.app_id,
        delta.country,
        delta.network,
        delta.prefix,
        delta.carrier_id,
        delta.sender,
    )


def sum_by_cell(deltas: Iterable[Delta], cell_ids: Mapping[CellLabels, int]) -> dict[SumKey, list[int]]:
    """The sums of the figures in the order of delta.FIGURES. `cell_ids` has the cells of all deltas."""
    sums: dict[SumKey, list[int]] = {}
    for delta in deltas:
        key = (
            delta.account_id,
            delta.minute,
            cell_ids[labels_of(delta)],
            delta.receipt_bucket,
            delta.conversion_bucket,
        )
        figures = sums.get(key)
        if figures is None:
            figures = sums[key] = [0, 0, 0, 0, 0, 0, 0, 0]
        figures[0] += delta.submitted
        figures[1] += delta.sent
        figures[2] += delta.delivered
        figures[3] += delta.undelivered
        figures[4] += delta.converted
        figures[5] += delta.refused
        figures[6] += delta.cost_micro
        figures[7] += delta.revenue_micro
    return sums
