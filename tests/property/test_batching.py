"""Group commit: many callers, few batches, and everybody gets their own answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing import errors
from homing.common.batching import Batcher

Run = Callable[[Sequence[int]], Awaitable[Sequence[int]]]


class Store:
    """What a batcher writes to. `batches` are those that were tried; while `gate` is closed it does not answer."""

    def __init__(self, failure: Callable[[Sequence[int]], Exception | None] = lambda _batch: None) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.at_once_max = 0
        self._failure = failure

    async def run(self, batch: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(batch))
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
        finally:
            self.at_once -= 1
        failure = self._failure(batch)
        if failure is not None:
            raise failure
        return [item * 10 for item in batch]

    def batcher(
        self,
        *,
        weight_max: int = 100,
        pending_max: int = 1_000,
        lanes: int = 1,
        weigh: Callable[[int], int] = lambda _item: 1,
    ) -> Batcher[int, int]:
        return Batcher(self.run, weight_max=weight_max, pending_max=pending_max, lanes=lanes, weigh=weigh)


async def all_of(batcher: Batcher[int, int], items: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*(batcher.put(item) for item in items), return_exceptions=True)


def poisoned_by(*bad: int) -> Callable[[Sequence[int]], Exception | None]:
    return lambda batch: errors.DatabaseFailed("poison", poison=True) if set(bad) & set(batch) else None


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 12), st.integers(1, 3), st.sets(st.integers(0, 50)))
@settings(deadline=None, max_examples=60)
def test_each_caller_gets_its_own_result_and_poison_hurts_itself_alone(
    items: list[int], weight_max: int, lanes: int, bad: set[int]
) -> None:
    async def scenario() -> None:
        store = Store(poisoned_by(*bad))
        batcher = store.batcher(weight_max=weight_max, lanes=lanes, weigh=lambda item: item % 5)
        results = await all_of(batcher, items)
        for item, result in zip(items, results, strict=True):
            if item in bad:
                assert isinstance(result, errors.DatabaseFailed)
            else:
                assert result == item * 10
        assert store.at_once_max <= lanes
        for batch in store.batches:
            assert len(batch) == 1 or sum(item % 5 for item in batch) <= weight_max
        await batcher.drained()

    asyncio.run(scenario())


async def test_what_arrives_while_a_batch_is_written_becomes_one_batch() -> None:
    store = Store()
    batcher = store.batcher()
    store.gate.clear()
    first = batcher.put(1)
    await asyncio.sleep(0.01)
    later = [batcher.put(item) for item in range(2, 40)]
    await asyncio.sleep(0.01)
    assert store.batches == [[1]]
    store.gate.set()
    assert await asyncio.gather(first, *later) == [item * 10 for item in range(1, 40)]
    assert store.batches == [[1], list(range(2, 40))]


async def test_an_idle_batcher_serves_one_item_without_waiting_for_more() -> None:
    batcher = Store().batcher()
    async with asyncio.timeout(4):
        assert await batcher.put(4) == 40


@pytest.mark.parametrize("lanes", [1, 2])
async def test_a_caller_that_comes_again_at_once_is_served(lanes: int) -> None:
    """As a carrier's reader does: the next batch is put in the very moment in which the last was answered."""
    batcher = Store().batcher(lanes=lanes)
    async with asyncio.timeout(4):
        for item in range(5):
            assert await batcher.put(item) == item * 10


async def test_a_caller_that_comes_again_after_a_failure_is_served() -> None:
    batcher = Store(poisoned_by(1)).batcher()
    async with asyncio.timeout(4):
        for _ in range(3):
            with pytest.raises(errors.DatabaseFailed):
                await batcher.put(1)
            assert await batcher.put(2) == 20


