"""How well a cell predicts texts of any size: read, encoded and scored in pieces, in the same convention and,
up to a million tokens, to the same bits as `TrainedCell.score`, which has the whole text in memory.

Its tokens lie in a temporary file meanwhile, as windows overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gptgrid.inference.cell import Score, TrainedCell, check_nats, nothing_to_score
from gptgrid.inference.passages import Passage, Passages
from gptgrid.metrics import figures
from gptgrid.model.score import Batch, batch_losses, default_stride, rows_at_once
from gptgrid.tokens.base import Codec
from gptgrid.tokens.shards import Shards, read_shard, write_shard

PART = 2**18
"""Characters that are encoded at once."""
BLOCK = 2**20
"""Tokens whose nats are added up at once."""


@dataclass(frozen=True)
class TextScore:
    """How well a cell predicts a text, and where worst."""

    score: Score
    worst: tuple[Passage, ...]
    """Passages of most nats per byte, the worst first; none of bare ids."""


def score_text(cell: TrainedCell, pieces: Iterable[str], worst: int = 5) -> TextScore:
    """Return how well a cell predicts a text, as one document, in the `evaluate` stage's convention.

    Args:
        cell: the model and its tokenizer; names of special tokens are read as in its corpus.
        pieces: the text, one piece after the other.
        worst: how many of the worst passages to find.

    Raises:
        UserError: the text has nothing to score, or the weights give no probabilities.
    """
    codec, size = cell.codec, Counted()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.bin"
        write_shard(path, encode(codec, size.count(pieces), cell.marks), codec.vocab_size)
        tokens = Shards([read_shard(path)])
        if len(tokens) < 2:
            raise nothing_to_score(codec)
        passages = None if codec.kind == "ids" else Passages(codec, tokens, cell.marks, worst)
        total = []
        for nats in blocks(losses(cell, tokens)):
            total.append(float(nats.sum()))
            check_nats(total[-1])
            if passages:
                passages.add(nats)
        found = passages.finish() if passages else ()
        text_bytes = size.bytes if passages else None
        return TextScore(score_of(math.fsum(total), len(tokens) - 1, text_bytes), found)


def score_of(nats: float, tokens: int, text_bytes: int | None) -> Score:
    """Return the figures of a text, or of several together, from their sums."""
    found = figures(nats, tokens, text_bytes, words=None, newlines=None)
    return Score(nats, tokens, text_bytes, found["bpb"], found["perplexity"])


def together(scores: Iterable[Score]) -> Score:
    """Return the figures of several texts together, each a document of its own."""
    scores = list(scores)
    sizes = [score.bytes for score in scores]
    return score_of(
        math.fsum(score.nats for score in scores),
        sum(score.tokens for score in scores),
        None if None in sizes else sum(sizes),
    )


class Counted:
    """Counts the bytes of a text that passes."""

    bytes = 0

    def count(self, pieces: Iterable[str]) -> Iterator[str]:
        """Yield the pieces of a text."""
        for piece in pieces:
            self.bytes += len(piece.encode("utf-8", errors="surrogatepass"))
            yield piece


def encode(codec: Codec, pieces: Iterable[str], marks: bool) -> Iterator[np.ndarray]:
    """Yield the ids of a text that comes in pieces, behind an end-of-text token where the codec has one.

    Args:
        codec: the tokenizer.
        pieces: of the text, cut anywhere.
        marks: names of special tokens mean these.
    """
    yield codec.ids_of_part([] if codec.eot is None else [codec.eot])
    yield from map(codec.ids_of_part, codec.parts(pieces, PART, marks))


def losses(cell: TrainedCell, tokens: Shards) -> Iterator[np.ndarray]:
    """Yield the nats of the tokens of a text but the first, in order (float64)."""
    stride, rows = default_stride(cell.context), rows_at_once(cell.module.vocab_size, cell.context)
    batches = windows_in_order(len(tokens) - 1, cell.context, stride, rows)
    for batch, found in batch_losses(cell.module, tokens, batches):
        yield found.cpu().numpy()[batch.inside].astype(np.float64)


def windows_in_order(targets: int, context: int, stride: int, rows: int) -> Iterator[Batch]:
    """Yield the batches that gptgrid.model.score.windows makes of a text in one part, but no list of all."""
    count = 1 + max(0, -((context - targets) // stride))
    first = 0
    while first < count:
        skipped = 0 if first == 0 else context - stride
        size = 1 if first == 0 and stride < context else rows
        starts = stride * np.arange(first, min(first + size, count))
        yield Batch(starts, np.minimum(context, targets - starts), skipped)
        first += size


def blocks(arrays: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield arrays put together, each of at least BLOCK numbers but the last."""
    some, size = [], 0
    for array in arrays:
        some.append(array)
        size += len(array)
        if size >= BLOCK:
            yield np.concatenate(some)
            some, size = [], 0
    if some:
        yield np.concatenate(some)
