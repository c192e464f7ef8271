"""Which accounts a listener fails on. Pure but for the listeners it makes."""

from collections.abc import Callable, Sequence
from typing import Protocol

from homing.statistics.reading import StatisticsCell


class ListenerCheck(Protocol):
    """What is tried of a listener (aggregation/aggregator.py)."""

    def start(self, cells: Sequence[StatisticsCell]) -> None: ...

    def check(self, now_s: float) -> None: ...


def failing_accounts(make: Callable[[], ListenerCheck], past: Sequence[StatisticsCell], now_s: float) -> frozenset[int]:
    """Accounts without whose past a listener starts and draws its conclusions, found by halving: a few starts for one
    among many. Empty where it fails on none, or on no account by itself.
    """

    def works(accounts: Sequence[int]) -> bool:
        included = set(accounts)
        listener = make()
        try:
            listener.start([cell for cell in past if cell.account_id in included])
            listener.check(now_s)
        except Exception:  # whatever it is: that it fails is what is asked
            return False
        return True

    def search(accounts: Sequence[int]) -> list[int]:
        if works(accounts):
            return []
        if len(accounts) == 1:
            return [*accounts]
        middle = len(accounts) // 2
        return search(accounts[:middle]) + search(accounts[middle:])

    accounts = sorted({cell.account_id for cell in past})
    return frozenset(search(accounts)) if accounts else frozenset()
