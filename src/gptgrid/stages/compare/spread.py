"""How much another seed would change the figures of groups that have few seeds each.

A variance from two or three seeds is hardly known, so those of the groups of a text are taken together. The
groups' own variances are drawn from an inverse χ² distribution around a common one, and each estimate is
moderated towards it (Smyth 2004, limma). How far is told by the data: where they spread no more unlike than
chance explains, one pooled variance stands for all. A group whose seeds spread far beyond the others',
as near the largest learning rate, has a variance of its own.

Groups that may spread by another law, as models do on a text of a language that they never saw, are taken
together with the others if their seeds spread no further, and else with those of them that spread alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import fdtrc, gammaln, logsumexp, softmax

APART = 0.01
"""Probability that any group of one text is taken for one whose seeds spread more, where none does."""
UNLIKE = 0.05
"""Probability that a group which may spread by another law is not taken together with the others, where it
spreads like them. It is far larger than `APART`, as it costs no other group anything."""
COMMON_DF = np.array([2, 3, 4, 6, 8, 12, 16, 24, 32, 64])
"""Degrees of freedom that the common variance may be worth where variances differ."""
FEWEST = 3
"""Variances that tell anything of how much variances differ."""
LOG_SCALES = np.linspace(-4.0, 3.0, 57)
"""Logarithms of the common variance that are tried, around that of the pooled one."""
TINY = 1e-12
"""Least ratio of variances whose logarithm is taken: seeds may give the very same figure."""


@dataclass(frozen=True)
class Spread:
    """What another seed would change."""

    variance: np.ndarray
    """Of the ratio of one seed: (groups,); NaN where no group has two seeds."""
    mixed: np.ndarray
    """The part of it that is noise of a seed on a document: (groups,)."""
    common: np.ndarray
    """The weight that the common variance has in it, in which all err alike: (groups,)."""
    common_df: float
    """Degrees of freedom of the estimate of the common variance, at least 1."""
    prior_df: float
    """How many degrees of freedom the common variance is worth for each group: infinite where it is
    that of all."""
    own_df: np.ndarray
    """Degrees of freedom of each variance, were the common one known: (groups,)."""
    apart: np.ndarray
    """Whether it is the group's own alone: (groups,) bool."""

    def uncertain(self, shares: np.ndarray) -> np.ndarray:
        """Return the squares of sums of variances over their degrees of freedom, for Satterthwaite's formula.

        Args:
            shares: weights of the variances of groups: (…, groups).
        """
        parts = shares * np.nan_to_num(self.variance)
        return np.square(parts @ self.common) / self.common_df + np.square(parts) @ (1 / self.own_df)

    def of(self, groups: np.ndarray) -> Spread:
        """Return what it says of some groups, each by its number: (any,) of integers."""
        parts = (part[groups] for part in (self.variance, self.mixed, self.common))
        return Spread(*parts, self.common_df, self.prior_df, self.own_df[groups], self.apart[groups])


def spread_from(
    squares: np.ndarray, mixed: np.ndarray, df: np.ndarray, sure: np.ndarray | None = None
) -> Spread:
    """Return the variance over seeds for each group.

    Args:
        squares: sums of squared deviations of the ratios of seeds from their mean: (groups,).
        mixed: what noise of seeds on documents adds to them: (groups,).
        df: their degrees of freedom, seeds − 1: (groups,).
        sure: whether it is sure that a group spreads by the law of the others: (groups,) bool. Default: all.
    """
    asked = df > 0 if sure is None else candidates(squares, df, sure)
    inside = alike(squares, df, asked)
    apart = (df > 0) & ~inside
    if not inside.any():
        unknown, none = np.full(len(df), np.nan), np.full(len(df), np.inf)
        return Spread(unknown, unknown, np.ones(len(df)), 1.0, np.inf, none, apart)
    pooled = mean_square(squares, df, inside)
    prior_df, scale = common_variance(squares[inside], df[inside])
    prior = np.where(apart, 0.0, prior_df)
    weight, own = weight_of_common(prior, df), np.maximum(df, 1)
    # Noise of seeds on documents is the same part of the common variance as of the pooled one.
    common_mixed = mean_square(mixed, df, inside) * (scale / pooled if pooled > 0 else 1.0)
    spread = Spread(
        variance=weight * scale + (1 - weight) * squares / own,
        mixed=weight * common_mixed + (1 - weight) * mixed / own,
        common=weight,
        common_df=max(known_df(prior_df, df[inside]).sum(), 1.0),
        prior_df=prior_df,
        own_df=prior + df,
        apart=apart,
    )
    left = (df > 0) & ~asked
    if not left.any():
        return spread
    # Those that are left need not be alike, either: the same again, from the narrowest of them.
    rest = squares[left], mixed[left], df[left]
    narrowest = rest[0] / rest[2] == (rest[0] / rest[2]).min()
    return with_another_law(spread, left, spread_from(*rest, sure=narrowest))


