"""Two shares of the same items: their difference, and how sure it is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri
from scipy.stats import binomtest

from gptgrid.stages.compare.selection import LEVEL


class Difference(NamedTuple):
    """Of a share to another one, with a 95 % interval."""

    value: float
    low: float
    high: float
    p: float


def paired_difference(right: np.ndarray, other: np.ndarray) -> Difference:
    """Return how far a share lies above another of the same items.

    The interval is the adjusted one of Bonett and Price (Journal of Educational and Behavioral Statistics,
    2012), which does not shrink to a point where both do alike. p is that of McNemar's exact test.

    Args:
        right: whether each item was answered right: (items,) bool, at least one.
        other: the same for what it is compared with.
    """
    items, gained, lost = len(right), int((right & ~other).sum()), int((other & ~right).sum())
    share_gained, share_lost = (gained + 1) / (items + 2), (lost + 1) / (items + 2)
    centre = share_gained - share_lost
    variance = (share_gained + share_lost - centre**2) / (items + 2)
    half = float(ndtri(1 - LEVEL / 2)) * math.sqrt(variance)
    p = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    return Difference((gained - lost) / items, max(-1.0, centre - half), min(1.0, centre + half), float(p))
