"""The conversions that another policy would have had, estimated by cell. Pure.

A cell is an account's app and a network. If carrier k took n messages of a cell, of which c converted, and the other
policy would send it m messages of the cell, m x c / n of them are expected to convert: inverse propensity weighting by
cell. It assumes that the carriers' messages in a cell are alike (docs/internals/lab.md).
"""

import math
from collections.abc import Iterator
from typing import Final

import msgspec

from homing.common.confidence import Z_95
from homing.routing.cells import CellKey

LAB_REPLAY_CELLS_MAX: Final = 200_000  # cells x carriers; further cells count as one
OVERFLOW: Final = CellKey(0, "", "", "")
"""The cell for those beyond LAB_REPLAY_CELLS_MAX."""
THIN_BELOW: Final = 30
"""Messages below which a carrier's rate in a cell is reported as based on little data."""


class _Stratum(msgspec.Struct):
    """A carrier in a cell: its messages and conversions, and the messages expected under the other policy."""

    messages: int = 0
    converted: int = 0
    expected: float = 0.0


class Estimate(msgspec.Struct, frozen=True):
    """The estimate of one carrier or of all: the `messages` expected under the other policy, of which `unknown` are in
    cells where the carrier had none and `thin` in cells where it had few; and the conversions of all but the unknown
    ones, with a 95 % interval.
    """

    messages: float
    unknown: float
    thin: float
    conversions: float
    low: float
    high: float


class Strata:
    """Observed and expected messages by cell and carrier."""

    def __init__(self) -> None:
        self._strata: dict[tuple[CellKey, int], _Stratum] = {}

    def add_observed(self, cell: CellKey, carrier_id: int, converted: bool) -> None:
        stratum = self._stratum(cell, carrier_id)
        stratum.messages += 1
        stratum.converted += converted

    def add_expected(self, cell: CellKey, carrier_id: int, probability: float) -> None:
        """The other policy sends a message of the cell to this carrier with a probability 0..1."""
        self._stratum(cell, carrier_id).expected += probability

    def carriers(self) -> list[int]:
        return sorted({carrier_id for _cell, carrier_id in self._strata})

    def estimate(self, carrier_id: int | None = None) -> Estimate:
        """The estimate of one carrier; None: of all together."""
        messages = unknown = thin = conversions = variance = 0.0
        for stratum in self._of_carrier(carrier_id):
            messages += stratum.expected
            if not stratum.messages:
                unknown += stratum.expected
                continue
            if stratum.messages < THIN_BELOW:
                thin += stratum.expected
            rate = stratum.converted / stratum.messages
            conversions += stratum.expected * rate
            # Agresti and Coull: with few messages an observed rate of 0 or 1 is not certain.
            adjusted = (stratum.converted + 2) / (stratum.messages + 4)
            variance += stratum.expected**2 * adjusted * (1 - adjusted) / (stratum.messages + 4)
        margin = Z_95 * math.sqrt(variance)
        return Estimate(messages, unknown, thin, conversions, max(0.0, conversions - margin), conversions + margin)

    def _of_carrier(self, carrier_id: int | None) -> Iterator[_Stratum]:
        return (stratum for (_cell, carrier), stratum in self._strata.items() if carrier_id in (None, carrier))

    def _stratum(self, cell: CellKey, carrier_id: int) -> _Stratum:
        key = cell, carrier_id
        if key not in self._strata and len(self._strata) >= LAB_REPLAY_CELLS_MAX:
            key = OVERFLOW, carrier_id
        return self._strata.setdefault(key, _Stratum())
