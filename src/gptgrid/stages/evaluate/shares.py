"""The share of items that were answered right, and how far chance may have moved it."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit

from gptgrid.metrics import wilson

CONFIDENCE = 0.95


def share(credits: np.ndarray, groups: np.ndarray | None = None) -> dict[str, float | None]:
    """Return the mean credit of some items with an interval.

    The interval is Wilson's. For items in groups it has, in place of their number, that of
    the independent items to which the variance between groups amounts, and a quantile of t for the number of
    groups (Dean and Pagano, Journal of Survey Statistics and Methodology, 2015).

    Args:
        credits: (items,) in 0 … 1.
        groups: of each item, 0 … groups − 1: (items,) int. None, or a single group: each item stands for
            itself.

    Returns:
        accuracy, low, high; the latter are None where one item says nothing about others.
    """
    items, accuracy = len(credits), float(credits.mean())
    if items < 2:
        return {"accuracy": accuracy, "low": None, "high": None}
    spread, level = accuracy * (1 - accuracy), (1 + CONFIDENCE) / 2
    size, quantile = items, float(ndtri(level))
    if groups is not None and 1 < (number := int(groups.max()) + 1) < items:
        deviations = np.bincount(groups, weights=credits - accuracy)
        variance = number / (number - 1) * float((deviations**2).sum()) / items**2
        size = min(spread / variance, items) if variance > 0 else number
        quantile = float(stdtrit(number - 1, level))
    low, high = wilson(accuracy, size, quantile)
    return {"accuracy": accuracy, "low": low, "high": high}
