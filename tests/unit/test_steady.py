"""A process's time under a machine's clock that is stepped."""

from datetime import UTC, datetime, timedelta

from homing.common.ids import IdSource, id_time_ms
from homing.common.steady_clock import SteadyClock

START_S = 1_800_000_000.0


class Machine:
    """Both of its clocks, moved by hand."""

    def __init__(self) -> None:
        self.wall_s = START_S
        self.monotonic_s = 100.0

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall_s, lambda: self.monotonic_s)


def test_it_follows_a_clock_that_is_right_and_one_that_drifts() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(1_000):
        machine.passes(10)
        machine.wall_s -= 0.001
        assert abs(clock.unix_s() - machine.wall_s) < 1.1
    assert clock.stepped_s == 0


def test_a_step_back_is_survived_at_the_pace_of_time_and_told() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(5)
    before = clock()
    machine.wall_s -= 3_600
    assert clock() == before
    machine.passes(60)
    assert clock() == before + timedelta(seconds=60), "what is due in a minute is due in a minute"
    assert round(clock.ahead_s) == 3_600
    assert round(clock.stepped_s) == -3_600
    machine.wall_s += 3_600  # set right
    assert clock() == datetime.fromtimestamp(machine.wall_s, UTC)
    assert clock.ahead_s == 0


def test_a_step_forwards_is_followed_and_told() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall_s += 7_200
    assert clock.unix_s() == machine.wall_s
    assert (clock.ahead_s, round(clock.stepped_s)) == (0, 7_200)


def test_whoever_starts_goes_on_from_what_the_others_had_got_to() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.no_earlier_than(datetime.fromtimestamp(START_S + 3_600, UTC))
    assert clock.unix_s() == START_S + 3_600
    machine.passes(10)
    assert clock.unix_s() == START_S + 3_610
    clock.no_earlier_than(datetime.fromtimestamp(START_S, UTC))
    assert clock.unix_s() == START_S + 3_610
    assert round(clock.ahead_s) == 3_600


def test_ids_go_on_increasing_for_as_long_as_a_clock_is_behind() -> None:
    machine = Machine()
    clock = machine.clock()
    source = IdSource(3, clock.unix_ms)
    last = source.next()
    machine.wall_s -= 3_600
    for _ in range(2_000):
        machine.passes(0.01)
        new = source.next()
        assert new > last
        last = new
    assert abs(id_time_ms(last) / 1000 - (START_S + 20)) < 1
