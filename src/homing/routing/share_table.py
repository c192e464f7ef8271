"""The shares of all rules and cells at one moment, and which of them a message falls under. Pure."""

from collections.abc import Mapping
from typing import Final

from homing.routing.cells import CellKey
from homing.routing.rules import RouteRequest, RouteScope
from homing.routing.shares import RouteShares

Place = tuple[int, str, str, str]  # account, app, country, network


class ShareTable:
    """Immutable. `shares`: by rule and cell, where a cell with network '' stands for its country, and one with neither
    for everywhere.
    """

    def __init__(self, shares: Mapping[tuple[RouteScope, CellKey], RouteShares] | None = None) -> None:
        self._places: dict[RouteScope, dict[Place, RouteShares]] = {}
        for (match, cell), found in (shares or {}).items():
            place = (cell.account_id, cell.app_id, cell.country, cell.network)
            self._places.setdefault(match, {})[place] = found

    def find(self, match: RouteScope, wanted: RouteRequest) -> RouteShares | None:
        """The closest shares: of the message's cell, of its country, of everywhere; None where nothing is known."""
        places = self._places.get(match)
        if places is None:
            return None
        account_id, app_id = wanted.account_id, wanted.app_id
        return (
            places.get((account_id, app_id, wanted.country, wanted.network))
            or places.get((account_id, app_id, wanted.country, ""))
            or places.get((account_id, app_id, "", ""))
        )


NO_SHARES: Final = ShareTable()
