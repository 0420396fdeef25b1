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

    A text that is longer than the context is scored in overlapping windows.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size), with dropout off.
        texts: with at least one token that counts.
        context: inputs of a window, at most what the model can see.
        stride: tokens between the starts of windows.
        threads: batches at a time. Each is computed by a single thread, so that no figure depends on it.

    Returns:
        (texts,) float64 and (texts,) bool.
    """
    ends = np.cumsum([len(text.ids) for text in texts])
    starts = ends - [len(text.ids) for text in texts]
    tokens = Shards([np.concatenate([text.ids for text in texts])])
    scores = Scores.empty(len(tokens) - 1)
    # The first token of a text is no target of the one before.
    rows, sizes = rows_at_once(module.vocab_size, context), ends - 1 - starts
    work = windows(len(scores.nats), context, stride, rows, starts, sizes)
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda batch: score_batch(module, tokens, batch, scores), work):
            pass  # takes up what a batch raises
    spans = [
        slice(start + text.counted - 1, end - 1) for text, start, end in zip(texts, starts, ends, strict=True)
    ]
    return (
        np.array([scores.nats[span].sum() for span in spans]),
        np.array([scores.right[span].all() for span in spans]),
    )
