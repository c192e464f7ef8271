"""The interval of a Poisson mean, against the exact bounds (Garwood)."""

import pytest

from homing.common.poisson import poisson_interval

EXACT = {
    0: (0.0, 3.688879),
    1: (0.025318, 5.571643),
    3: (0.618672, 8.767273),
    10: (4.795389, 18.390356),
    100: (81.3637, 121.6267),
}


@pytest.mark.parametrize("count", EXACT)
def test_the_bounds_are_nearly_the_exact_ones(count: int) -> None:
    assert poisson_interval(count) == pytest.approx(EXACT[count], rel=0.02, abs=0.02)