async def test_a_lone_failure_of_any_kind_reaches_its_caller() -> None:
    batcher = Store(lambda batch: ValueError("odd") if 3 in batch else None).batcher()
    results = await all_of(batcher, [1, 2, 3, 4])
    assert [results[0], results[1], results[3]] == [10, 20, 40]
    assert isinstance(results[2], ValueError)


async def test_a_database_that_is_away_fails_everybody_at_once() -> None:
    store = Store(lambda _batch: errors.DatabaseUnavailable())
    results = await all_of(store.batcher(), list(range(64)))
    assert all(isinstance(one, errors.DatabaseUnavailable) for one in results)
    assert len(store.batches) == 1, "trying again only makes callers wait"


async def test_a_statement_that_took_too_long_is_not_tried_again_in_halves() -> None:
    store = Store(lambda _batch: errors.DatabaseFailed("timeout"))
    results = await all_of(store.batcher(), list(range(64)))
    assert all(isinstance(one, errors.DatabaseFailed) for one in results)
    assert len(store.batches) == 1


async def test_a_poisoned_item_costs_a_few_smaller_batches_not_one_for_each_item() -> None:
    store = Store(poisoned_by(17))
    results = await all_of(store.batcher(weight_max=64), list(range(64)))
    assert [n for n, one in enumerate(results) if isinstance(one, Exception)] == [17]
    assert len(store.batches) <= 2 * 6 + 1  # each halving tries two, and 64 is halved six times


async def test_more_than_may_wait_is_refused_and_the_rest_is_served() -> None:
    store = Store()
    batcher = store.batcher(weight_max=10, pending_max=20, weigh=lambda item: item)
    store.gate.clear()
    under_way = batcher.put(5)
    await asyncio.sleep(0.01)
    waiting = [batcher.put(10), batcher.put(10)]
    with pytest.raises(errors.Overloaded):
        batcher.put(1)
    store.gate.set()
    assert await asyncio.gather(under_way, *waiting) == [50, 100, 100]
    assert await batcher.put(1) == 10, "there is room again"


async def test_weights_bound_a_batch_and_an_item_above_the_bound_goes_alone() -> None:
    store = Store()
    batcher = store.batcher(weight_max=10, weigh=lambda item: item)
    store.gate.clear()
    first = batcher.put(1)
    await asyncio.sleep(0.01)
    rest = [batcher.put(item) for item in (4, 6, 3, 25, 2, 8, 1)]
    store.gate.set()
    assert await asyncio.gather(first, *rest) == [10, 40, 60, 30, 250, 20, 80, 10]
    assert store.batches == [[1], [4, 6], [3], [25], [2, 8], [1]]


async def test_drained_waits_for_what_is_under_way_and_what_is_waiting() -> None:
    store = Store()
    batcher = store.batcher(weight_max=1)
    store.gate.clear()
    puts = [batcher.put(item) for item in range(3)]
    draining = asyncio.create_task(batcher.drained())
    await asyncio.sleep(0.01)
    assert not draining.done()
    store.gate.set()
    await asyncio.wait_for(draining, 4)
    assert all(one.done() for one in puts)
    await asyncio.wait_for(batcher.drained(), 4)


async def test_a_caller_that_gives_up_hurts_nobody_else() -> None:
    store = Store()
    batcher = store.batcher()
    store.gate.clear()
    callers = [asyncio.ensure_future(batcher.put(item)) for item in range(6)]
    await asyncio.sleep(0.01)
    late = [asyncio.ensure_future(batcher.put(item)) for item in range(6, 9)]
    callers[2].cancel()  # its batch is under way
    late[1].cancel()  # its batch is still gathering
    store.gate.set()
    async with asyncio.timeout(4):
        results = await asyncio.gather(*callers, *late, return_exceptions=True)
    for item, result in enumerate(results):
        if item in (2, 7):
            assert isinstance(result, asyncio.CancelledError)
        else:
            assert result == item * 10


