"""Message ids: increasing, exact in JavaScript, ordered by time, and honest about the clock."""

import pytest

from homing import errors, limits
from homing.common import ids
from homing.common.ids import EPOCH_MS, ID_MAX, NODES, IdSource, first_id_at, id_time_ms

PER_MS = 64
NOW_MS = EPOCH_MS + 60_000_000_000


class Clock:
    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def last_before_overload(source: IdSource) -> int:
    """Takes ids until there are no more, each above the one before."""
    last = 0
    for _ in range((limits.ID_AHEAD_MS_MAX + 10) * PER_MS):
        try:
            given = source.next()
        except errors.Overloaded:
            return last
        assert given > last
        last = given
    raise AssertionError("ids without end")


def test_ids_increase_strictly_within_and_across_milliseconds() -> None:
    clock = Clock()
    source = IdSource(3, clock)
    given = []
    for step in (0, 0, 1, 0, 7, 1):
        clock.now_ms += step
        given += [source.next() for _ in range(50)]
    assert given == sorted(set(given))


def test_an_id_tells_when_it_was_given_out() -> None:
    clock = Clock()
    assert id_time_ms(IdSource(63, clock).next()) == NOW_MS


def test_ids_stay_exact_in_javascript_until_their_time_is_over() -> None:
    last_ms = EPOCH_MS + (1 << 41) - 1
    clock = Clock(last_ms)
    source = IdSource(NODES - 1, clock)
    assert [source.next() for _ in range(PER_MS)][-1] == ID_MAX == 2**53 - 1
    assert float(ID_MAX) == ID_MAX


def test_nodes_never_give_the_same_id() -> None:
    sources = [IdSource(node, Clock()) for node in range(NODES)]
    given = [source.next() for _ in range(PER_MS) for source in sources]
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("node", [-1, NODES])
def test_there_are_64_nodes(node: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        IdSource(node)


def test_a_burst_borrows_from_the_coming_milliseconds_and_gives_them_back() -> None:
    clock = Clock()
    source = IdSource(0, clock)
    given = [source.next() for _ in range(10 * PER_MS)]
    assert id_time_ms(given[-1]) == NOW_MS + 9
    clock.now_ms += 100
    assert id_time_ms(source.next()) == NOW_MS + 100


def test_borrowing_has_a_bound_and_service_resumes_with_the_clock() -> None:
    clock = Clock()
    source = IdSource(0, clock)
    given = last_before_overload(source)
    assert limits.ID_AHEAD_MS_MAX <= id_time_ms(given) - NOW_MS <= limits.ID_AHEAD_MS_MAX + 1
    clock.now_ms += 5
    assert source.next() > given


def test_a_clock_that_steps_back_a_little_costs_nothing_and_repeats_nothing() -> None:
    clock = Clock()
    source = IdSource(0, clock)
    before = [source.next() for _ in range(40)]
    clock.now_ms -= 1_500
    after = [source.next() for _ in range(500)]
    assert min(after) > max(before)
    assert len(set(before + after)) == 540


def test_a_clock_that_steps_far_back_is_waited_out_and_never_repeats() -> None:
    clock = Clock()
    source = IdSource(0, clock)
    before = source.next()
    clock.now_ms -= 60_000
    assert last_before_overload(source) > before
    clock.now_ms += 60_001
    assert source.next() > before


def test_the_first_id_of_a_millisecond_bounds_all_of_them() -> None:
    source = IdSource(NODES - 1, Clock())
    given = [source.next() for _ in range(PER_MS)]
    assert first_id_at(NOW_MS) <= min(IdSource(0, Clock()).next(), *given)
    assert max(given) < first_id_at(NOW_MS + 1)
    assert first_id_at(0) == 0


def test_the_wall_clock_is_in_milliseconds_of_this_century() -> None:
    assert EPOCH_MS < ids.wall_clock_ms() < EPOCH_MS + (1 << 41)
