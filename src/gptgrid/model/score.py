"""What a model makes of every token of a text, each predicted from what a convention lets it see.

Validation during training, the evaluation of a cell and `Cell.score` share it. It knows no words or bytes:
what the nats are divided by is the business of whoever counts the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gptgrid.model.packed import packed
from gptgrid.tokens.shards import Shards

BATCH_TOKENS = 4096
"""Most tokens of one forward pass: enough to keep a processor busy, few enough for little memory."""
BATCH_LOGITS = 2**25
"""Most logits of one forward pass (128 MB), which bind where the vocabulary is large."""
WHOLE = np.zeros(1, dtype=np.int64)
"""The parts of a text that is one: it begins at its first token."""
CERTAIN = 0.69
"""Nats below which no other token can be as likely: it has more than half of the probability."""


class Batch(NamedTuple):
    """Windows that go through the model together; shorter ones are padded."""

    starts: np.ndarray
    """Where each window begins in the text: (rows,) int64."""
    lengths: np.ndarray
    """Inputs of each window: (rows,) int64."""
    skipped: int
    """Targets at the beginning of each window that an earlier window has scored."""

    @property
    def inside(self) -> np.ndarray:
        """Return which targets count, and are no padding: (rows, longest - skipped) bool."""
        return np.arange(self.skipped, self.lengths.max()) < self.lengths[:, None]

    @property
    def scored(self) -> np.ndarray:
        """Return which targets of the text the batch scores, row by row: (scored,) int64."""
        return (self.starts[:, None] + np.arange(self.skipped, self.lengths.max()))[self.inside]

    @property
    def seen(self) -> np.ndarray:
        """Return how many inputs each of these is predicted from: (scored,) int64."""
        places = np.arange(self.skipped, self.lengths.max()) + 1
        return np.broadcast_to(places, self.inside.shape)[self.inside]


@dataclass(frozen=True)
class Scores:
    """What is known of every token of a text but the first, in order: (length - 1,) each."""

    nats: np.ndarray
    """The cross-entropy, from logits and losses in fp32: float64."""
    right: np.ndarray
    """Whether none is likelier, and of equals it has the lowest id: bool."""
    targets: np.ndarray
    """The id that the loss was taken of: uint32. It must be the text's own."""
    seen: np.ndarray
    """How many tokens it was predicted from: int32."""
    times: np.ndarray
    """How often it was scored: uint8. It must be once."""

    @classmethod
    def empty(cls, length: int) -> Scores:
        """Return room for the scores of so many tokens, none of which is scored yet."""
        kinds = {"nats": np.float64, "right": bool, "targets": np.uint32, "seen": np.int32, "times": np.uint8}
        return cls(**{name: np.zeros(length, kind) for name, kind in kinds.items()})


def score(
    module: nn.Module,
    tokens: Shards,
    context: int,
    stride: int,
    batch_rows: int | None = None,
    starts: np.ndarray = WHOLE,
) -> Scores:
    """Return what a model makes of every token but the first, each scored exactly once.

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
        batch_rows: whole windows in one forward pass; default: see `rows_at_once`. Another number may change
            last bits.
        starts: where parts of the text begin that do not see each other: (parts,) int64, 0 first. The first
            token of the next part is the last target of a part.

    Raises:
        ValueError: the stride is out of range, or there are no two tokens.
    """
    if not 1 <= stride <= context:
        raise ValueError(f"stride {stride} is not between 1 and the context {context}")
    if len(tokens) < 2:
        raise ValueError(f"{len(tokens)} tokens: scoring needs two, as the first is predicted from nothing")
    scores = Scores.empty(len(tokens) - 1)
    rows = batch_rows or rows_at_once(module.vocab_size, context)
    was_training = module.training
    module.eval()
    for batch in windows(len(tokens) - 1, context, stride, rows, starts):
        score_batch(module, tokens, batch, scores)
    module.train(was_training)
    return scores


@torch.inference_mode()
def score_batch(module: nn.Module, tokens: Shards, batch: Batch, scores: Scores) -> None:
    """Fill in the scores of the targets of a batch of windows."""
    logits, targets = predict(module, read(tokens, batch), batch.skipped)
    losses = cross_entropy(logits, targets)
    right = likeliest(logits, targets, losses)
    scored, inside = batch.scored, batch.inside
    scores.nats[scored] = losses.cpu().numpy()[inside]
    scores.right[scored] = right.cpu().numpy()[inside]
    scores.targets[scored] = targets.cpu().numpy()[inside]
    scores.seen[scored] = batch.seen
    np.add.at(scores.times, scored, 1)


