"""The nats of every token of a text, each predicted from what a convention lets it see.

What the evaluation of a cell, `Cell.score` and anybody who compares models share. It knows no words, bytes
or documents: what a sum of nats means per what is the business of whoever counts the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from gptgrid.tokens.shards import Shards

BATCH_TOKENS = 4096
"""Most tokens of one forward pass: enough to keep a processor busy, few enough for little memory."""
BATCH_LOGITS = 2**25
"""Most logits of one forward pass (128 MB), which bind where the vocabulary is large."""


@torch.inference_mode()
def score(
    module: nn.Module,
    tokens: Shards,
    context: int,
    stride: int,
    batch_rows: int | None = None,
) -> np.ndarray:
    """Return the cross-entropy of every token but the first, each scored exactly once.

    A window of `context` inputs starts every `stride` tokens and scores the targets that no earlier window
    has scored: the first one all of its own, each later one its last `stride`, the last one what is left. So
    a token is predicted from at least context - stride + 1 tokens, where the text has as many before it;
    with stride == context the windows are disjoint, with stride == 1 every token sees a full window. The
    same windows as in the guide to perplexity of the transformers library.

    Args:
        module: tokens (batch, time) int64 → logits (batch, time, vocab_size). Dropout is off meanwhile.
        tokens: ids, read in batches from wherever they lie.
        context: inputs of a window, at most what the model can see.
        stride: tokens between the starts of windows, 1 … context.
        batch_rows: windows in one forward pass; default: see `rows_at_once`. Another number may change last
            bits.

    Returns:
        (length - 1,) float64, nats. Logits and losses are fp32.

    Raises:
        ValueError: the stride is out of range, or there are no two tokens.
    """
    if not 1 <= stride <= context:
        raise ValueError(f"stride {stride} is not between 1 and the context {context}")
    if len(tokens) < 2:
        raise ValueError(f"{len(tokens)} tokens: scoring needs two, as the first is predicted from nothing")
    rows = batch_rows or rows_at_once(module.vocab_size, context)
    nats = np.empty(len(tokens) - 1)
    was_training = module.training
    module.eval()
    for starts, length, seen in windows(len(nats), context, stride, rows):
        losses = losses_of(module, tokens.windows(starts, length + 1), seen)
        nats[starts[0] + seen : starts[-1] + length] = losses.flatten().cpu()
    module.train(was_training)
    return nats


def rows_at_once(vocab_size: int, time: int) -> int:
    """Return how many rows of so many tokens one forward pass should take."""
    return max(1, min(BATCH_TOKENS, BATCH_LOGITS // vocab_size) // time)


def default_stride(context: int) -> int:
    """Return the tokens between overlapping windows where nobody says: half a context."""
    return max(1, context // 2)


def windows(targets: int, context: int, stride: int, rows: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield batches of windows: their starts (≤ rows,), their length, and how many targets to pass over.

    Only the last window may be shorter than the context. Within a batch, what is scored is contiguous.
    """
    yield np.zeros(1, dtype=np.int64), min(context, targets), 0
    overlap = context - stride
    starts = range(stride, targets - overlap, stride)
    whole = starts[: max(0, (targets - context) // stride)]
    for first in range(0, len(whole), rows):
        yield np.array(whole[first : first + rows], dtype=np.int64), context, overlap
    if len(starts) > len(whole):
        yield np.array(starts[-1:], dtype=np.int64), targets - starts[-1], overlap


def losses_of(module: nn.Module, ids: np.ndarray, seen: int) -> Tensor:
    """Return the cross-entropy of the targets after the first `seen`: (rows, time - seen) fp32.

    Args:
        module: on any device.
        ids: (rows, time + 1) int64; inputs and targets overlap in all but one.
        seen: targets that another window has scored.
    """
    device = next(module.parameters()).device
    inputs, targets = (
        torch.from_numpy(ids[:, :-1]).to(device),
        torch.from_numpy(ids[:, 1 + seen :]).to(device),
    )
    logits = module(inputs)[:, seen:].float()
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return losses.view(targets.shape)
