"""The difference of two shares of the same items, against published figures and many drawn ones."""

import numpy as np
import pytest
from scipy.stats import binomtest

from gptgrid.stages.compare.paired import paired_difference


def items(both: int, gained: int, lost: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    right = np.repeat([True, True, False, False], [both, gained, lost, neither])
    other = np.repeat([True, False, True, False], [both, gained, lost, neither])
    return right, other


def test_agresti_s_ratings_of_the_prime_minister():
    """794 British approve (944) or not in two surveys: 86 turned to it, 150 from it (Agresti, Categorical Data
    Analysis, table 10.1): difference −0.041 … Wald −0.060 to −0.022; the adjusted interval is much the same."""
    found = paired_difference(*items(794, 86, 150, 570))
    assert found.value == pytest.approx(-64 / 1600)
    assert (found.low, found.high) == pytest.approx((-0.0587, -0.0212), abs=3e-4)
    assert found.p == binomtest(86, 236).pvalue == pytest.approx(3.7e-5, rel=0.05)


def test_where_both_do_alike_the_interval_is_no_point():
    found = paired_difference(*items(10, 0, 0, 10))
    assert (found.value, found.p) == (0.0, 1.0)
    assert found.low == -found.high and found.high > 0.05
    every = paired_difference(*items(0, 40, 0, 0))
    assert every.value == 1.0 and 0.8 < every.low < every.high <= 1.0 and every.p < 1e-9


@pytest.mark.parametrize("chances", [(0.2, 0.3, 0.1, 0.4), (0.02, 0.1, 0.01, 0.87), (0.0, 0.5, 0.0, 0.5)])
@pytest.mark.parametrize("number", [25, 200])
def test_intervals_cover_and_p_keeps_its_level(chances, number):
    drawn = np.random.default_rng(1).multinomial(number, chances, 1500)
    found = [paired_difference(*items(*counts)) for counts in drawn]
    true = chances[1] - chances[2]
    assert np.mean([each.low <= true <= each.high for each in found]) >= 0.93


def test_p_of_like_shares_keeps_its_level():
    drawn = np.random.default_rng(1).multinomial(60, (0.3, 0.1, 0.1, 0.5), 1500)
    assert np.mean([paired_difference(*items(*counts)).p < 0.05 for counts in drawn]) <= 0.05
