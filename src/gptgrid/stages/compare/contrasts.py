"""How sure a difference of groups is: what other seeds and other documents would have changed.

Pure statistics, arrays in and out. A group is a recipe that was trained with several seeds; all groups were
scored on the same documents. Its figure is a ratio, nats over the size of the text. A contrast is a
weighted sum of the figures of groups: a difference, the mean of several, an interaction.

Its variance has two parts (the multi-bootstrap of Sellam et al. 2022, in closed form):

* Seeds: the variance over seeds of each group, to which the other groups of the text lend what they know, as
  one of two or three seeds alone hardly knows its own.
* Documents: those of the ratio's residuals, document by document, so that what is hard for all cancels.

Noise of a seed on a document is in both, and counted once. Degrees of freedom are Satterthwaite's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gptgrid.stages.compare.spread import Spread, spread_from


@dataclass(frozen=True)
class Group:
    """What a group takes on the documents of a text."""

    nats: np.ndarray
    """Mean over the seeds: (documents,) float64."""
    ratios: np.ndarray
    """Nats per unit of the text of each seed: (seeds,) float64."""
    mixed: float
    """Squared noise of seeds on documents, summed over seeds: what it adds to the variance of a ratio, times
    the degrees of freedom, seeds − 1."""

    @property
    def seeds(self) -> int:
        """Return the number of seeds."""
        return len(self.ratios)


@dataclass(frozen=True)
class Contrasts:
    """Weighted sums of ratios, in nats per unit of the text; each array is (contrasts,)."""

    value: np.ndarray
    seeds: np.ndarray
    """Variance for seeds; 0 where it is not known."""
    documents: np.ndarray
    """Variance for documents; 0 where it is not known, as of a single document."""
    documents_df: np.ndarray
    """Degrees of freedom of that variance."""
    error: np.ndarray
    """Standard error; NaN where neither part is known."""
    df: np.ndarray
    """Degrees of freedom of the standard error; NaN likewise."""
    covers: str
    """What the standard error stands for: seeds and documents, seeds, documents, or nothing."""


def summarize_group(nats: np.ndarray, size: np.ndarray) -> Group:
    """Return what a group takes.

    Args:
        nats: of each seed on each document: (seeds, documents) float64.
        size: of the documents: (documents,), bytes, or tokens where there are no bytes.
    """
    ratios = nats.sum(axis=1) / size.sum()
    mean = nats.mean(axis=0)
    rest = nats - mean - np.outer(ratios - ratios.mean(), size)
    return Group(mean, ratios, float(variance_over_documents(rest, size).sum()))


def variance_over_documents(rest: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the variance of a ratio estimator from its residuals (…, documents); 0 of one document.

    It is the jackknife's: what the ratio would be without each document. A document that is most of the text
    draws the ratio to itself, so that its residual is small, but not what its absence would change.
    """
    documents, moved = len(size), shifts(rest, size)
    return np.einsum("...d,...d->...", moved, moved) * (documents - 1) / documents


def shifts(rest: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return how far the ratio moves without each document: (…, documents); 0 if it is all of the text."""
    others = size.sum() - size
    return np.divide(rest, others, out=np.zeros_like(rest), where=others > 0)


def spread_of(groups: list[Group], sure: np.ndarray | None = None) -> Spread:
    """Return what another seed would change in each group, as all of them know it, which share no seed.

    Args:
        groups: of a text.
        sure: whether it is sure that a group spreads by the law of the others: (groups,) bool. Default: all.
            Contrasts then have at most one of those of which it is not.
    """
    return spread_from(
        squares=np.array([np.square(group.ratios - group.ratios.mean()).sum() for group in groups]),
        mixed=np.array([group.mixed for group in groups]),
        df=np.array([group.seeds - 1 for group in groups], dtype=float),
        sure=sure,
    )


def contrasts(
    weights: np.ndarray, groups: list[Group], size: np.ndarray, spread: Spread | None = None
) -> Contrasts:
    """Return weighted sums of the ratios of groups, with what their standard errors are made of.

    Args:
        weights: (contrasts, groups).
        groups: all groups of the text, also those without weight: they know the variance over seeds.
        size: of the documents: (documents,).
        spread: what another seed would change. Default: as the groups, which share no seed, know it.
    """
    spread = spread_of(groups) if spread is None else spread
    shares = np.square(weights) / np.array([group.seeds for group in groups])
    means = np.stack([group.nats for group in groups])
    value = weights @ means.sum(axis=1) / size.sum()
    rest = weights @ means - np.outer(value, size)
    noise = variance_over_documents(rest, size)
    noise_df = document_df(rest, size)
    seeds = shares @ np.nan_to_num(spread.variance)
    documents = np.maximum(noise - shares @ np.nan_to_num(spread.mixed), 0.0)
    variance = seeds + documents
    df = satterthwaite(variance, spread.uncertain(shares) + np.square(noise) / noise_df)
    known = {"seeds": not np.isnan(spread.variance).any(), "documents": len(size) > 1}
    if not any(known.values()):
        variance, df = np.full_like(value, np.nan), np.full_like(value, np.nan)
    covers = " and ".join(name for name, there in known.items() if there) or "nothing"
    return Contrasts(value, seeds, documents, noise_df, np.sqrt(variance), df, covers)


def satterthwaite(variance: np.ndarray, uncertain: np.ndarray) -> np.ndarray:
    """Return the degrees of freedom of a sum of estimated variances; infinite of one that is 0.

    Args:
        variance: the sum.
        uncertain: the sum of their squares, each over its degrees of freedom.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(uncertain > 0, np.square(variance) / uncertain, np.inf)


def document_df(rest: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the degrees of freedom of a variance over documents from residuals (…, documents).

    Few large documents know it less well than many equal ones: it has those of as many normal values as have
    the same kurtosis, at most those of the number of equal documents that would weigh alike (Kish 1965).
    """
    squares = np.square(shifts(rest, size))
    fourth = np.square(squares).sum(axis=-1)
    most = max(equal_documents(size) - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        equal = 3 * np.square(squares.sum(axis=-1)) / fourth
    return np.where(fourth > 0, np.clip(equal, 1, most), most)


def equal_documents(size: np.ndarray) -> float:
    """Return how many documents of equal size would weigh as much as those of a text (Kish 1965)."""
    return float(size.sum() ** 2 / np.square(size).sum())
