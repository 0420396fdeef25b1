"""What a grid could have told, and how many seeds would tell what it could not."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from gptgrid.stages.compare.contrasts import satterthwaite
from gptgrid.stages.compare.selection import Comparison, half_width
from gptgrid.stages.compare.spread import Spread, known_df, weight_of_common

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
    prior, variance = np.where(spread.apart, 0.0, spread.prior_df), spread.variance

    def told(seeds: np.ndarray) -> np.ndarray:
        """Say whether so many seeds tell each difference: (groups,)."""
        df = seeds - 1.0
        common_df = known_df(spread.prior_df, df) * (~spread.apart).sum()
        of_pair = [(variance / seeds, prior), (variance[chosen] / seeds, prior[chosen])]
        common = sum(part * weight_of_common(known, df) for part, known in of_pair)
        total = sum(part for part, _ in of_pair) + found.documents
        uncertain = (
            common**2 / common_df
            + sum(part**2 / (known + df) for part, known in of_pair)
            + found.documents**2 / found.documents_df
        )
        df = satterthwaite(total, uncertain)
        return least_difference(np.sqrt(total), df, comparison.joint) <= np.abs(found.value)

    few, enough = np.ones(len(variance), dtype=int), np.full(len(variance), MOST_SEEDS)
    ever = told(enough)
    while (enough - few > 1).any():
        middle = np.maximum((few + enough) // 2, 2)
        tells = told(middle)
        few, enough = np.where(tells, few, middle), np.where(tells, middle, enough)
    return np.where(ever, enough, np.nan)
