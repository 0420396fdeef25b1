"""The validation loss during training: disjoint windows over the validation split, or over its beginning."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from gptgrid.artifact.errors import UserError
from gptgrid.model.precision import autocast
from gptgrid.model.score import batch_losses, windows
from gptgrid.stages.train.learner import Learner
from gptgrid.stages.train.ranks import Ranks
from gptgrid.tokens.shards import Shards

CHUNK = 2**20
"""Tokens that are hashed at once."""


class Validation:
    """What is scored, and the processes that share the work."""

    def __init__(
        self, tokens: Shards, eval_tokens: int | None, ranks: Ranks, between_batches: Callable[[], None]
    ) -> None:
        """Choose what is scored.

        Args:
            tokens: the validation split.
            eval_tokens: score this many tokens, from the start; None scores all.
            ranks: the processes.
            between_batches: called after each batch; it may raise.

        Raises:
            UserError: there are no two tokens.
        """
        if len(tokens) < 2:
            raise UserError(
                f"the validation split has {len(tokens)} tokens, and the first is never scored; use a larger "
                "corpus or a larger share for validation"
            )
        self.tokens, self.ranks, self.between_batches = tokens, ranks, between_batches
        self.targets = min(len(tokens) - 1, eval_tokens or len(tokens))

    @cached_property
    def digest(self) -> str:
        """The sha256 of the tokens that are scored: losses on other tokens do not compare."""
        total = hashlib.sha256()
        for start in range(0, self.targets + 1, CHUNK):
            total.update(self.tokens[start : min(start + CHUNK, self.targets + 1)].tobytes())
        return total.hexdigest()

    def loss(self, learner: Learner, weights: dict[str, Tensor] | None = None) -> float:
        """Return the validation loss, in nats per token.

        Args:
            learner: what computes.
            weights: name → tensor; None takes the weights that the training would keep.
        """
        context = learner.recipe.model.context
        batches = list(windows(self.targets, context, stride=context, rows=learner.recipe.micro_rows))
        nats = torch.zeros(len(batches), device=learner.device)
        own = range(self.ranks.rank, len(batches), self.ranks.size)
        with learner.evaluating(weights), autocast(learner.precision, learner.device):
            losses = batch_losses(learner.module, self.tokens, (batches[number] for number in own))
            for number, (_, batch) in zip(own, losses, strict=True):
                nats[number] = batch.sum()
                self.between_batches()
        return self.ranks.sum(nats).cpu().double().sum().item() / self.targets
