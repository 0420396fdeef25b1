"""An n-gram model over tokens: interpolated modified Kneser-Ney, as Chen and Goodman (1999) define it.

A token is predicted from those before it, of whichever document they are. The model of each order is made
from that of the order below, so they are tried one after the other, and the validation text says where to
stop. A gram is a number here: that of its last tokens, itself a gram, with the one token before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from gptgrid.tokens.shards import Shards

LONGEST = 10
"""Tokens of the longest grams that are tried."""
AT_ONCE = 2**23
"""Tokens to predict in one go: some 100 bytes of memory each, as for those that are counted."""
USUAL = (0.0, 0.5, 1.0, 1.5)
"""Discounts of what occurs 0, 1, 2 and more times where a text is too small or too regular for the formulas:
those of KenLM."""
NONE = -1
"""In place of a gram that the training text has not: what it chooses from an array is the last entry."""


@dataclass(frozen=True)
class Predictions:
    """What a model takes on texts."""

    order: int
    """Tokens of its grams, the predicted one among them."""
    nats: list[np.ndarray]
    """Of each text: (tokens - 1,) float64, of every token but the first."""


@dataclass(frozen=True)
class Grams:
    """The grams of one length in the training text, and where they end there and in other texts."""

    length: int
    number: int
    """How many different ones there are."""
    training: np.ndarray
    """The gram that ends at each token: (tokens,) int64; NONE for the first, which are too few for one."""
    texts: list[np.ndarray]
    """The same for other texts; NONE where it is none of the training text."""


def predict(training: np.ndarray, texts: Sequence[np.ndarray | Shards], vocab_size: int) -> Predictions:
    """Return what a model takes on texts, of the order that takes least on the first of them.

    Args:
        training: tokens to count in: (tokens,) int64.
        texts: at least two tokens each; the first is the validation text, whose first AT_ONCE tokens decide.
        vocab_size: tokens that there may be: their probabilities add up to one after every history.
    """
    best = best_order(training, [text[:AT_ONCE] for text in texts], vocab_size)
    nats = [[first] for first in best.nats]
    for found, text in zip(nats, texts, strict=True):
        for start in range(AT_ONCE, len(text), AT_ONCE):
            # With what the first of them is predicted from, of which nothing counts again.
            piece = text[start - LONGEST + 1 : start + AT_ONCE]
            [probabilities] = next(islice(models(training, [piece], vocab_size), best.order - 1, None))
            found.append(-np.log(probabilities[LONGEST - 2 :]))
    return Predictions(best.order, list(map(np.concatenate, nats)))


def best_order(training: np.ndarray, texts: Sequence[np.ndarray], vocab_size: int) -> Predictions:
    """Return what a model takes, of the lowest order that a longer one does not improve on the first text."""
    best = None
    for order, probabilities in enumerate(models(training, texts, vocab_size), start=1):
        tried = Predictions(order, [-np.log(each) for each in probabilities])
        if best is not None and tried.nats[0].sum() >= best.nats[0].sum():
            break
        best = tried
    return best


def models(training: np.ndarray, texts: Sequence[np.ndarray], vocab_size: int) -> Iterator[list[np.ndarray]]:
    """Yield for the models of order 1, 2, … the probability of every token of each text but its first.

    The highest order counts how often a gram occurs, the others how many different tokens stand before it.
    """
    # The one gram of no token ends everywhere.
    histories = Grams(0, 1, np.zeros_like(training), [np.zeros_like(text) for text in texts])
    grams = Grams(1, vocab_size, training, list(texts))
    lower = [np.full(len(text) - 1, 1 / vocab_size) for text in texts]
    while grams.length <= LONGEST:
        occurrences = np.bincount(grams.training[grams.length - 1 :], minlength=grams.number)
        yield interpolated(occurrences, grams, histories, lower)
        longer, ends = lengthened(grams, training, texts, vocab_size)
        lower = interpolated(np.bincount(ends, minlength=grams.number), grams, histories, lower)
        histories, grams = grams, longer


def interpolated(
    counts: np.ndarray, grams: Grams, histories: Grams, lower: list[np.ndarray]
) -> list[np.ndarray]:
    """Return the probabilities of one order: (tokens - 1,) of each text.

    Args:
        counts: of the grams: (grams,) int64.
        grams: of so many tokens.
        histories: the grams of one token less.
        lower: the probabilities of the order below, which get what is discounted from the counts.
    """
    history_of = np.zeros(grams.number, dtype=np.int64)
    second = max(1, grams.length - 1)
    history_of[grams.training[second:]] = histories.training[second - 1 : -1]
    discount = discounts(counts)[np.minimum(counts, 3)]
    total, rest = (
        np.append(np.bincount(history_of, weights=weights, minlength=histories.number), 0.0)
        for weights in (counts, discount)
    )
    kept = np.append(counts - discount, 0.0)
    found = []
    for ends, before, below in zip(grams.texts, histories.texts, lower, strict=True):
        gram, history, probabilities = ends[1:], before[:-1], below.copy()
        known = total[history] > 0
        gram, history = gram[known], history[known]
        probabilities[known] = (kept[gram] + rest[history] * below[known]) / total[history]
        found.append(probabilities)
    return found


def discounts(counts: np.ndarray) -> np.ndarray:
    """Return what to take from a count of 0, 1, 2, and 3 or more: (4,)."""
    # How many grams occur once, twice, three and four times.
    once, twice, *_ = few = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    if not few.all():
        return np.array(USUAL)
    share = once / (once + 2 * twice)
    taken = [count - (count + 1) * share * few[count] / few[count - 1] for count in (1, 2, 3)]
    return np.array([0.0, *taken] if min(taken) > 0 else USUAL)


def lengthened(
    grams: Grams, training: np.ndarray, texts: Sequence[np.ndarray], vocab_size: int
) -> tuple[Grams, np.ndarray]:
    """Return the grams with one token more before them, and the shorter one that each ends with: (grams,)."""
    names, numbers = np.unique(
        names_of(grams.training, training, grams.length, vocab_size), return_inverse=True
    )
    beyond = np.append(names, grams.number * vocab_size)
    ends = []
    for shorter, text in zip(grams.texts, texts, strict=True):
        wanted = names_of(shorter, text, grams.length, vocab_size)
        places = np.searchsorted(names, wanted)
        ends.append(filled(np.where(beyond[places] == wanted, places, NONE), len(text)))
    longer = Grams(grams.length + 1, len(names), filled(numbers, len(training)), ends)
    return longer, names // vocab_size


def names_of(shorter: np.ndarray, tokens: np.ndarray, length: int, vocab_size: int) -> np.ndarray:
    """Return a number for each gram with one token more before it: (tokens - length,), none for the first.

    They sort by the shorter grams; negative where the training text has not even that.

    Args:
        shorter: the gram of `length` tokens that ends at each token: (tokens,).
        tokens: (tokens,).
        length: of the shorter grams.
        vocab_size: tokens that there may be.
    """
    return shorter[length:] * vocab_size + tokens[: max(0, len(tokens) - length)]


def filled(ends: np.ndarray, tokens: int) -> np.ndarray:
    """Return the grams that end at all of so many tokens: those that are given end at the last ones."""
    return np.concatenate([np.full(tokens - len(ends), NONE), ends])
