"""Migrations: their numbers, and which releases may share a database (CONTRIBUTING.md)."""

import pytest

from homing import errors
from homing.store.migrate import Migration, available, check_compatible, pending

OURS = [Migration(1, "accounts", "", 1), Migration(2, "prices", "", 1), Migration(3, "routes", "", 3)]


def test_each_migration_has_a_number_of_its_own() -> None:
    numbers = [migration.number for migration in available()]
    assert numbers == sorted(set(numbers))


def test_no_migration_needs_code_that_is_newer_than_itself() -> None:
    assert [
        migration.name for migration in available() if not 0 < migration.compatible_number <= migration.number
    ] == []


@pytest.mark.parametrize("applied", [{}, {1: 1}, {1: 1, 2: 1, 3: 3}])
def test_a_database_of_this_release_or_an_older_one_is_used(applied: dict[int, int]) -> None:
    check_compatible(applied, OURS)


def test_a_newer_schema_is_used_when_it_states_that_this_release_can_work_on_it() -> None:
    check_compatible({1: 1, 2: 1, 3: 3, 4: 3}, OURS)


@pytest.mark.parametrize("applied", [{1: 1, 2: 1, 3: 3, 4: 4}, {1: 1, 2: 1, 3: 3, 4: 3, 5: 5}])
def test_a_newer_schema_that_needs_newer_code_is_refused(applied: dict[int, int]) -> None:
    with pytest.raises(errors.InvalidInput, match="use a newer Homing"):
        check_compatible(applied, OURS)


def test_a_schema_of_another_branch_is_refused() -> None:
    with pytest.raises(errors.InvalidInput):
        check_compatible({1: 1, 3: 3}, [OURS[0], Migration(4, "others", "", 1)])


def test_a_pending_migration_says_whether_all_processes_are_stopped_for_it() -> None:
    assert [(each.name, each.stops_all) for each in pending({1: 1}, OURS)] == [
        ("0002_prices", False),
        ("0003_routes", True),
    ]
    assert [each.stops_all for each in pending({}, OURS)] == [False, False, False], "a new database has no processes"
    assert pending({1: 1, 2: 1, 3: 3}, OURS) == []
