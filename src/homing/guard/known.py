"""What the mind holds: apps, countries, networks and ranges by their names, and how they contain each other. Pure."""

from homing.guard.apps import AppMind
from homing.guard.book import CellName, RangeName
from homing.guard.cells import Area, Cell
from homing.guard.policy import LEVELS, GuardPolicy
from homing.guard.ranges import Range
from homing.routing.cells import CellKey


class Known:
    def __init__(self, policy: GuardPolicy) -> None:
        self.policy = policy
        self.apps: dict[tuple[int, str], AppMind] = {}
        self.countries: dict[tuple[int, str, str], Area] = {}
        self.cells: dict[CellName, Cell] = {}
        self.ranges: dict[RangeName, Range] = {}

    def app(self, account_id: int, app_id: str) -> AppMind:
        found = self.apps.get((account_id, app_id))
        if found is None:
            found = self.apps[account_id, app_id] = AppMind()
        return found

    def cell(self, account_id: int, app_id: str, country: str, network: str) -> Cell:
        """A network as an app's messages reach it. It is found under the country of its first message."""
        found = self.cells.get((account_id, app_id, network))
        if found is None:
            key = CellKey(account_id, app_id, country, network)
            found = self.cells[account_id, app_id, network] = Cell(key, self.policy)
        return found

    def country(self, account_id: int, app_id: str, country: str) -> Area:
        found = self.countries.get((account_id, app_id, country))
        if found is None:
            found = self.countries[account_id, app_id, country] = Area()
        return found

    def around(self, cell: Cell) -> Area:
        """The country of a network."""
        return self.country(cell.key.account_id, cell.key.app_id, cell.key.country)

    def above(self, name: RangeName, found: Range) -> list[Range]:
        """The wider ranges that a range lies in."""
        account_id, app_id, network, digits = name
        names = [(account_id, app_id, network, digits[:-more]) for more in range(1, len(LEVELS) - found.level)]
        return [self.ranges[one] for one in names if one in self.ranges]
