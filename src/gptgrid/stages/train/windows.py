"""Which tokens of a text stand in which batch: windows over the running text, or documents.

Reading the shards is gptgrid.tokens' business.
"""

from __future__ import annotations

from math import ceil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from gptgrid.artifact.errors import UserError
from gptgrid.seeds import derive
from gptgrid.stages.train.shuffled import ShuffledText
from gptgrid.trainer import power_laws
from gptgrid.trainer.batches import UNSCORED, Batches, rows_of_batch
from gptgrid.trainer.permutation import draw

if TYPE_CHECKING:
    from gptgrid.tokens.shards import Shards

LEAST_READ = 0.9
"""An epoch may read this share of the text before it is worth a word."""


class Windows(Batches):
    """The batches of a training run, by step.

    `permuted`: windows of `context` tokens side by side, and one target more, in a new order each epoch. The
    grid that they stand on is shifted each epoch, too: at the same offsets every time, a model would learn by
    heart what stands at which place. `shuffled`: the same, of the documents in a new order each epoch.
    `sliding`: as permuted, `stride` apart. `random`: any offset, drawn with replacement. `document`: each row
    is a document from its start, cut to the context or padded.
    """

    def __init__(
        self, shards: Shards, training: SimpleNamespace, context: int, seed: int, eot: int | None
    ) -> None:
        """Count the windows of a training split.

        Args:
            shards: the split.
            training: the recipe: windows, stride, batch_tokens; where that is `auto`, tokens or epochs.
            context: tokens in a window.
            seed: the cell's seed.
            eot: id of the end-of-text token, which begins every document.

        Raises:
            UserError: the batch is no whole number of windows, or the split has not one window.
        """
        self.shards, self.context, self.kind = shards, context, training.windows
        self.key, self.phase_key = derive(seed, "order"), derive(seed, "phase")
        self.stride = (training.stride or ceil(context / 2)) if self.kind == "sliding" else context
        self.documents = Documents(shards, context, eot) if self.kind == "document" else None
        documents_key = derive(seed, "documents")
        self.shuffled = ShuffledText(shards, eot, documents_key) if self.kind == "shuffled" else None
        if self.documents:
            self.per_epoch, self.row_scored = len(self.documents.starts), self.documents.scored
            self.unit = "documents"
        else:
            check_length(shards, context)
            self.last = len(shards) - 1 - context
            self.per_epoch = self.last // self.stride + 1
        if training.batch_tokens == "auto":
            budget = training.tokens or training.epochs * self.targets_per_epoch
            self.rows = power_laws.batch_rows(budget, self.targets_per_epoch / self.per_epoch)
        else:
            self.rows = rows_of_batch(training.batch_tokens, context)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and targets of a step: each (rows, context) int64; UNSCORED targets are padding."""
        row = self.rows_of(step)
        if self.documents:
            return self.documents.gather(self.numbers(row))
        if self.kind == "random":
            offsets = draw(row, self.key) % np.uint64(self.last + 1)
            tokens = self.shards.windows(offsets.astype(np.int64), self.context + 1)
        elif self.shuffled:
            epochs = row // np.uint64(self.per_epoch)
            tokens = self.shuffled.windows(self.starts(row), self.context + 1, epochs)
        else:
            tokens = self.shards.windows(self.starts(row), self.context + 1)
        return tokens[:, :-1], tokens[:, 1:]

    def starts(self, row: np.ndarray) -> np.ndarray:
        """Return where the windows of some rows begin: (rows,) int64.

        Of the windows of an epoch at most one would begin before the text or end after it. It is moved to lie
        inside, so that all epochs have as many, and each leaves out less than a window at either end. The
        phases are centred: both ends lose as much.

        Args:
            row: (rows,) uint64, counted from the training's first one.
        """
        drawn = draw(row // np.uint64(self.per_epoch), self.phase_key) % np.uint64(self.stride)
        phase = drawn.astype(np.int64) - (self.stride - 1 - self.last % self.stride) // 2
        return np.clip(phase + self.numbers(row) * self.stride, 0, self.last)

    def remarks(self) -> list[str]:
        """Say how much of the text is cut off."""
        text = len(self.shards)
        if self.documents is None or self.targets_per_epoch >= LEAST_READ * text:
            return []
        return [
            f"`windows: document` cuts documents to the context of {self.context}: an epoch trains on "
            f"{self.targets_per_epoch:,} of the {text:,} tokens of the training split"
        ]


class Documents:
    """Documents as rows: a row begins with the end-of-text token, and its last target is the next one."""

    def __init__(self, shards: Shards, context: int, eot: int | None) -> None:
        """Find the documents of a split.

        Raises:
            UserError: the corpus has no documents, or they are empty.
        """
        if eot is None:
            raise UserError(
                "`windows: document` needs text: this corpus brings bare ids without an end-of-text token; "
                "take `windows: permuted`"
            )
        starts = shards.document_starts(eot)
        # The last document has no following end-of-text token to predict.
        ends = np.append(starts[1:], len(shards) - 1)
        scored = np.minimum(ends - starts, context)
        self.starts, self.scored = starts[scored > 0], scored[scored > 0]
        self.shards, self.context = shards, context
        if not len(self.starts):
            raise UserError("the training split has no document with a token to predict; use a larger corpus")

    def gather(self, document: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and targets of documents by number: each (rows, context) int64, padded at the end."""
        offset = np.arange(self.context + 1)
        start, length = self.starts[document], min(self.context + 1, len(self.shards))
        # Near the end of the split, read from further left and shift.
        read = np.minimum(start, len(self.shards) - length)
        place = np.minimum((start - read)[:, None] + offset, length - 1)
        tokens = np.take_along_axis(self.shards.windows(read, length), place, axis=1)
        # Padding sees the following text, which changes nothing: attention is causal and it is not scored.
        inside = offset[:-1] < self.scored[document][:, None]
        return tokens[:, :-1], np.where(inside, tokens[:, 1:], UNSCORED)


def check_length(shards: Shards, context: int) -> None:
    """Refuse a split without a whole window.

    Raises:
        UserError: it is too short.
    """
    if len(shards) < context + 1:
        raise UserError(
            f"the training split has {len(shards)} tokens, but a window takes {context + 1} "
            f"(context {context} and one target); lower the model's context to {max(1, len(shards) - 1)} or "
            "less, or use a larger corpus"
        )
