"""The scaling law L = E + A/N^α + B/D^β, fitted to losses, with intervals.

This is approach 3 of Hoffmann et al. 2022 (Training Compute-Optimal Large Language Models), fitted as
Besiroglu et al. 2024 (Chinchilla Scaling: A replication attempt) found to be necessary: to convergence, and
with intervals from a bootstrap. For given exponents E, A and B are a linear problem, so that a search needs
the exponents alone (variable projection, Golub and Pereyra 1973): a grid over them finds the valley whatever
the start, and Levenberg-Marquardt finds its bottom.

Without D, or without N, the law has one term less.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import leastsq, nnls

EXPONENTS = np.geomspace(0.02, 2.0, 20)
"""Where the valley is looked for: laws of language models have 0.05 to 1."""
REPLICATES = 200
"""Of the bootstrap."""
EVALUATIONS = 50
"""Of the residuals, by which a search has ended where it can end."""
TOLERANCE = 1e-6
"""Relative change of the squares and of the values that ends a search."""
LEAST = 0.01
"""Of the lowest loss: from less than this, a search in logarithms would not move a coefficient."""
HUBER = 1e-3
"""Residual of a logarithm beyond which it counts linearly (Hoffmann et al. 2022)."""
LARGEST = 700.0
"""Logarithm of about the largest number: with an exponent that the losses do not tell, A is beyond it."""


@dataclass(frozen=True)
class Law:
    """A law, or many: all arrays may have leading axes, one law for each of their places."""

    values: np.ndarray
    """(…, 2 terms + 1): logarithms of E and of what each term adds in the middle, then the exponents."""
    middle: np.ndarray
    """(terms,): means of the logarithms of N and D. Coefficients and exponents are hardly correlated
    there."""

    @property
    def terms(self) -> int:
        """Return how many terms there are beside E."""
        return len(self.middle)

    @property
    def floor(self) -> np.ndarray:
        """Return E: (…,)."""
        return np.exp(np.minimum(self.values[..., 0], LARGEST))

    @property
    def coefficients(self) -> np.ndarray:
        """Return A and B: (…, terms)."""
        logarithms = self.values[..., 1 : self.terms + 1] + self.exponents * self.middle
        return np.exp(np.minimum(logarithms, LARGEST))

    @property
    def exponents(self) -> np.ndarray:
        """Return α and β: (…, terms)."""
        return self.values[..., self.terms + 1 :]

    def predict(self, scales: np.ndarray) -> np.ndarray:
        """Return losses: (…, cells) for N and D of each cell, (cells, terms)."""
        return parts(self.values, design(np.log(scales) - self.middle)).sum(axis=-1)


def fit(scales: np.ndarray, losses: np.ndarray, huber: float | None = None) -> Law:
    """Return the law with the least squares of the residuals of the logarithms.

    Args:
        scales: N and D of each cell, or one of them: (cells, terms).
        losses: (cells,), above 0.
        huber: the residual beyond which it counts linearly; None squares all.
    """
    middle = np.log(scales).mean(axis=0)
    centred = np.log(scales) - middle
    values = descend(search(centred, losses), centred, losses, np.ones(len(losses)))
    if huber is not None:
        values = reweighted(values, centred, losses, huber)
    return Law(values, middle)


def bootstrap(law: Law, scales: np.ndarray, losses: np.ndarray, replicates: int = REPLICATES) -> Law:
    """Return the laws of samples of the cells, drawn with replacement, always the same ones.

    Args:
        law: of all cells, from which each search begins.
        scales: as in `fit`.
        losses: as in `fit`.
        replicates: how many samples.
    """
    centred, cells = np.log(scales) - law.middle, len(losses)
    counts = np.random.default_rng(0).multinomial(cells, np.full(cells, 1 / cells), replicates)
    start = law.values.copy()
    linear = slice(law.terms + 1)
    start[linear] = np.maximum(start[linear], np.log(LEAST * losses.min()))
    found = [descend(start, centred, losses, weights) for weights in np.sqrt(counts)]
    return Law(np.array(found), law.middle)


def search(centred: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Return where on the grid of exponents the relative residuals have the least squares.

    Args:
        centred: logarithms of the scales, from their means: (cells, terms).
        losses: (cells,).

    Returns:
        values as in `Law`.
    """
    powers = np.exp(-EXPONENTS[:, None, None] * centred) / losses[:, None]
    columns = [powers[:, :, term] for term in range(centred.shape[1])]
    best, ones = (np.inf, np.zeros(0), ()), np.ones(len(losses))
    for chosen in product(range(len(EXPONENTS)), repeat=len(columns)):
        terms = [column[number] for column, number in zip(columns, chosen, strict=True)]
        coefficients, distance = nnls(np.stack([1 / losses, *terms], axis=1), ones)
        if distance < best[0]:
            best = distance, coefficients, chosen
    _, coefficients, chosen = best
    return np.append(np.log(np.maximum(coefficients, LEAST * losses.min())), EXPONENTS[list(chosen)])


def descend(start: np.ndarray, centred: np.ndarray, losses: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the values with the least weighted squares near a start (Levenberg-Marquardt)."""
    data = (design(centred), np.log(losses), weights)
    options = {"col_deriv": True, "ftol": TOLERANCE, "xtol": TOLERANCE, "maxfev": EVALUATIONS}
    # The full output keeps it from warning of a search that the data do not end.
    return leastsq(residuals, start, data, Dfun=slopes, full_output=True, **options)[0]


def reweighted(start: np.ndarray, centred: np.ndarray, losses: np.ndarray, huber: float) -> np.ndarray:
    """Return the values with the least sum of Huber's function, by squares with other weights each time."""
    values, ones = start, np.ones(len(losses))
    for _ in range(EVALUATIONS):
        distances = np.abs(residuals(values, design(centred), np.log(losses), ones))
        earlier = values
        values = descend(earlier, centred, losses, np.sqrt(huber / np.maximum(distances, huber)))
        if np.allclose(values, earlier, rtol=0, atol=TOLERANCE):
            break
    return values


def design(centred: np.ndarray) -> np.ndarray:
    """Return the matrices by which the values of a law give the logarithms of what E and each term add.

    Args:
        centred: logarithms of the scales, from their means: (cells, terms).

    Returns:
        (2 terms + 1, cells, terms + 1).
    """
    cells, terms = centred.shape
    matrices = np.zeros((2 * terms + 1, cells, terms + 1))
    for place in range(terms + 1):
        matrices[place, :, place] = 1.0
    for term in range(terms):
        matrices[terms + 1 + term, :, term + 1] = -centred[:, term]
    return matrices


def parts(values: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Return what E and each term add to each loss: (…, cells, terms + 1).

    Args:
        values: as in `Law`.
        matrices: see `design`.
    """
    logarithms = values @ matrices.reshape(len(matrices), -1)
    # A search may go beyond what a number can hold. Minimum and maximum are much faster than np.clip here.
    bounded = np.maximum(np.minimum(logarithms, 50.0), -50.0)
    return np.exp(bounded).reshape(*values.shape[:-1], *matrices.shape[1:])


def residuals(
    values: np.ndarray, matrices: np.ndarray, logarithms: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the weighted residuals of the logarithms: (cells,)."""
    return weights * (np.log(parts(values, matrices).sum(axis=-1)) - logarithms)


def slopes(
    values: np.ndarray, matrices: np.ndarray, logarithms: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the derivatives of the residuals by the values: (2 terms + 1, cells)."""
    added = parts(values, matrices)
    return weights / added.sum(axis=-1) * (matrices * added).sum(axis=-1)
