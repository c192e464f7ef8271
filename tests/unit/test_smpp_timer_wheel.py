"""The one sweep for all sessions, on a clock of the test's own."""

from homing.smpp.timer_wheel import TimerWheel


class Member:
    def __init__(self) -> None:
        self.ticks: list[float] = []

    def tick(self, now_s: float) -> None:
        self.ticks.append(now_s)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_round_ticks_every_member_once() -> None:
    timer_wheel = TimerWheel(Clock(), slots=4)
    members = [Member() for _n in range(11)]
    for member in members:
        timer_wheel.add(member)
    timer_wheel.sweep()
    assert [len(member.ticks) for member in members] == [1] * 11


def test_members_are_spread_so_that_no_step_has_many() -> None:
    clock = Clock()
    timer_wheel = TimerWheel(clock, slots=4)
    members = [Member() for _n in range(100)]
    for member in members:
        timer_wheel.add(member)
    for step in range(1, 5):
        clock.now_s = float(step)
        timer_wheel.step()
    told = [member.ticks[0] for member in members]
    assert [told.count(float(step)) for step in range(1, 5)] == [25] * 4


def test_who_has_left_is_ticked_no_more_even_when_another_took_it_out_in_the_same_step() -> None:
    timer_wheel = TimerWheel(Clock(), slots=1)

    class Leaver(Member):
        def tick(self, now_s: float) -> None:
            super().tick(now_s)
            timer_wheel.discard(self)

    member = Leaver()
    timer_wheel.add(member)
    timer_wheel.sweep()
    timer_wheel.sweep()
    assert len(member.ticks) == 1
    assert len(timer_wheel) == 0
    timer_wheel.discard(member)  # twice is once


def test_the_time_of_the_first_member_is_the_clocks_and_not_that_of_the_last_sweep() -> None:
    clock = Clock()
    timer_wheel = TimerWheel(clock)
    clock.now_s = 500.0
    timer_wheel.add(Member())
    assert timer_wheel.now_s == 500.0


def test_the_time_is_read_anew_while_there_is_nobody_to_sweep() -> None:
    clock = Clock()
    timer_wheel = TimerWheel(clock)
    clock.now_s = 60.0
    assert timer_wheel.read() == 60.0, "a session that is made now begins now"
    timer_wheel.add(Member())
    clock.now_s = 61.0
    assert timer_wheel.read() == 60.0
