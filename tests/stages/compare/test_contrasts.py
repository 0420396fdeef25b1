"""A difference is as sure as seeds and documents allow: against textbook tests, and against its own spread."""

import numpy as np
import pytest
from scipy import stats

from gptgrid.stages.compare.contrasts import Group, contrasts, document_df, spread_of, summarize_group

PAIR = np.array([[1.0, -1.0]])


def groups_of(*nats: np.ndarray, size: np.ndarray) -> list[Group]:
    return [summarize_group(np.atleast_2d(each), size) for each in nats]


def test_of_one_seed_it_is_the_paired_t_test_over_documents():
    generator = np.random.default_rng(0)
    first, second = generator.normal(100, 10, (2, 50))
    size = np.full(50, 20.0)
    found = contrasts(PAIR, groups_of(first, second, size=size), size)
    assert found.value[0] == pytest.approx((first - second).mean() / 20)
    assert found.value[0] / found.error[0] == pytest.approx(stats.ttest_rel(first, second).statistic)
    assert found.covers == "documents"


def test_where_all_documents_are_alike_it_is_the_t_test_over_seeds():
    ratios = np.array([1.0, 1.2, 1.1]), np.array([1.3, 1.6])
    size = np.array([10.0, 20.0, 50.0])
    found = contrasts(PAIR, groups_of(*(np.outer(each, size) for each in ratios), size=size), size)
    textbook = stats.ttest_ind(*ratios)
    assert found.value[0] / found.error[0] == pytest.approx(textbook.statistic)
    assert found.df[0] == pytest.approx(textbook.df)
    assert found.covers == "seeds and documents"


def test_size_is_the_denominator_and_large_documents_weigh_more():
    size = np.array([1.0, 99.0])
    found = contrasts(PAIR, groups_of([2.0, 99.0], [1.0, 198.0], size=size), size)
    assert found.value[0] == pytest.approx((101 - 199) / 100)


def test_the_spread_of_all_groups_stands_for_each():
    """A group of one seed has none of its own."""
    size = np.ones(4)
    groups = groups_of(*(np.outer(each, size) for each in ([1.0, 2.0], [4.0, 4.5], [3.0])), size=size)
    spread = spread_of(groups)
    assert spread.variance == pytest.approx(np.full(3, (0.5 + 0.125) / 2))
    assert spread.common_df == 2 and np.isinf(spread.own_df).all() and not spread.apart.any()


def test_a_group_whose_seeds_spread_far_more_has_its_own():
    """Beside it the others would look unsure, and beside them it would look sure."""
    generator = np.random.default_rng(0)
    ratios = generator.normal(0, 1, (10, 3))
    ratios[4] = [0.0, 60.0, -30.0]
    size = np.ones(5)
    spread = spread_of(groups_of(*(np.outer(each, size) for each in ratios), size=size))
    assert np.flatnonzero(spread.apart).tolist() == [4]
    assert spread.variance[4] == pytest.approx(np.var([0, 60, -30], ddof=1)) and spread.own_df[4] == 2
    assert spread.variance[0] == pytest.approx(np.var(np.delete(ratios, 4, 0), axis=1, ddof=1).mean())
    assert spread.common_df == 18 and spread.common[4] == 0


@pytest.mark.parametrize("seeds", [2, 3])
def test_groups_that_may_have_another_law_join_only_if_they_spread_no_further(seeds):
    """Several of them hide each other, and make the common variance of all unsure."""
    widths, generator = np.array([0.0040, 0.0064, 0.0038, 0.035, 0.53, 0.6]), np.random.default_rng(1)
    ratios = generator.normal(size=(6, seeds))
    ratios *= (widths / ratios.std(axis=1, ddof=1))[:, None]
    size, sure = np.ones(5), np.arange(6) < 2
    groups = groups_of(*(np.outer(each, size) for each in ratios), size=size)
    spread = spread_of(groups, sure)
    assert spread.apart.tolist() == [False] * 3 + [True] * 3
    # Those that are left are no more alike: two of them share a law, and one has its own.
    pooled = [np.square(widths[of]).mean() for of in (slice(0, 3), slice(3, 4), slice(4, 6))]
    assert spread.variance == pytest.approx(np.repeat(pooled, [3, 1, 2]))
    assert spread.common_df == 3 * (seeds - 1)
    assert spread.own_df[3:] / (seeds - 1) == pytest.approx([1, 2, 2])
    # Those that are sure say nothing of one seed each.
    single = [*groups_of(*np.outer(ratios[:2, 0], size), size=size), *groups[2:]]
    assert np.array_equal(spread_of(single, sure).variance, spread_of(single).variance)


