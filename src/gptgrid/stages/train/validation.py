"""What a training on text is validated on: disjoint windows over the validation split, or a part of it.

What tables rank is scored by the `evaluate` stage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property

from torch import Tensor

from gptgrid.model.score import WHOLE, Batch, batch_losses, windows
from gptgrid.tokens.document_table import ScoredText
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.ranks import Ranks
from gptgrid.trainer.validation import Validation

CHUNK = 2**20
"""Tokens that are hashed at once."""


class TextValidation(Validation):
    """Windows over a text."""

    def __init__(self, text: ScoredText, by_document: bool, context: int, ranks: Ranks) -> None:
        """Choose what is scored.

        Args:
            text: of the validation split.
            by_document: let no token see another document than its own, as in a training by documents.
            context: tokens in a window.
            ranks: the processes.
        """
        self.text, self.tokens, self.context, self.ranks = text, text.tokens, context, ranks
        self.starts = text.documents.starts if by_document else WHOLE
        self.targets, self.bytes = len(self.tokens) - 1, text.totals["bytes"]

    @cached_property
    def digest(self) -> str:
        """The sha256 of the tokens that are scored: losses on other tokens do not compare."""
        total = hashlib.sha256()
        for start in range(0, len(self.tokens), CHUNK):
            total.update(self.tokens[start : start + CHUNK].tobytes())
        return total.hexdigest()

    def batches(self, rows: int) -> list[Batch]:
        """Return batches of windows that score each target once."""
        return list(windows(self.targets, self.context, self.context, rows, self.starts))

    def nats(self, learner: Learner, batches: Iterable[Batch]) -> Iterator[Tensor]:
        """Yield the summed nats of batches of windows."""
        return (losses.sum() for _, losses in batch_losses(learner.module, self.tokens, batches))
