"""The nats of every token of a text, each predicted from what a convention lets it see.

Validation during training, the evaluation of a cell and `Cell.score` share it. It knows no words, bytes or
documents: what the nats are divided by is the business of whoever counts the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

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


class Batch(NamedTuple):
    """Windows that go through the model together."""

    starts: np.ndarray
    """Where each window begins in the text: (rows,) int64."""
    length: int
    """Inputs of each window."""
    skipped: int
    """Targets at the beginning of each window that an earlier window has scored."""

    @property
    def scored(self) -> slice:
        """Return which targets of the text the batch scores: they are contiguous."""
        return slice(int(self.starts[0]) + self.skipped, int(self.starts[-1]) + self.length)


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
    nats = np.empty(len(tokens) - 1)
    rows = batch_rows or rows_at_once(module.vocab_size, context)
    was_training = module.training
    module.eval()
    for batch, losses in batch_losses(module, tokens, windows(len(nats), context, stride, rows)):
        nats[batch.scored] = losses.flatten().cpu()
    module.train(was_training)
    return nats


@torch.inference_mode()
def batch_losses(
    module: nn.Module, tokens: Shards, batches: Iterable[Batch]
) -> Iterator[tuple[Batch, Tensor]]:
    """Yield batches of windows, each with the cross-entropy of the targets that it scores.

    Losses are (rows, time) fp32, on the device of the module.

    Args:
        module: in eval mode.
        tokens: the text.
        batches: of windows of the text.
    """
    for batch in batches:
        yield batch, losses_of(module, tokens.windows(batch.starts, batch.length + 1), batch.skipped)


def rows_at_once(vocab_size: int, time: int) -> int:
    """Return how many rows of so many tokens one forward pass should take."""
    return max(1, min(BATCH_TOKENS, BATCH_LOGITS // vocab_size) // time)


def default_stride(context: int) -> int:
    """Return the tokens between overlapping windows where nobody says: half a context."""
    return max(1, context // 2)


def windows(targets: int, context: int, stride: int, rows: int) -> Iterator[Batch]:
    """Yield batches of windows that score each target of a text once, in order.

    Only the last window may be shorter than the context.

    Args:
        targets: tokens to score, which follow the first token of the text.
        context: inputs of a window.
        stride: tokens between the starts of windows.
        rows: windows in a batch, at most.
    """
    yield Batch(np.zeros(1, dtype=np.int64), min(context, targets), 0)
    overlap = context - stride
    starts = range(stride, targets - overlap, stride)
    whole = starts[: max(0, (targets - context) // stride)]
    for first in range(0, len(whole), rows):
        yield Batch(np.array(whole[first : first + rows], dtype=np.int64), context, overlap)
    if len(starts) > len(whole):
        yield Batch(np.array(starts[-1:], dtype=np.int64), targets - starts[-1], overlap)


def losses_of(module: nn.Module, ids: np.ndarray, skipped: int) -> Tensor:
    """Return the cross-entropy of the targets after the first `skipped`: (rows, time - skipped) fp32.

    Args:
        module: on any device.
        ids: (rows, time + 1) int64; inputs and targets overlap in all but one.
        skipped: targets that need no score.
    """
    device = next(module.parameters()).device
    inputs = torch.from_numpy(ids[:, :-1]).to(device)  # (rows, time)
    targets = torch.from_numpy(ids[:, 1 + skipped :]).to(device)  # (rows, time - skipped)
    logits = module(inputs)[:, skipped:].float()  # (rows, time - skipped, vocab_size)
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return losses.view(targets.shape)
