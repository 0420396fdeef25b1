"""Which groups are worse than the one that validation chose, and how sure that is.

The lowest of several groups on validation is partly the luckiest: by its seeds, which its test figure
shares. Were all groups alike, the largest difference to it would be their range, and Holm's correction of
the k − 1 comparisons would find a "worse" one in up to every tenth grid. Tukey's studentized range holds
the level where seeds decide, but gives power away where documents do, as those of the test split chose
nothing. So the whole procedure is drawn many times as it would go if all groups were alike: luck of seeds,
documents of validation, the choice, documents of the test, estimated variances. Both limits come out by
themselves, and all between.

Groups that are found worse leave, and the rest is drawn anew (step-down): a group that is far behind was no
rival in the choice. That holds as p is never less than that of a group that left before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from gptgrid.stages.compare.contrasts import (
    Contrasts,
    Group,
    contrasts,
    document_df,
    satterthwaite,
    shifts,
    spread_of,
)
from gptgrid.stages.compare.spread import Spread

LEVEL = 0.05
"""How often a grid of like groups may have any verdict "worse", and an interval may miss."""
DRAWS = 10_000
"""Of grids of like groups: the level comes out within 0.002."""
DRAWN_GROUPS = 400_000
"""In all draws, beyond which large grids have fewer draws, but 1,000."""
JITTER = 1e-10
"""Added to the diagonal of a covariance in units of its mean, so that rounding leaves it positive."""
SAME = 1e-4
"""Of the standard error of a group: below it, two groups have the same scores."""


@dataclass(frozen=True)
class Comparison:
    """All groups of a text against the chosen one, which is among them; each array is (groups,)."""

    differences: Contrasts
    """In nats per unit of the text; positive is worse."""
    p: np.ndarray
    """Corrected for the choice and for all comparisons; NaN where there is no standard error."""
    single: float
    """Two-sided level of Student's t at which 95 % of the intervals cover, the choice allowed for."""
    joint: float
    """Two-sided level of Student's t below which a difference is told: that of p = 0.05."""


@dataclass(frozen=True)
class Alike:
    """Variances of the means of groups, were they alike but for chance."""

    luck: np.ndarray
    """For seeds, of which validation and test have the same: (groups,)."""
    seeds: np.ndarray
    """As it is estimated, with the noise of seeds on documents: (groups,)."""
    mixed: np.ndarray
    """That noise, which the covariance of the test has too: (groups,)."""
    spread: Spread
    valid: np.ndarray
    """Covariance for the documents of validation: (groups, groups)."""
    test: np.ndarray
    """Covariance for those of the test."""
    test_df: np.ndarray
    """Degrees of freedom of its estimate: (groups,)."""


