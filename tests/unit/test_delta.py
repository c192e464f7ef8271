"""A delta's parts: the cohort's minute, a number's range, the sums."""

from typing import Any

from homing.common import ids
from homing.statistics.delta import FIGURES, Delta, block_of, minute_of, totals

DELTA = Delta(29_000_000, 7, "app", "KE", "63902", "254722123", 3, "ACME")


def test_a_message_counts_for_the_minute_of_its_id() -> None:
    submitted_ms = 1_790_000_123_456
    assert minute_of(ids.first_id_at(submitted_ms) | 4095) == submitted_ms // 60_000


def test_a_block_is_the_number_without_its_last_three_digits() -> None:
    assert block_of("254722123456") == "254722123"
    assert block_of("12") == ""


def test_a_prefix_is_the_numbers_first_six_digits() -> None:
    assert DELTA.prefix == "254722"


def test_totals_add_up_every_figure_of_every_delta() -> None:
    figures: dict[str, Any] = {name: index for index, name in enumerate(FIGURES, 1)}
    one = Delta(1, 7, "a", "KE", "-1-1", "", 3, "", **figures)
    back = Delta(1, 7, "a", "KE", "-1-1", "", 3, "", submitted=-1, revenue_micro=-8)
    sums = totals([one, one, back])
    assert sums == {name: 2 * index for index, name in enumerate(FIGURES, 1)} | {"submitted": 1, "revenue_micro": 8}