async def test_lanes_write_side_by_side_and_no_more_of_them_than_asked() -> None:
    store = Store()
    batcher = store.batcher(weight_max=2, lanes=2)
    store.gate.clear()
    puts = [batcher.put(item) for item in range(10)]
    await asyncio.sleep(0.01)
    assert store.batches == [[0, 1], [2, 3]]
    store.gate.set()
    assert await asyncio.gather(*puts) == [item * 10 for item in range(10)]
    assert store.at_once_max == 2


async def test_too_few_results_are_an_error_for_the_batch_and_not_a_wait_for_ever() -> None:
    async def forgetful(batch: Sequence[int]) -> Sequence[int]:
        return list(batch)[:-1] if len(batch) > 1 else list(batch)

    batcher: Batcher[int, int] = Batcher(forgetful, weight_max=10, pending_max=10)
    async with asyncio.timeout(4):
        await all_of(batcher, [1, 2, 3])


class Slow:
    """Takes each batch `takes_s`, and remembers their sizes."""

    def __init__(self, takes_s: float) -> None:
        self.sizes: list[int] = []
        self._takes_s = takes_s

    async def run(self, batch: Sequence[int]) -> Sequence[int]:
        self.sizes.append(len(batch))
        await asyncio.sleep(self._takes_s)
        return batch


async def test_what_keeps_coming_is_waited_for_while_batches_take_long() -> None:
    slow = Slow(0.1)
    batcher = Batcher(slow.run, weight_max=100, pending_max=100, lanes=2, linger_s=0.02, linger_s_max=1.0)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await batcher.put(1)
    assert loop.time() - began_s < 0.9, "one that is alone leaves after one short wait"
    for _batch in range(5):
        await batcher.put(1)
    slow.sizes.clear()
    puts = []
    for item in range(20):
        puts.append(batcher.put(item))
        await asyncio.sleep(0.002)
    await asyncio.gather(*puts)
    assert max(slow.sizes) >= 10, "twenty that came within 40 ms shared few batches"


async def test_what_keeps_coming_is_not_waited_for_while_batches_take_no_time() -> None:
    quick = Slow(0.0)
    batcher = Batcher(quick.run, weight_max=9_999, pending_max=9_999, linger_s=0.002, linger_s_max=10.0)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    puts = [batcher.put(0)]
    while not puts[0].done():
        puts.append(batcher.put(1))
        await asyncio.sleep(0.0005)
        assert loop.time() - began_s < 1.0


async def test_a_full_batch_leaves_without_waiting_for_more() -> None:
    slow = Slow(0.0)
    batcher = Batcher(slow.run, weight_max=5, pending_max=100, linger_s=5.0, linger_s_max=10.0)
    await asyncio.wait_for(asyncio.gather(*(batcher.put(item) for item in range(5))), 4)
    assert slow.sizes == [5]


async def test_enough_company_is_not_made_to_wait_for_more() -> None:
    slow = Slow(0.5)
    batcher = Batcher(
        slow.run, weight_max=100, pending_max=100, lanes=2, linger_s=0.05, linger_s_max=5.0, weight_target=8
    )
    for _batch in range(3):
        await batcher.put(0)  # teaches it that batches take long
    slow.sizes.clear()
    puts = []
    for item in range(40):
        puts.append(batcher.put(item))
        await asyncio.sleep(0.005)
    await asyncio.gather(*puts)
    assert 8 <= slow.sizes[0] <= 20, "it left when it was company, not after its longest wait"


async def test_one_lane_gathers_at_a_time() -> None:
    slow = Slow(0.05)
    batcher = Batcher(slow.run, weight_max=100, pending_max=1_000, lanes=3, linger_s=0.01, linger_s_max=0.05)
    puts = []
    for item in range(60):
        puts.append(batcher.put(item))
        await asyncio.sleep(0.001)
    assert await asyncio.gather(*puts) == list(range(60))
    await batcher.drained()
    assert all(slow.sizes), "a lane that found nothing to take ran an empty batch"
