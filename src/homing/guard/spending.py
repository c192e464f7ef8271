"""What accounts spend in countries, by the hour and the day (UTC): what budgets are held against. Pure."""

from homing.guard.book import Spent
from homing.guard.cells import HOUR_MIN
from homing.statistics.delta import Delta

DAY_MIN = 1440


class Spending:
    def __init__(self) -> None:
        self._spent: dict[tuple[int, str], list[int]] = {}  # hour, its messages and money; day, its

    def hear(self, delta: Delta) -> None:
        key = delta.account_id, delta.country
        hour, day = delta.minute // HOUR_MIN, delta.minute // DAY_MIN
        spent = self._spent.get(key)
        if spent is None:
            spent = self._spent[key] = [hour, 0, 0, day, 0, 0]
        for at, period in ((0, hour), (3, day)):
            if period > spent[at]:
                spent[at : at + 3] = [period, 0, 0]
            if period == spent[at]:
                spent[at + 1] += delta.submitted
                spent[at + 2] += delta.revenue_micro

    def trim(self, minute: int) -> None:
        """Lets go what is of days before yesterday."""
        for key, spent in list(self._spent.items()):
            if spent[3] < minute // DAY_MIN - 1:
                del self._spent[key]

    def all(self) -> dict[tuple[int, str], Spent]:
        return {key: Spent(*found) for key, found in self._spent.items()}
