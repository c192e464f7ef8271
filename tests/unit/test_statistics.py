"""Statistics, the pure part: sums by cell, rates with their intervals, which periods are read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import limits
from homing.model import PeriodGrain
from homing.statistics.app_reporting import shows_conversions
from homing.statistics.delta import FIGURES, Delta
from homing.statistics.report import ReportGrouping, grain_for, per_conversion, rate
from homing.statistics.rollup import first_minutes
from homing.statistics.sums import labels_of, sum_by_cell

NOW = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
places = st.builds(
    Delta,
    minute=st.integers(100, 103),
    account_id=st.integers(1, 2),
    app_id=st.sampled_from(["a", "b"]),
    country=st.just("KE"),
    network=st.just("63902"),
    block=st.sampled_from(["254722123", "254722999", "25473"]),
    carrier_id=st.integers(1, 2),
    sender=st.sampled_from(["", "ACME"]),
    submitted=st.integers(-2, 3),
    sent=st.integers(0, 3),
    delivered=st.integers(0, 3),
    converted=st.integers(0, 2),
    refused=st.integers(0, 2),
    cost_micro=st.integers(0, 10**12),
    revenue_micro=st.integers(-(10**12), 10**12),
    receipt_bucket=st.integers(-1, 16),
    conversion_bucket=st.integers(-1, 16),
)


@given(st.lists(places, max_size=40))
def test_sums_by_cell_lose_nothing_and_mix_nothing(deltas: list[Delta]) -> None:
    cells = {names: number for number, names in enumerate(sorted({labels_of(one) for one in deltas}))}
    sums = sum_by_cell(deltas, cells)
    for (account_id, minute, cell_id, receipt, conversion), figures in sums.items():
        mine = [
            one
            for one in deltas
            if (one.account_id, one.minute, one.receipt_bucket, one.conversion_bucket)
            == (account_id, minute, receipt, conversion)
            and cells[labels_of(one)] == cell_id
        ]
        assert mine
        assert figures == [sum(getattr(one, name) for one in mine) for name in FIGURES]
    assert len(sums) == len({(one.minute, labels_of(one), one.receipt_bucket, one.conversion_bucket) for one in deltas})


def test_numbers_of_one_prefix_share_a_cell_whatever_their_blocks() -> None:
    near = Delta(1, 7, "a", "KE", "63902", "254722123", 3, "")
    far = Delta(1, 7, "a", "KE", "63902", "254722999", 3, "")
    assert labels_of(near) == labels_of(far)


def test_a_rate_comes_with_the_interval_that_its_count_allows() -> None:
    few, many = rate(9, 10), rate(9_000, 10_000)
    assert few is not None
    assert many is not None
    assert few.mean == many.mean == 0.9
    assert few.low < 0.7 < many.low < 0.9 < many.high < few.high < 1
    assert (round(many.low, 3), round(many.high, 3)) == (0.894, 0.906)
    assert rate(0, 0) is None


def test_an_interval_is_not_empty_where_all_or_none_came() -> None:
    none, all_of_them = rate(0, 20), rate(20, 20)
    assert none is not None
    assert all_of_them is not None
    assert none.low == 0 < none.high < 0.2
    assert 0.8 < all_of_them.low < all_of_them.high == 1


def test_more_conversions_than_sent_messages_count_as_all() -> None:
    found = rate(3, 2)
    assert found is not None
    assert found.mean == 1


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_rate_lies_in_its_interval(hits: int, trials: int) -> None:
    found = rate(hits, trials)
    assert found is not None
    assert 0 <= found.low <= found.mean <= found.high <= 1


@pytest.mark.parametrize(
    ("by", "ago", "grain"),
    [
        (ReportGrouping.CARRIER, timedelta(hours=2), PeriodGrain.MINUTE),
        (ReportGrouping.CARRIER, timedelta(hours=4), PeriodGrain.HOUR),
        (ReportGrouping.CARRIER, timedelta(days=limits.STAT_HOUR_DAYS - 1), PeriodGrain.HOUR),
        (ReportGrouping.CARRIER, timedelta(days=limits.STAT_HOUR_DAYS + 1), PeriodGrain.DAY),
        (ReportGrouping.DAY, timedelta(hours=2), PeriodGrain.DAY),
        (ReportGrouping.MINUTE, timedelta(hours=20), PeriodGrain.MINUTE),
    ],
)
def test_the_finest_periods_that_are_kept_and_not_too_many_are_read(
    by: ReportGrouping, ago: timedelta, grain: PeriodGrain
) -> None:
    assert grain_for(by, NOW - ago, NOW, NOW) is grain


def test_a_short_span_long_ago_is_read_by_what_is_still_kept() -> None:
    since = NOW - timedelta(days=limits.STAT_MINUTE_DAYS + 1)
    assert grain_for(ReportGrouping.CARRIER, since, since + timedelta(hours=1), NOW) is PeriodGrain.HOUR


def test_days_are_kept_for_ever_and_hours_longer_than_minutes() -> None:
    found = first_minutes(NOW)
    assert found[PeriodGrain.DAY] == 0 < found[PeriodGrain.HOUR] < found[PeriodGrain.MINUTE] < NOW.timestamp() / 60


@pytest.mark.parametrize(
    ("sent", "converted", "shows"),
    [(0, 0, None), (99, 0, None), (100, 0, False), (50, 2, None), (50, 3, True), (400, 3, False), (400, 4, True)],
)
def test_an_app_s_traffic_shows_whether_it_reports(sent: int, converted: int, shows: bool | None) -> None:
    assert shows_conversions(sent, converted) is shows


@pytest.mark.parametrize(
    ("micro", "converted", "each"), [(30_000, 3, 10_000), (20_000, 3, 6_667), (0, 4, 0), (30_000, 0, None)]
)
def test_an_amount_is_divided_by_its_conversions(micro: int, converted: int, each: int | None) -> None:
    assert per_conversion(micro, converted) == each
