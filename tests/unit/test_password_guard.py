"""Wrong passwords: who waits, who is locked out, and who is not."""

import pytest

from homing import limits
from homing.common.failure_counts import PASSWORD_FORGET_S, PASSWORD_LOCK_S, PASSWORD_STRANGER_DELAY_S_MAX
from homing.common.password_guard import PASSWORD_DELAY_S_MAX, PasswordGuard, PasswordTry


def wrong(guard: PasswordGuard, address: str, system_id: str, now_s: float, times: int = 1) -> None:
    for _ in range(times):
        one = guard.may_try(address, system_id, now_s)
        assert one is not None
        guard.tried(one, False, now_s)


def right(guard: PasswordGuard, address: str, system_id: str, now_s: float) -> float:
    """The wait of a try that goes well."""
    one = guard.may_try(address, system_id, now_s)
    assert one is not None
    guard.tried(one, True, now_s)
    return one.wait_s


def wait_s(guard: PasswordGuard, address: str, system_id: str, now_s: float) -> float | None:
    one = guard.may_try(address, system_id, now_s)
    if one is None:
        return None
    guard.tried(one, None, now_s)
    return one.wait_s


def test_the_first_try_does_not_wait() -> None:
    assert wait_s(PasswordGuard(), "192.0.2.1", "acme", 0) == 0


def test_each_wrong_password_makes_the_next_try_wait_longer_up_to_a_bound() -> None:
    guard = PasswordGuard()
    waits = []
    for _ in range(limits.PASSWORD_FAILURES_MAX - 1):
        wrong(guard, "192.0.2.1", "acme", 0)
        waits.append(wait_s(guard, "192.0.2.1", "acme", 0))
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert all(wait is not None for wait in waits)
    assert waits == sorted(wait or 0.0 for wait in waits)
    assert waits[-1] == PASSWORD_DELAY_S_MAX


def test_an_address_is_locked_out_after_ten_whatever_it_tries_and_longer_each_time() -> None:
    guard = PasswordGuard()
    for n in range(limits.PASSWORD_FAILURES_MAX):
        wrong(guard, "192.0.2.1", f"customer-{n}", 0)
    assert guard.may_try("192.0.2.1", "another", PASSWORD_LOCK_S - 1) is None
    wrong(guard, "192.0.2.1", "acme", PASSWORD_LOCK_S)
    assert guard.may_try("192.0.2.1", "acme", 2.9 * PASSWORD_LOCK_S) is None
    assert wait_s(guard, "192.0.2.1", "acme", 3 * PASSWORD_LOCK_S) is not None


def test_nobody_can_lock_out_a_customer_who_comes_from_elsewhere() -> None:
    guard = PasswordGuard()
    for n in range(1_000):
        wrong(guard, f"198.51.{n // 250}.{n % 250}", "acme", 0)
    assert right(guard, "192.0.2.1", "acme", 0) == PASSWORD_STRANGER_DELAY_S_MAX
    assert right(guard, "192.0.2.1", "acme", 0) == 0, "a known pair waits for nobody"
    assert wait_s(guard, "192.0.2.1", "other", 0) == 0


def test_what_others_do_at_its_address_does_not_touch_a_pair_that_has_bound() -> None:
    guard = PasswordGuard()
    right(guard, "192.0.2.1", "acme", 0)
    wrong(guard, "192.0.2.1", "other", 0, limits.PASSWORD_FAILURES_MAX)
    assert guard.may_try("192.0.2.1", "stranger", 0) is None
    assert right(guard, "192.0.2.1", "acme", 0) == 0


def test_a_known_pair_that_goes_wrong_is_locked_out_by_itself_and_forgiven_when_it_is_right() -> None:
    guard = PasswordGuard()
    right(guard, "192.0.2.1", "acme", 0)
    wrong(guard, "192.0.2.1", "acme", 0, 3)
    assert wait_s(guard, "192.0.2.1", "acme", 0) == 2.0
    right(guard, "192.0.2.1", "acme", 0)
    assert wait_s(guard, "192.0.2.1", "acme", 0) == 0
    wrong(guard, "192.0.2.1", "acme", 0, limits.PASSWORD_FAILURES_MAX)
    assert guard.may_try("192.0.2.1", "acme", 1) is None
    assert wait_s(guard, "192.0.2.1", "other", 1) == 0


def test_a_right_password_does_not_wipe_out_what_its_address_did_wrong() -> None:
    guard = PasswordGuard()
    for _ in range(limits.PASSWORD_FAILURES_MAX - 1):
        wrong(guard, "192.0.2.1", "victim", 0)
        right(guard, "192.0.2.1", "mine", 0)
    wrong(guard, "192.0.2.1", "victim", 0)
    assert guard.may_try("192.0.2.1", "victim", 0) is None


def test_wrong_passwords_are_forgotten_after_a_while() -> None:
    guard = PasswordGuard()
    wrong(guard, "192.0.2.1", "acme", 0, 5)
    assert wait_s(guard, "192.0.2.1", "acme", PASSWORD_FORGET_S + 1) == 0


def test_a_stranger_has_few_passwords_looked_at_at_once_and_a_known_pair_any_number() -> None:
    guard = PasswordGuard()
    under_way: list[PasswordTry | None] = []
    while not guard.is_busy("192.0.2.1", "acme", 0):
        under_way.append(guard.may_try("192.0.2.1", "acme", 0))
    assert len(under_way) == limits.PASSWORD_PENDING_MAX
    assert not guard.is_busy("192.0.2.2", "acme", 0)
    first = under_way[0]
    assert first is not None
    guard.tried(first, True, 0)
    assert not guard.is_busy("192.0.2.1", "acme", 0)
    for one in under_way[1:]:
        assert one is not None
        guard.tried(one, True, 0)
    assert not guard.is_busy("192.0.2.1", "other", 0)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_an_ipv6_network_counts_as_one_address(first: str, second: str, same: bool) -> None:
    guard = PasswordGuard()
    wrong(guard, first, "acme", 0)
    assert bool(wait_s(guard, second, "other", 0)) == same


def test_its_memory_is_bounded() -> None:
    guard = PasswordGuard()
    for n in range(limits.PASSWORD_GUARD_KEYS_MAX + 500):
        address = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        wrong(guard, address, f"x{n}", 0)
        right(guard, address, f"y{n}", 0)
    for table in (guard._addresses, guard._pairs, guard._targets):
        assert len(table._counts) <= limits.PASSWORD_GUARD_KEYS_MAX
    assert len(guard._known) <= limits.PASSWORD_GUARD_KEYS_MAX


def test_of_ipv6_the_networks_that_one_customer_of_a_provider_has_are_counted_as_well() -> None:
    guard = PasswordGuard()
    right(guard, "2001:db8:1:1::1", "acme", 0)
    for n in range(4 * limits.PASSWORD_FAILURES_MAX):
        wrong(guard, f"2001:db8:1:{n:x}::1", f"customer-{n}", 0)
    assert guard.may_try("2001:db8:1:ff::1", "another", 0) is None, "/56"
    assert right(guard, "2001:db8:1:1::1", "acme", 0) == 0, "a known pair is not touched"
    assert wait_s(guard, "2001:db8:1:100::1", "another", 0) == 0
    for n in range(12 * limits.PASSWORD_FAILURES_MAX):
        wrong(guard, f"2001:db8:1:{(n + 1) * 256:x}::1", f"customer-{n}", 0)
    assert guard.may_try("2001:db8:1:ff00::1", "another", 0) is None, "/48"
    assert wait_s(guard, "2001:db8:2:ff00::1", "another", 0) == 0
