"""Shares of the traffic, by rule and cell: those of all adaptive rules at one moment. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from homing.reasons import Reason
from homing.routing.cells import CellKey
from homing.routing.rules import RouteRequest, RouteScope

SHARES_TOTAL: Final = 10_000
"""The sum of the weights of a rule in a cell."""


class RouteShares(msgspec.Struct, frozen=True):
    """The shares of a rule's carriers in one cell.

    `weights`: carrier id -> parts of SHARES_TOTAL, which they add up to. `version`: the id of the stored choice that
    they come from; 0: not stored.
    """

    weights: Mapping[int, int]
    reason: Reason
    version: int = 0


class ShareTable:
    """The shares in force. Immutable."""

    def __init__(self, shares: Mapping[tuple[RouteScope, CellKey], RouteShares] | None = None) -> None:
        """`shares`: by rule and cell. A cell without a network stands for its country, one without a country for all
        destinations.
        """
        self._by_scope: dict[RouteScope, dict[tuple[int, str, str, str], RouteShares]] = {}
        for (scope, cell), cell_shares in (shares or {}).items():
            key = (cell.account_id, cell.app_id, cell.country, cell.network)
            self._by_scope.setdefault(scope, {})[key] = cell_shares

    def find(self, scope: RouteScope, request: RouteRequest) -> RouteShares | None:
        """The most specific shares of a rule: of the message's network, else its country, else of all destinations.
        None when there are none.
        """
        by_cell = self._by_scope.get(scope)
        if by_cell is None:
            return None
        account_id, app_id = request.account_id, request.app_id
        return (
            by_cell.get((account_id, app_id, request.country, request.network))
            or by_cell.get((account_id, app_id, request.country, ""))
            or by_cell.get((account_id, app_id, "", ""))
        )


NO_SHARES: Final = ShareTable()