def test_groups_that_spread_unlike_keep_much_of_their_own_variance():
    """One pooled variance would make the narrow ones unsure, and the wide ones too sure."""
    generator = np.random.default_rng(2)
    widths = np.tile([1.0, 1.0, 5.0], 6)
    ratios = generator.normal(0, widths, (4, 18)).T
    size = np.ones(5)
    spread = spread_of(groups_of(*(np.outer(each, size) for each in ratios), size=size))
    own = ratios.var(axis=1, ddof=1)
    assert spread.prior_df < 4 and not spread.apart.any()
    # Between their own and the common one, which knows them better than three degrees of freedom.
    assert (spread.own_df == spread.prior_df + 3).all() and spread.common_df < 3 * 18
    narrow, wide = np.argmin(own), np.argmax(own)
    assert own[narrow] < spread.variance[narrow] < own.mean() < spread.variance[wide] < own[wide]


def test_what_is_not_known_is_named():
    one, many = np.ones(1), np.ones(3)
    seeds = groups_of(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]]), size=one)
    assert contrasts(PAIR, seeds, one).covers == "seeds"
    found = contrasts(PAIR, groups_of([1.0], [2.0], size=one), one)
    assert found.covers == "nothing" and np.isnan(found.error).all() and np.isnan(found.df).all()
    assert contrasts(PAIR, groups_of([1, 2, 4], [2, 3, 3], size=many), many).covers == "documents"


@pytest.mark.parametrize(("luck", "choice", "mixed"), [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)])
def test_the_variance_is_that_of_repeated_experiments(luck, choice, mixed):
    """Noise of a seed on a document is in the spread of seeds and in that of documents, and counted once."""
    generator = np.random.default_rng(2)
    documents, seeds = 60, 3
    values, variances = [], []
    for _ in range(1_500):
        size = generator.uniform(5, 15, documents)
        nats = [
            size
            * (
                luck * generator.normal(0, 1, (seeds, 1))
                + choice * generator.normal(0, 5, documents)
                + mixed * generator.normal(0, 8, (seeds, documents))
            )
            for _ in range(4)
        ]
        found = contrasts(np.array([[1.0, -1, 0, 0]]), groups_of(*nats, size=size), size)
        values.append(found.value[0])
        variances.append(found.error[0] ** 2)
    assert np.mean(variances) == pytest.approx(np.var(values), rel=0.12)


def test_few_heavy_documents_know_a_variance_less_well():
    equal = np.ones(100)
    assert document_df(np.tile([1.0, -1.0], 50), equal) == 99
    heavy = np.tile([1.0, -1.0], 50)
    heavy[0] = 30.0
    assert document_df(heavy, equal) < 5
    assert document_df(np.zeros(8), np.ones(8)) == 7


def test_a_document_that_is_most_of_a_text_hides_nothing():
    """Its residual is small, as it draws the ratio to itself: the jackknife sees what it moves."""
    generator = np.random.default_rng(0)
    size = np.array([100.0, *np.ones(19)])
    values, variances, degrees = [], [], []
    for _ in range(2000):
        nats = size * (1 + generator.normal(0, 0.1, (2, 20)))
        found = contrasts(np.array([[1.0, -1]]), groups_of(*nats[:, None], size=size), size)
        values.append(found.value[0])
        variances.append(found.error[0] ** 2)
        degrees.append(found.documents_df[0])
    assert np.mean(variances) == pytest.approx(np.var(values), rel=0.1)
    assert np.max(degrees) < 2  # of 20 documents, they weigh as much as 1.4 equal ones
