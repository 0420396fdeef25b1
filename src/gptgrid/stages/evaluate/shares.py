"""The share of items that were answered right, and how far chance may have moved it."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


def share(credits: np.ndarray, groups: np.ndarray | None = None) -> dict[str, float | None]:
    """Return the mean credit of some items with an interval.

    The interval is Wilson's, which does not shrink to a point where all credits are alike, with the number of
    independent items that the variance between groups amounts to in place of their number, and a quantile of
    t for the number of groups (Dean and Pagano, Journal of Survey Statistics and Methodology, 2015).

    Args:
        credits: (items,) in 0 … 1.
        groups: of each item, 0 … groups − 1: (items,) int. None, or a single group: each item is one.

    Returns:
        accuracy, low, high; the latter are None where one item says nothing about others.
    """
    items, accuracy = len(credits), float(credits.mean())
    if groups is None or groups.max() == 0:
        groups = np.arange(items)
    number = int(groups.max()) + 1
    if number < 2:
        return {"accuracy": accuracy, "low": None, "high": None}
    deviations = np.bincount(groups, weights=credits - accuracy)
    variance = number / (number - 1) * float((deviations**2).sum()) / items**2
    spread = accuracy * (1 - accuracy)
    size = min(spread / variance, items) if variance > 0 else number
    quantile = float(stdtrit(number - 1, (1 + CONFIDENCE) / 2))
    ratio = quantile**2 / size
    centre = (accuracy + ratio / 2) / (1 + ratio)
    half = math.sqrt(ratio * spread + ratio**2 / 4) / (1 + ratio)
    return {"accuracy": accuracy, "low": max(0.0, centre - half), "high": min(1.0, centre + half)}
