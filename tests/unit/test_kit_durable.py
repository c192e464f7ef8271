"""What must not be lost is stored in the end, and what cannot be stored costs nothing but itself."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import errors
from homing.common.durable import until_durable


class Shelf:
    """Takes whole batches or nothing: not while it is away, and none with an item that it refuses."""

    def __init__(self, poison: Sequence[int] = (), away: int = 0) -> None:
        self.kept: list[int] = []
        self.told: list[int] = []
        self.failures: list[errors.PlatformFailure] = []
        self._poison = poison
        self._away = away

    async def store(self, batch: Sequence[int]) -> None:
        if self._away:
            self._away -= 1
            raise errors.DatabaseUnavailable
        if any(one in self._poison for one in batch):
            raise errors.DatabaseFailed(poison=True)
        self.kept += batch

    def waits(self, _batch: Sequence[int], failure: errors.PlatformFailure) -> None:
        self.failures.append(failure)

    async def take(self, batch: Sequence[int]) -> None:
        await until_durable(self.store, batch, on_failure=self.waits, on_refused=self.told.append, pause_s=0)


@given(st.integers(1, 70), st.sets(st.integers(0, 69)), st.integers(0, 3))
async def test_all_but_what_is_refused_is_stored_once_and_in_order(count: int, poison: set[int], away: int) -> None:
    shelf = Shelf(sorted(poison), away)
    await shelf.take(range(count))
    assert shelf.kept == [one for one in range(count) if one not in poison]
    assert shelf.told == [one for one in range(count) if one in poison]


async def test_a_database_that_is_away_is_waited_for_and_each_failure_is_told() -> None:
    shelf = Shelf(away=3)
    await shelf.take([1, 2])
    assert (shelf.kept, shelf.told) == ([1, 2], [])
    assert [type(one) for one in shelf.failures] == [errors.DatabaseUnavailable] * 3


async def test_a_fault_of_our_own_is_not_taken_for_the_databases() -> None:
    async def store(_batch: Sequence[int]) -> None:
        raise KeyError("name")

    with pytest.raises(KeyError):
        await until_durable(
            store, [1], on_failure=lambda _batch, _failure: None, on_refused=lambda _one: None, pause_s=0
        )
