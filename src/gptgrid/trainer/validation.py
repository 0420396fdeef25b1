"""The validation loss during training: disjoint windows over the validation split, or over a part of it.

It chooses the best step, and stops a training early. What tables rank is scored by the `evaluate` stage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from gptgrid.metrics import bits_per_byte
from gptgrid.model.precision import autocast
from gptgrid.model.score import WHOLE, batch_losses, windows
from gptgrid.tokens.document_table import ScoredText
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.ranks import Ranks

CHUNK = 2**20
"""Tokens that are hashed at once."""


class Validation:
    """What is scored, and the processes that share the work."""

    def __init__(
        self, text: ScoredText, by_document: bool, ranks: Ranks, between_batches: Callable[[], None]
    ) -> None:
        """Choose what is scored.

        Args:
            text: of the validation split.
            by_document: let no token see another document than its own, as in a training by documents.
            ranks: the processes.
            between_batches: called after each batch; it may raise.
        """
        self.text, self.tokens, self.ranks, self.between_batches = text, text.tokens, ranks, between_batches
        self.starts = text.documents.starts if by_document else WHOLE
        self.targets = len(self.tokens) - 1

    @cached_property
    def digest(self) -> str:
        """The sha256 of the tokens that are scored: losses on other tokens do not compare."""
        total = hashlib.sha256()
        for start in range(0, len(self.tokens), CHUNK):
            total.update(self.tokens[start : start + CHUNK].tobytes())
        return total.hexdigest()

    def loss(self, learner: Learner, weights: dict[str, Tensor] | None = None) -> float:
        """Return the validation loss, in nats per token.

        Args:
            learner: what computes.
            weights: name → tensor; None takes the weights that the training would keep.
        """
        context, rows = learner.recipe.model.context, learner.recipe.micro_rows
        batches = list(windows(self.targets, context, stride=context, rows=rows, starts=self.starts))
        nats = torch.zeros(len(batches), device=learner.device)
        own = range(self.ranks.rank, len(batches), self.ranks.size)
        with learner.evaluating(weights), autocast(learner.precision, learner.device):
            losses = batch_losses(learner.module, self.tokens, (batches[number] for number in own))
            for number, (_, batch) in zip(own, losses, strict=True):
                nats[number] = batch.sum()
                self.between_batches()
        return self.ranks.sum(nats).cpu().double().sum().item() / self.targets

    def bits_per_byte(self, loss: float) -> float | None:
        """Return a loss in bits per byte of what is scored; None for a corpus of bare ids."""
        return bits_per_byte(loss * self.targets, self.text.totals["bytes"])