def compare_with_chosen(
    valid: tuple[list[Group], np.ndarray],
    test: tuple[list[Group], np.ndarray],
    chosen: int,
    draws: int = DRAWS,
) -> Comparison:
    """Return the differences of all groups to the chosen one on the test documents.

    Args:
        valid: the groups on the documents that chose, and the sizes of those: (documents,).
        test: the groups, in the same order, on the documents that the differences are of, and their sizes.
        chosen: the number of the group that is lowest on `valid`.
        draws: of grids of like groups.
    """
    groups, size = test
    weights = np.eye(len(groups))
    weights[:, chosen] -= 1
    found = contrasts(weights, groups, size)
    chance = two_sided(found.value, found.error, found.df)
    if np.isnan(found.error).any():
        return Comparison(found, np.full(len(groups), np.nan), LEVEL, LEVEL)
    alike = alike_of(valid, test, weights)
    draws = min(draws, max(1_000, DRAWN_GROUPS // len(groups)))
    p, least = np.ones(len(groups)), 0.0
    active = np.arange(len(groups))
    while True:
        others = active[active != chosen]
        if not len(others):
            return Comparison(found, p, LEVEL, LEVEL)
        drawn = draw_chances(alike, active, draws, alike.spread.apart[chosen])
        smallest = np.sort(drawn.min(axis=1))
        exceeded = np.searchsorted(smallest, chance[others], side="right")
        # Beyond what can be drawn, all pairs by Bonferroni.
        all_pairs = chance[others] * len(active) * len(others) / 2
        drawn_p = (1 + exceeded) / (1 + len(drawn))
        p[others] = np.clip(np.minimum(drawn_p, all_pairs), least, 1.0)
        worse = others[(p[others] < LEVEL) & (found.value[others] > 0)]
        if not len(worse):
            # The chosen one of each draw is no comparison: its chance is 1.
            single = np.quantile(drawn, LEVEL * len(others) / len(active))
            joint = np.quantile(smallest, LEVEL)
            return Comparison(found, p, float(single), float(joint))
        least, active = p[worse].max(), np.setdiff1d(active, worse)


def alike_of(
    valid: tuple[list[Group], np.ndarray], test: tuple[list[Group], np.ndarray], weights: np.ndarray
) -> Alike:
    """Return the variances of groups on two splits.

    Args:
        valid: groups and sizes of documents.
        test: the same of the test.
        weights: of the differences to the chosen: (groups, groups).
    """
    groups, size = test
    spread = spread_of(groups)
    counts = np.array([group.seeds for group in groups])
    seeds, mixed = (np.nan_to_num(part / counts) for part in (spread.variance, spread.mixed))
    rest = residuals(groups, size)
    return Alike(
        luck=np.maximum(seeds - mixed, 0.0),
        seeds=seeds,
        mixed=mixed,
        spread=spread,
        valid=covariance(residuals(*valid), valid[1]),
        test=covariance(rest, size),
        test_df=document_df(weights @ rest, size),
    )


def residuals(groups: list[Group], size: np.ndarray) -> np.ndarray:
    """Return what each group takes on each document beyond its ratio, less the mean of all groups, which
    cancels in every difference: (groups, documents)."""
    means = np.stack([group.nats for group in groups])
    means = means - means.mean(axis=0)
    return means - np.outer(means.sum(axis=1) / size.sum(), size)


def covariance(rest: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the covariance of ratio estimators from residuals (groups, documents); 0 of one document."""
    documents, moved = len(size), shifts(rest, size)
    return moved @ moved.T * ((documents - 1) / documents)


def draw_chances(alike: Alike, active: np.ndarray, draws: int, apart: bool) -> np.ndarray:
    """Return the two-sided chance, by Student's t, of each group's difference to the lowest, for grids of
    like groups: (draws, groups). That of the lowest itself is 1.

    Args:
        alike: variances of all groups.
        active: numbers of those that are drawn.
        draws: how many.
        apart: whether the chosen group has a variance over seeds of its own. Draws that choose one of the
            other kind are left out: one whose seeds spread widely would be chosen most often.
    """
    generator = np.random.default_rng(0)
    shape = (draws, len(active))
    luck = generator.standard_normal(shape) * np.sqrt(alike.luck[active])
    square = np.ix_(active, active)
    valid, test = (
        generator.standard_normal(shape) @ factor(part[square]).T for part in (alike.valid, alike.test)
    )
    # What was estimated is known: a group that is lucky has often a larger variance.
    luck /= np.sqrt(scales(alike.spread, active, generator, draws))
    rows, lowest = np.arange(draws), (luck + valid).argmin(axis=1)
    figure = luck + test
    difference = figure - figure[rows, lowest, None]
    seeds = alike.seeds[active]
    variance = np.diag(alike.test[square])
    own = variance - alike.mixed[active]
    pair = np.maximum(np.add.outer(own, own) - 2 * alike.test[square], 0.0)
    df = alike.test_df[active]
    # As it would be estimated.
    documents = pair[lowest] * generator.chisquare(df, shape) / df
    error = np.sqrt(seeds + seeds[lowest, None] + documents)
    chance = two_sided(difference, error, pair_df(alike, active, pair)[lowest])
    # What differs by rounding alone, as the same recipe under two names, is never told; nor is the lowest.
    chance[error <= SAME * np.sqrt(variance.mean() + seeds.mean())] = 1.0
    chance[rows, lowest] = 1.0
    kept = alike.spread.apart[active][lowest] == apart
    return chance[kept] if kept.any() else chance


def scales(spread: Spread, active: np.ndarray, generator: np.random.Generator, draws: int) -> np.ndarray:
    """Return estimated variances over seeds as multiples of the true ones: (draws, groups)."""
    common = generator.chisquare(spread.common_df, (draws, 1)) / spread.common_df
    found = 1 / (1 + spread.common[active] * (1 / common - 1))
    own = spread.own_df[active]
    known = np.isfinite(own)
    found[:, known] *= generator.chisquare(own[known], (draws, known.sum())) / own[known]
    return found


def pair_df(alike: Alike, active: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """Return Satterthwaite's degrees of freedom of the difference of each pair: (groups, groups).

    Args:
        alike: variances of all groups.
        active: numbers of the groups.
        documents: variance of each difference for documents: (groups, groups).
    """
    spread, seeds = alike.spread, alike.seeds[active]
    own = np.square(seeds) / spread.own_df[active]
    common = np.square(np.add.outer(*[seeds * spread.common[active]] * 2)) / spread.common_df
    uncertain = common + np.add.outer(own, own) + np.square(documents) / alike.test_df[active]
    return satterthwaite(np.add.outer(seeds, seeds) + documents, uncertain)


def factor(covariance: np.ndarray) -> np.ndarray:
    """Return L with L Lᵀ the covariance (groups, groups), of which not all need be independent."""
    scale = np.trace(covariance) / len(covariance)
    if scale == 0:
        return np.zeros_like(covariance)
    return np.linalg.cholesky(covariance + JITTER * scale * np.eye(len(covariance)))


def two_sided(value: np.ndarray, error: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the chance of a larger distance from 0 by Student's t; 1 of a difference that is exactly 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.where(value == 0, 0.0, np.abs(value) / error)
    return 2 * stdtr(np.minimum(df, 1e9), -distance)


def half_width(error: np.ndarray, df: np.ndarray, level: float) -> np.ndarray:
    """Return half the width of the interval that misses with a chance of `level`, by Student's t."""
    return -stdtrit(np.minimum(df, 1e9), level / 2) * error


def holm(p: np.ndarray) -> np.ndarray:
    """Return probabilities corrected for all of them (Holm 1979): (n,), at most 1."""
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return corrected
