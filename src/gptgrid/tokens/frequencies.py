"""How often tokens occur, and what a model takes that knows nothing else."""

from __future__ import annotations

import math

import numpy as np

from gptgrid.tokens.shards import Shards

TOKENS = 2**24
"""Of a split, from its start, that tokens are counted in."""
PART = 2**20
"""Tokens in memory at once."""


def token_counts(tokens: Shards, vocab_size: int) -> np.ndarray:
    """Return how often each token stands at the start of a text: (vocab_size,) int64."""
    starts = range(0, min(len(tokens), TOKENS), PART)
    return sum(
        np.bincount(tokens[start : min(start + PART, TOKENS)], minlength=vocab_size) for start in starts
    )


def nats_by_frequency(counts: np.ndarray) -> np.ndarray:
    """Return the nats that each token takes which is guessed by how often it occurs: (vocab_size,) float64.

    The probability of a token is its share of the training text, mixed with all being equally likely as
    Witten and Bell do (1991, method C): the more different tokens a text has, the more are still to come.

    Args:
        counts: of the tokens of the training text: (vocab_size,).
    """
    total, different = int(counts.sum()), int(np.count_nonzero(counts))
    return math.log(total + different) - np.log(counts + different / len(counts))


def guessing(counts: np.ndarray, text: Shards) -> float:
    """Return the nats per token that a model takes on a text which knows only frequencies of tokens.

    Where these are those of another kind of text, finding all tokens equally likely may take less.

    Args:
        counts: of the tokens of the training text: (vocab_size,).
        text: what is guessed.
    """
    seen = token_counts(text, len(counts))
    return min(float(seen @ nats_by_frequency(counts)) / int(seen.sum()), math.log(len(counts)))
