"""What a grid could have told, and how many seeds would tell what it could not."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from gptgrid.stages.compare.contrasts import Spread, satterthwaite
from gptgrid.stages.compare.selection import Comparison, half_width

POWER = 0.8
"""How often a difference is to be told."""
MOST_SEEDS = 1_000
"""Of a group: nobody trains more."""


def least_difference(error: np.ndarray, df: np.ndarray, level: float) -> np.ndarray:
    """Return the difference that is told with a chance of `POWER`: (n,).

    Args:
        error: standard errors: (n,).
        df: their degrees of freedom: (n,).
        level: two-sided, below which a difference is told.
    """
    return half_width(error, df, level) + stdtrit(np.minimum(df, 1e9), POWER) * error


def seeds_needed(comparison: Comparison, spread: Spread, chosen: int) -> np.ndarray:
    """Return how many seeds of every group would tell the differences that were found: (groups,).

    More seeds do not lessen the noise of documents: NaN where that alone hides a difference, and where it is
    not known what another seed would change.

    Args:
        comparison: of all groups with the chosen one.
        spread: what another seed would change.
        chosen: the number of that group.
    """
    found = comparison.differences
    if np.isnan(spread.variance).any():
        return np.full(len(found.value), np.nan)
    own = np.where(spread.apart, spread.variance, 0.0)
    pool = spread.variance - own
    pooled_groups = (~spread.apart).sum()

    def told(seeds: np.ndarray) -> np.ndarray:
        """Say whether so many seeds tell each difference: (groups,)."""
        of_pool = (pool + pool[chosen]) / seeds
        variance = of_pool + (own + own[chosen]) / seeds + found.documents
        uncertain = (
            of_pool**2 / (pooled_groups * (seeds - 1))
            + (own**2 + own[chosen] ** 2) / seeds**2 / (seeds - 1)
            + found.documents**2 / found.documents_df
        )
        df = satterthwaite(variance, uncertain)
        return least_difference(np.sqrt(variance), df, comparison.joint) <= np.abs(found.value)

    few, enough = np.ones(len(own), dtype=int), np.full(len(own), MOST_SEEDS)
    ever = told(enough)
    while (enough - few > 1).any():
        middle = np.maximum((few + enough) // 2, 2)
        tells = told(middle)
        few, enough = np.where(tells, few, middle), np.where(tells, middle, enough)
    return np.where(ever, enough, np.nan)
