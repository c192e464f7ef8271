"""Times in buckets: where a time lies, what a share of them took, how many have come by an age."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.common.histogram import BUCKETS, EDGES_S, bucket_of, edges_of, empty, quantile, share_by

counts = st.lists(st.integers(0, 1000), min_size=BUCKETS, max_size=BUCKETS)


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(-5, 0), (0, 0), (1, 0), (1.001, 1), (2, 1), (15, 4), (15.1, 5), (86_400, 15), (1e9, 16)]
)
def test_a_time_lies_in_the_bucket_whose_upper_edge_it_does_not_pass(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


@given(st.floats(0.001, 1e7))
def test_a_bucket_holds_its_times(seconds: float) -> None:
    lower_s, upper_s = edges_of(bucket_of(seconds))
    assert lower_s < seconds <= upper_s or seconds <= upper_s == EDGES_S[0]


def test_of_no_counts_nothing_is_told() -> None:
    assert quantile(empty(), 0.5) is None
    assert share_by(empty(), 60) is None


def test_a_median_lies_inside_its_bucket_as_far_as_the_counts_reach() -> None:
    found = empty()
    found[2], found[3] = 10, 10  # 2..4 s and 4..8 s
    assert quantile(found, 0.5) == 4
    assert quantile(found, 0.25) == 3
    assert quantile(found, 0.75) == 6
    assert quantile(found, 1.0) == 8


def test_what_took_longer_than_the_last_edge_is_told_as_that_edge() -> None:
    found = empty()
    found[-1] = 3
    assert quantile(found, 0.5) == 86_400


def test_the_share_by_an_age_grows_along_the_bucket() -> None:
    found = empty()
    found[6], found[-1] = 50, 50  # 30..60 s, and never in a day
    assert share_by(found, 30) == 0
    assert share_by(found, 45) == 0.25
    assert share_by(found, 60) == 0.5
    assert share_by(found, 1e8) == 0.5
    assert share_by(found, math.inf) == 1


@given(counts, st.floats(0.01, 0.99))
def test_the_share_by_a_quantile_is_that_share(found: list[int], share: float) -> None:
    if not sum(found):
        return
    at_s = quantile(found, share)
    assert at_s is not None
    by = share_by(found, at_s)
    assert by is not None
    if at_s < EDGES_S[-2]:
        assert by == pytest.approx(share, abs=1e-9)
    else:
        assert by <= share + 1e-9


@given(counts, st.lists(st.floats(0, 1e6), min_size=2, max_size=2))
def test_a_share_never_falls_with_age(found: list[int], ages_s: list[float]) -> None:
    if sum(found):
        young, old = (share_by(found, age_s) for age_s in sorted(ages_s))
        assert young is not None
        assert old is not None
        assert young <= old + 1e-12
