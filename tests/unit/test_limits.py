"""The bounds: named with their units, positive, and in the relations that the parts rely on."""

import re

import pytest

from homing import limits
from homing.dialects.laaffic import bounds as laaffic_bounds
from homing.dialects.lia import bounds as lia_bounds
from homing.text.segments import TextEncoding, capacity

NUMBERS = {
    f"{module.__name__}.{name}": value
    for module in (limits, laaffic_bounds, lia_bounds)
    for name, value in vars(module).items()
    if name.isupper() and not isinstance(value, tuple)
}
UNIT = re.compile(
    r"(BYTES|CHARS|UNITS|DIGITS|S|MS|DAYS|MESSAGES|ITEMS|NUMBERS|IDS|RECORDS|ROUNDS|FAILURES|ATTEMPTS|CONNECTIONS|SEGMENTS"
    r"|PAGE|PENDING|KEYS|PROFILES|WINDOW|LANES|BACKLOG|BURST|BATCH|FLIGHT|OUTSTANDING|VARIABLES|AHEAD|VALIDITY|CARRIER)"
)


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_every_bound_is_a_positive_number_that_names_what_it_counts(name: str) -> None:
    assert isinstance(NUMBERS[name], int | float)
    assert NUMBERS[name] > 0
    assert UNIT.search(name)


def test_leases_outlive_the_work_that_they_cover() -> None:
    assert limits.CARRIER_SUBMIT_TIMEOUT_S + limits.DATABASE_STATEMENT_TIMEOUT_S < limits.CLAIM_LEASE_S
    assert limits.PUSH_TIMEOUT_S + limits.DATABASE_STATEMENT_TIMEOUT_S < limits.PUSH_LEASE_S
    assert 3 * limits.ID_NODE_RENEW_S < limits.ID_NODE_LEASE_S
    assert limits.ID_AHEAD_MS_MAX < 3_000, "a released node number rests for three seconds (id_nodes.sql)"


def test_the_longest_texts_of_each_dialect_are_within_the_segments_bound() -> None:
    units = max(laaffic_bounds.CONTENT_UNITS_MAX, lia_bounds.TEXT_UNITS_MAX)
    pairs_cut_short = capacity(TextEncoding.UCS2, 6) - 1
    assert -(-units // pairs_cut_short) <= limits.SEGMENTS_MAX + 1
    assert -(-units // capacity(TextEncoding.UCS2, 6)) <= limits.SEGMENTS_MAX


def test_pushes_are_tried_over_days_and_each_wait_is_longer() -> None:
    waits = limits.PUSH_WAITS_S
    assert list(waits) == sorted(set(waits))
    assert sum(waits) > 2 * 86_400


def test_a_receipt_is_still_heard_when_the_longest_validity_ends() -> None:
    assert limits.VALIDITY_S_MAX + limits.EXPIRY_GRACE_S < limits.RECEIPT_MATCH_DAYS * 86_400


def test_a_stopping_process_has_longer_than_what_it_waits_for() -> None:
    assert limits.DRAIN_TIMEOUT_S > limits.PUSH_TIMEOUT_S
    assert limits.DRAIN_TIMEOUT_S > limits.DATABASE_STATEMENT_TIMEOUT_S