def with_another_law(spread: Spread, left: np.ndarray, found: Spread) -> Spread:
    """Return the spread where some groups have another law: for contrasts with at most one of them, as what
    they know together is counted as each one's own.

    Args:
        spread: of all groups.
        left: which they are: (groups,) bool.
        found: what is found of them alone.
    """
    variance, mixed, common, own_df = (
        part.copy() for part in (spread.variance, spread.mixed, spread.common, spread.own_df)
    )
    variance[left], mixed[left], common[left] = found.variance, found.mixed, 0.0
    own_df[left] = 1 / (np.square(found.common) / found.common_df + 1 / found.own_df)
    return replace(spread, variance=variance, mixed=mixed, common=common, own_df=own_df)


def candidates(squares: np.ndarray, df: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Say which groups have several seeds and are taken together: those that are sure, and those whose seeds
    spread no further by an F test: (groups,) bool. Where no sure group has several seeds, nothing tells."""
    several = df > 0
    core = alike(squares, df, several & sure)
    if not core.any():
        return several
    return several & (sure | ~(chance(squares, df, core) < UNLIKE))


def alike(squares: np.ndarray, df: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Say which groups have a variance like those of the others: (groups,) bool.

    A group has not if its variance is beyond what chance and the variety of the others explain, by an F test
    with Bonferroni's correction; the widest first, until none is.

    Args:
        squares: sums of squared deviations: (groups,).
        df: their degrees of freedom: (groups,).
        asked: whether a group is one of them, which have several seeds: (groups,) bool.
    """
    inside = asked
    while inside.sum() > 1:
        widest = np.flatnonzero(inside)[np.argmax(squares[inside] / df[inside])]
        others = inside.copy()
        others[widest] = False
        if not chance(squares, df, others)[widest] < APART / asked.sum():
            break
        inside = others
    return inside


def chance(squares: np.ndarray, df: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how probable as large a variance is in a group like some others, by an F test: (groups,); NaN of
    one seed, and where no group has any spread."""
    prior_df, scale = common_variance(squares[others], df[others])
    known = known_df(prior_df, df[others]).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return fdtrc(df, min(prior_df, known), squares / df / scale)


def common_variance(squares: np.ndarray, df: np.ndarray) -> tuple[float, float]:
    """Return for groups of several seeds how many degrees of freedom their common variance is worth for each
    of them, and that variance.

    A group's mean square over the common variance is distributed as F with the degrees of freedom of both.
    Of the degrees of freedom those of the largest likelihood count, over all common variances.

    Args:
        squares: sums of squared deviations: (groups,).
        df: their degrees of freedom, at least 1: (groups,).
    """
    pooled = squares.sum() / df.sum()
    if len(df) < FEWEST or pooled == 0:
        return np.inf, pooled
    scales = pooled * np.exp(LOG_SCALES)
    ratios = np.maximum(squares / df / scales[:, None], TINY)
    half, given = df / 2, COMMON_DF[:, None, None]
    shared = half * np.log(ratios * half) - gammaln(half)
    finite = (
        gammaln(half + given / 2)
        - gammaln(given / 2)
        - half * np.log(given / 2)
        - (half + given / 2) * np.log1p(df * ratios / given)
    )
    likelihoods = (shared + np.concatenate([finite, [-half * ratios]])).sum(axis=-1)
    best = int(np.argmax(logsumexp(likelihoods, axis=1)))
    if best == len(COMMON_DF):
        return np.inf, pooled
    return float(COMMON_DF[best]), float(np.exp(softmax(likelihoods[best]) @ np.log(scales)))


def weight_of_common(prior: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the weight of the common variance in that of a group.

    Args:
        prior: degrees of freedom that it is worth; 0 where it says nothing.
        df: those of the group's own.
    """
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(prior), 1.0, prior / (prior + df))


def known_df(prior_df: float, df: np.ndarray) -> np.ndarray:
    """Return how many degrees of freedom each group adds to what is known of the common variance: Fisher's
    information of a value distributed as F on its scale, doubled."""
    return df if np.isinf(prior_df) else df * prior_df / (df + prior_df + 2)


def mean_square(squares: np.ndarray, df: np.ndarray, chosen: np.ndarray) -> float:
    """Return the pooled mean square of some groups; NaN of none."""
    return squares[chosen].sum() / df[chosen].sum() if chosen.any() else np.nan
