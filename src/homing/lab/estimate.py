"""What other choices would have converted, from what was chosen: a stratified estimate. Pure.

Cells are an account's app and a network. In a cell, carrier k took n messages of which c converted; had the other
policy sent m of the cell's messages by it, m x c / n of them would have: each message counts by the inverse of the
share that its carrier had of its cell. That holds as far as carriers' messages in a cell are alike
(docs/internals/lab.md).
"""

import math
from collections.abc import Iterator
from typing import Final

import msgspec

from homing.common.confidence import Z_95
from homing.routing.cells import CellKey

LAB_REPLAY_CELLS_MAX: Final = 200_000  # cells x carriers that a replay keeps; the rest counts as one cell
THIN: Final = 30
"""Messages below which a carrier's rate in a cell is told apart as resting on little."""
REST: Final = CellKey(0, "", "", "")
"""Where cells beyond the bound are counted together."""


class _Stratum(msgspec.Struct):
    messages: int = 0
    converted: int = 0
    wanted: float = 0.0


class Estimate(msgspec.Struct, frozen=True):
    """Of one carrier, or of all: `messages` that would go by it, of which `unknown` are in cells where it took none;
    conversions of the others with a 95 % interval.
    """

    messages: float
    unknown: float
    thin: float
    conversions: float
    low: float
    high: float


class Strata:
    def __init__(self) -> None:
        self._strata: dict[tuple[CellKey, int], _Stratum] = {}

    def saw(self, cell: CellKey, carrier_id: int, converted: bool) -> None:
        found = self._at(cell, carrier_id)
        found.messages += 1
        found.converted += converted

    def wants(self, cell: CellKey, carrier_id: int, chance: float) -> None:
        """The other policy sends a message of the cell by this carrier with a chance 0..1."""
        self._at(cell, carrier_id).wanted += chance

    def carriers(self) -> list[int]:
        return sorted({carrier_id for _cell, carrier_id in self._strata})

    def of(self, carrier_id: int | None = None) -> Estimate:
        """Of one carrier; None: of all together."""
        messages = unknown = thin = conversions = variance = 0.0
        for (_cell, carrier), one in self._chosen(carrier_id):
            del carrier
            messages += one.wanted
            if not one.messages:
                unknown += one.wanted
                continue
            if one.messages < THIN:
                thin += one.wanted
            rate = one.converted / one.messages
            conversions += one.wanted * rate
            # Agresti and Coull: a rate of 0 or 1 of a few messages is not certain.
            near = (one.converted + 2) / (one.messages + 4)
            variance += one.wanted**2 * near * (1 - near) / (one.messages + 4)
        margin = Z_95 * math.sqrt(variance)
        return Estimate(messages, unknown, thin, conversions, max(0.0, conversions - margin), conversions + margin)

    def _chosen(self, carrier_id: int | None) -> Iterator[tuple[tuple[CellKey, int], _Stratum]]:
        return ((key, one) for key, one in self._strata.items() if carrier_id in (None, key[1]))

    def _at(self, cell: CellKey, carrier_id: int) -> _Stratum:
        key = cell, carrier_id
        if key not in self._strata and len(self._strata) >= LAB_REPLAY_CELLS_MAX:
            key = REST, carrier_id
        return self._strata.setdefault(key, _Stratum())
