"""Wrong passwords of calls: who is locked out, who has to wait, and who is not touched by either."""

import pytest

from homing import limits
from homing.common.call_guard import CallGuard
from homing.common.failure_counts import (
    PASSWORD_FORGET_S,
    PASSWORD_LOCK_S,
    PASSWORD_LOCK_S_MAX,
    PASSWORD_STRANGER_DELAY_S_MAX,
)

TEN = limits.PASSWORD_FAILURES_MAX
MANY = limits.PASSWORD_ADDRESS_FAILURES_MAX


def wrong(
    guard: CallGuard, address: str, name: str, now_s: float = 0.0, times: int = 1
) -> dict[tuple[str, str], float]:
    locks: dict[tuple[str, str], float] = {}
    for _ in range(times):
        locks.update(guard.wrong(address, name, now_s))
    return locks


def test_ten_wrong_passwords_lock_the_name_for_the_address_alone() -> None:
    guard = CallGuard()
    assert not wrong(guard, "192.0.2.1", "acme", times=TEN - 1)
    assert not guard.is_locked("192.0.2.1", "acme", 0)
    assert wrong(guard, "192.0.2.1", "acme") == {("192.0.2.1", "acme"): PASSWORD_LOCK_S}
    assert guard.is_locked("192.0.2.1", "acme", PASSWORD_LOCK_S - 1)
    assert not guard.is_locked("192.0.2.1", "other", 0)
    assert not guard.is_locked("192.0.2.2", "acme", 0)


def test_a_lock_lasts_longer_each_time_and_has_an_end() -> None:
    guard = CallGuard()
    now_s, lasts_s = 0.0, []
    wrong(guard, "192.0.2.1", "acme", times=TEN - 1)
    for _ in range(12):
        (left_s,) = wrong(guard, "192.0.2.1", "acme", now_s).values()
        assert not guard.is_locked("192.0.2.1", "acme", now_s + left_s)
        lasts_s.append(left_s)
        now_s += left_s
    assert lasts_s[:3] == [PASSWORD_LOCK_S * factor for factor in (1, 2, 4)]
    assert lasts_s[-1] == PASSWORD_LOCK_S_MAX


def test_who_goes_through_names_is_locked_out_for_all_of_them() -> None:
    guard = CallGuard()
    for n in range(MANY):
        wrong(guard, "192.0.2.1", f"customer-{n}")
    assert guard.is_locked("192.0.2.1", "another", 0)
    assert not guard.is_locked("192.0.2.2", "another", 0)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_machine_itself_may_be_everybodys_proxy_and_is_not_locked_out_as_a_whole(address: str) -> None:
    guard = CallGuard()
    for n in range(2 * MANY):
        wrong(guard, address, f"customer-{n}")
    assert not guard.is_locked(address, "another", 0)
    wrong(guard, address, "acme", times=TEN)
    assert guard.is_locked(address, "acme", 0)


def test_ipv6_is_counted_by_network_and_by_the_networks_that_one_customer_of_a_provider_has() -> None:
    guard = CallGuard()
    wrong(guard, "2001:db8:1:1::1", "acme", times=TEN)
    assert guard.is_locked("2001:db8:1:1::2", "acme", 0)
    assert not guard.is_locked("2001:db8:1:2::1", "acme", 0)
    for n in range(4 * MANY):
        wrong(guard, f"2001:db8:1:{n % 256:x}::1", f"customer-{n}")
    assert guard.is_locked("2001:db8:1:ff::9", "another", 0), "/56"
    assert not guard.is_locked("2001:db8:1:100::9", "another", 0)
    for n in range(12 * MANY):
        wrong(guard, f"2001:db8:1:{n * 7 % 65_536:x}::1", f"customer-{n}")
    assert guard.is_locked("2001:db8:1:ff00::9", "another", 0), "/48"
    assert not guard.is_locked("2001:db8:2:ff00::9", "another", 0)


def test_strangers_wait_for_a_name_that_many_guess() -> None:
    guard = CallGuard()
    for n in range(1_000):
        wrong(guard, f"198.51.{n // 250}.{n % 250}", "acme")
    assert guard.wait_s("acme", 0) == PASSWORD_STRANGER_DELAY_S_MAX
    assert guard.wait_s("other", 0) == 0
    assert guard.wait_s("acme", PASSWORD_FORGET_S + 1) == 0


def test_what_another_process_locked_is_locked_here() -> None:
    guard = CallGuard()
    guard.lock(("192.0.2.1", "acme"), 50.0, 0.0)
    guard.lock(("192.0.2.2", ""), 50.0, 0.0)
    assert guard.is_locked("192.0.2.1", "acme", 49)
    assert guard.is_locked("192.0.2.2", "any", 49)
    assert not guard.is_locked("192.0.2.1", "acme", 50)
    assert not guard.is_locked("192.0.2.1", "any", 0)


def test_memory_is_bounded() -> None:
    guard = CallGuard()
    for n in range(limits.PASSWORD_GUARD_KEYS_MAX + 10):
        guard.know(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", "acme")
    assert not guard.is_known("10.0.0.0", "acme")
    assert guard.is_known("10.0.0.100", "acme")
