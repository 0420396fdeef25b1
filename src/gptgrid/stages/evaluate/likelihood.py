"""How likely a model finds texts, of which only what follows a prompt counts.

Each text goes through the model by itself, its prompt again with each answer: keeping what the model has seen
of a prompt would save less than it takes to explain where items are short, as they are in most tasks.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from torch import nn

from gptgrid.model.score import Scores, rows_at_once, score_batch, windows
from gptgrid.tokens.shards import Shards


class Text(NamedTuple):
    """What a model sees of a text, and what of it counts."""

    ids: np.ndarray
    """From the first token that it sees on, which is predicted from nothing and never counts: uint32."""
    counted: int
    """Place of the first token that counts."""


def texts_of(tokens: list[list[int]], prompt: list[int], context: int, stride: int) -> list[Text]:
    """Return the texts of one item, which all see the same of what they share.

    What counts begins where a text first has another token than the prompt alone, at the earliest of these
    places. Where a text is longer than the context, its beginning is left out, but never so much of it that
    the first token that counts is predicted from less than overlapping windows guarantee.

    Args:
        tokens: of prompt and answer together, for each answer.
        prompt: tokens of the prompt alone.
        context: inputs that the model can see.
        stride: tokens between the starts of overlapping windows.
    """
    counted = min(common(prompt, ids) for ids in tokens)
    first = max(0, max(map(len, tokens)) - context - 1)
    if first >= counted:
        first = max(0, counted - (context - stride + 1))
    return [Text(np.array(ids[first:], dtype=np.uint32), counted - first) for ids in tokens]


def common(one: list[int], other: list[int]) -> int:
    """Return how many tokens two lists share at their beginning."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def likelihoods(
    module: nn.Module, texts: list[Text], context: int, stride: int, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return of each text the nats of what counts, and whether greedy decoding gives exactly that.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size), with dropout off.
        texts: with at least one token that counts.
        context: inputs of a window, at most what the model can see.
        stride: tokens between the starts of windows.
        threads: see `score_texts`.

    Returns:
        (texts,) float64 and (texts,) bool.
    """
    found = score_texts(module, [text.ids for text in texts], context, stride, threads)
    counted = [slice(text.counted - 1, None) for text in texts]
    return (
        np.array([nats[span].sum() for (nats, _), span in zip(found, counted, strict=True)]),
        np.array([right[span].all() for (_, right), span in zip(found, counted, strict=True)]),
    )


def score_texts(
    module: nn.Module, texts: list[np.ndarray], context: int, stride: int, threads: int = 1
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return of each text the nats of every token but the first, and whether it is the likeliest.

    A text that is longer than the context is scored in overlapping windows.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size), with dropout off.
        texts: the ids of each, uint32; at least two.
        context: inputs of a window, at most what the model can see.
        stride: tokens between the starts of windows.
        threads: batches at a time. Each is computed by a single thread, so that no figure depends on it.

    Returns:
        for each (tokens - 1,) float64 and (tokens - 1,) bool.
    """
    ends = np.cumsum([len(ids) for ids in texts])
    starts = ends - [len(ids) for ids in texts]
    tokens = Shards([np.concatenate(texts)])
    scores = Scores.empty(len(tokens) - 1)
    # The first token of a text is no target of the one before.
    rows, sizes = rows_at_once(module.vocab_size, context), ends - 1 - starts
    work = windows(len(scores.nats), context, stride, rows, starts, sizes)
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda batch: score_batch(module, tokens, batch, scores), work):
            pass  # takes up what a batch raises
    spans = [slice(start, end - 1) for start, end in zip(starts, ends, strict=True)]
    return [(scores.nats[span], scores.right[span]) for span in spans]
