"""Intervals of shares over seeds cover as often as they say, and never shrink to a point."""

import numpy as np
import pytest
from scipy.stats import binomtest

from gptgrid.stages.compare.paired import paired_difference
from gptgrid.stages.compare.seeded_shares import difference_intervals, share_intervals


def test_of_one_seed_it_is_wilsons():
    right = np.arange(40)[None] < 11
    expected = binomtest(11, 40).proportion_ci(method="wilson")
    assert share_intervals([right])[0] == pytest.approx((expected.low, expected.high))


def test_of_one_seed_a_difference_is_that_of_the_cell():
    right, other = np.arange(400)[None] < 200, np.arange(400)[None] % 2 == 0
    expected = paired_difference(right[0], other[0])
    found = difference_intervals([right], [other])[0]
    assert found == pytest.approx((expected.low, expected.high), abs=1e-3)


@pytest.mark.parametrize("all_or_none", [True, False])
def test_where_all_answers_are_alike_items_count_once(all_or_none):
    right = np.full((3, 20), all_or_none)
    expected = binomtest(20 * all_or_none, 20).proportion_ci(method="wilson")
    assert share_intervals([right])[0] == pytest.approx((expected.low, expected.high))
    low, high = difference_intervals([right], [right])[0]
    assert low == pytest.approx(-high) and 0.1 < high < 0.2


def test_nothing_comes_of_no_groups():
    assert share_intervals([]) == [] and difference_intervals([], []) == []


@pytest.mark.parametrize(("luck", "seeds"), [(0.0, 2), (0.0, 3), (0.3, 3)])
def test_it_covers_as_often_as_it_says(luck, seeds):
    generator = np.random.default_rng(0)

    def answers(easy):
        chances = 1 / (1 + np.exp(-(easy + luck * generator.normal(size=(seeds, 1)))))
        return generator.random((seeds, len(easy))) < chances

    easy = generator.normal(-1, 1.5, 200_000)
    truth = np.mean(1 / (1 + np.exp(-(easy + luck * generator.normal(size=len(easy))))))
    covered = same = 0
    for _ in range(300):
        of_items = generator.choice(easy, 60)
        groups, others = ([answers(of_items) for _ in range(2)] for _ in range(2))
        low, high = share_intervals(groups)[0]
        covered += low <= truth <= high
        low, high = difference_intervals(groups, others)[0]
        same += low <= 0 <= high
    assert covered > 270 and same > 270
