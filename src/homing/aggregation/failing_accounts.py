"""The accounts whose data makes a listener fail. Pure but for the listeners that it makes."""

from collections.abc import Callable, Sequence
from typing import Protocol

from homing.store.statements.statistics import StatisticsCell


class ListenerCheck(Protocol):
    """The part of a listener (aggregation/aggregator.py) that is tried."""

    def start(self, cells: Sequence[StatisticsCell]) -> None: ...

    def check(self, now_s: float) -> None: ...


def failing_accounts(
    make: Callable[[], ListenerCheck], history: Sequence[StatisticsCell], now_s: float
) -> frozenset[int]:
    """The accounts that a listener fails on, each by itself. By halving, so that one account among many takes a few
    starts. Empty when it fails on none, or only on several together.
    """

    def works(accounts: Sequence[int]) -> bool:
        included = set(accounts)
        listener = make()
        try:
            listener.start([cell for cell in history if cell.account_id in included])
            listener.check(now_s)
        except Exception:  # only whether it fails matters here
            return False
        return True

    def search(accounts: Sequence[int]) -> list[int]:
        if works(accounts):
            return []
        if len(accounts) == 1:
            return [*accounts]
        middle = len(accounts) // 2
        return search(accounts[:middle]) + search(accounts[middle:])

    accounts = sorted({cell.account_id for cell in history})
    return frozenset(search(accounts)) if accounts else frozenset()