@torch.inference_mode()
def batch_losses(
    module: nn.Module, tokens: Shards, batches: Iterable[Batch]
) -> Iterator[tuple[Batch, Tensor]]:
    """Yield batches of windows, each with the cross-entropy of the targets that it scores.

    Losses are (rows, longest - skipped) fp32, on the device of the module; those of padding are 0.

    Args:
        module: in eval mode.
        tokens: the text.
        batches: of windows of the text.
    """
    for batch in batches:
        losses = cross_entropy(*predict(module, read(tokens, batch), batch.skipped))
        if not batch.inside.all():
            losses = losses.masked_fill(torch.from_numpy(~batch.inside).to(losses.device), 0)
        yield batch, losses


def read(tokens: Shards, batch: Batch) -> np.ndarray:
    """Return the ids of windows with one target more: (rows, longest + 1) int64.

    Padding is the text that follows, or at its end the last token: attention is causal, so that no target
    which counts can see it.
    """
    length = int(batch.lengths.max()) + 1
    # Near the end of the text, read from further left and shift.
    begin = np.minimum(batch.starts, len(tokens) - length)
    ids, shift = tokens.windows(begin, length), batch.starts - begin
    if not shift.any():
        return ids
    place = np.minimum(shift[:, None] + np.arange(length), length - 1)
    return np.take_along_axis(ids, place, axis=1)


def rows_at_once(vocab_size: int, time: int) -> int:
    """Return how many rows of so many tokens one forward pass should take."""
    return max(1, min(BATCH_TOKENS, BATCH_LOGITS // vocab_size) // time)


def default_stride(context: int) -> int:
    """Return the tokens between overlapping windows where nobody says: half a context."""
    return max(1, context // 2)


def windows(
    targets: int,
    context: int,
    stride: int,
    rows: int,
    starts: np.ndarray = WHOLE,
    sizes: np.ndarray | None = None,
) -> Iterator[Batch]:
    """Yield batches of windows that score each target of a text once.

    Windows of like length come together, the long ones first. Of a text in one part only the last window is
    shorter than the others, so that they come in order.

    Args:
        targets: tokens to score, which follow the first token of the text.
        context: inputs of a window.
        stride: tokens between the starts of windows.
        rows: whole windows in a batch, at most; of short ones as many as have together as many tokens.
        starts: where the parts of the text begin: see `score`.
        sizes: targets of each part: (parts,) int64. Default: those up to the beginning of the next one.
    """
    if sizes is None:
        sizes = np.append(starts[1:], targets) - starts
    # A last part of a single token has no target.
    starts, sizes = starts[sizes > 0], sizes[sizes > 0]
    counts = 1 - np.minimum(0, context - sizes) // stride
    part = np.repeat(np.arange(len(sizes)), counts)
    offsets = stride * (np.arange(len(part)) - np.repeat(np.cumsum(counts) - counts, counts))
    begins, lengths = starts[part] + offsets, np.minimum(context, sizes[part] - offsets)
    skipped = np.where(offsets == 0, 0, context - stride)
    order = np.lexsort((-lengths, skipped))
    first = 0
    while first < len(order):
        chosen = order[first : first + rows * context // lengths[order[first]]]
        chosen = chosen[skipped[chosen] == skipped[chosen[0]]]
        yield Batch(begins[chosen], lengths[chosen], int(skipped[chosen[0]]))
        first += len(chosen)


def predict(module: nn.Module, ids: np.ndarray, skipped: int) -> tuple[Tensor, Tensor]:
    """Return the logits (rows, time - skipped, vocab_size) fp32 of the targets (rows, time - skipped).

    Args:
        module: on any device.
        ids: (rows, time + 1) int64; inputs and targets overlap in all but one.
        skipped: targets that need no score.
    """
    device = next(module.parameters()).device
    inputs = torch.from_numpy(ids[:, :-1]).to(device)  # (rows, time)
    targets = torch.from_numpy(ids[:, 1 + skipped :]).to(device)
    return packed(module)(inputs)[:, skipped:].float(), targets


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of targets (rows, time): (rows, time) fp32, nats."""
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return losses.view(targets.shape)


def likeliest(logits: Tensor, targets: Tensor, losses: Tensor) -> Tensor:
    """Say of which targets (rows, time) the logits are the highest, and of equal ones the first.

    The largest value takes a fifth of the time that its place takes, so the place is looked for only where
    several tokens may share it.
    """
    own = logits.gather(-1, targets[..., None])[..., 0]
    right = own >= logits.amax(-1)
    doubtful = right & (losses > CERTAIN)
    right[doubtful] = logits[doubtful].argmax(-1) == targets[doubtful]
    return right
