"""Shares of right answers of several seeds on the same items: how sure their means are.

An interval covers other items and other seeds. Items are counted once, however many seeds answered them: the
variance of a mean is that over items of what the seeds do together, and where seeds spread further than the
noise of each on its items explains, what that is more. The variance says to how many independent items all
answers amount; the interval is Wilson's for so many, or that of Bonett and Price for a paired difference,
neither of which shrinks to a point where all answers are alike. Its quantile is one of Student's t as far as
the seeds' part is uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from gptgrid.metrics import wilson
from gptgrid.stages.compare.contrasts import satterthwaite, spread_of, summarize_group
from gptgrid.stages.compare.selection import LEVEL

TOP = 1 - LEVEL / 2


class Sureness(NamedTuple):
    """How much the answers of a group say."""

    size: float
    """Independent items to which they amount."""
    quantile: float
    """Of half an interval, in standard errors."""


def sureness(answers: Sequence[np.ndarray], of_one: Sequence[float]) -> list[Sureness]:
    """Return how much the answers of groups say of their means.

    Args:
        answers: of each group, in which the groups may lend each other what they know of seeds, which they do
            not share: (seeds, items) float64, at least two items, the same ones for all.
        of_one: the variance of a single answer in each group: p (1 − p) of a share.
    """
    if not answers:
        return []
    items = answers[0].shape[1]
    groups = [summarize_group(each, np.ones(items)) for each in answers]
    spread = spread_of(groups)
    counts = np.array([group.seeds for group in groups])
    noise = np.array([each.mean(axis=0).var(ddof=1) / items for each in answers])
    seeds, mixed = (np.nan_to_num(part / counts) for part in (spread.variance, spread.mixed))
    further = np.maximum(seeds - mixed, 0.0)
    variance = noise + further
    # The noise of items is that of a share, which Wilson's interval knows; the seeds' is estimated.
    share_of_seeds = np.divide(further, seeds, out=np.zeros_like(seeds), where=seeds > 0)
    df = satterthwaite(variance, spread.uncertain(np.diag(1 / counts)) * share_of_seeds**2)
    found = []
    for one, own, known in zip(of_one, variance, df, strict=True):
        if one == 0 or own == 0:
            found.append(Sureness(items, float(ndtri(TOP))))
        else:
            found.append(Sureness(one / own + 1, float(stdtrit(min(known, 1e9), TOP))))
    return found


def share_intervals(right: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """Return the 95 % interval of the share of right answers of each group.

    Args:
        right: of each group, whether each seed answered each item right: (seeds, items) bool.
    """
    shares = [float(each.mean()) for each in right]
    known = sureness([each.astype(float) for each in right], [share * (1 - share) for share in shares])
    return [wilson(share, *each) for share, each in zip(shares, known, strict=True)]


def difference_intervals(
    right: Sequence[np.ndarray], other: Sequence[np.ndarray]
) -> list[tuple[float, float]]:
    """Return the 95 % interval of how far the share of each group lies above another of the same items.

    Args:
        right: see `share_intervals`.
        other: whether what each seed is compared with answered each item right: the same shape.
    """
    moves = [each.astype(float) - before for each, before in zip(right, other, strict=True)]
    gained, lost = ([float((sign * move > 0).mean()) for move in moves] for sign in (1, -1))
    of_one = [up + down - (up - down) ** 2 for up, down in zip(gained, lost, strict=True)]
    known = sureness(moves, of_one)
    return [bonett_price(*both, *each) for *both, each in zip(gained, lost, known, strict=True)]


def bonett_price(gained: float, lost: float, size: float, quantile: float) -> tuple[float, float]:
    """Return the adjusted interval of Bonett and Price for a paired difference of so many items."""
    up, down = (gained * size + 1) / (size + 2), (lost * size + 1) / (size + 2)
    half = quantile * math.sqrt((up + down - (up - down) ** 2) / (size + 2))
    return max(-1.0, up - down - half), min(1.0, up - down + half)
