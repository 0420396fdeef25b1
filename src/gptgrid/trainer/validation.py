"""The validation loss during training: it chooses the best step, and stops a training early.

What is scored is the stages' business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gptgrid.metrics import bits_per_byte
from gptgrid.model.precision import autocast
from gptgrid.trainer.learner import Learner
from gptgrid.trainer.ranks import Ranks


class Validation(ABC):
    """What is scored, and the processes that share the work."""

    ranks: Ranks
    targets: int
    """How many tokens are scored."""
    bytes: int | None
    """UTF-8 bytes of what is scored; None for bare ids."""
    digest: str
    """Names what is scored: losses on other tokens do not compare."""

    @abstractmethod
    def batches(self, rows: int) -> Sequence[Any]:
        """Return the forward passes, of at most so many rows, that score all."""

    @abstractmethod
    def nats(self, learner: Learner, batches: Iterable[Any]) -> Iterator[Tensor]:
        """Yield the summed nats of forward passes: scalars on the device."""

    def loss(
        self,
        learner: Learner,
        weights: dict[str, Tensor] | None = None,
        between_batches: Callable[[], None] = lambda: None,
    ) -> float:
        """Return the validation loss, in nats per token.

        Args:
            learner: what computes.
            weights: name → tensor; None takes the weights that the training would keep.
            between_batches: called after each batch; it may raise.
        """
        batches = self.batches(learner.recipe.micro_rows)
        nats = torch.zeros(len(batches), device=learner.device)
        own = range(self.ranks.rank, len(batches), self.ranks.size)
        with learner.evaluating(weights), autocast(learner.precision, learner.device):
            found = self.nats(learner, (batches[number] for number in own))
            for number, batch in zip(own, found, strict=True):
                nats[number] = batch
                between_batches()
        return self.ranks.sum(nats).cpu().double().sum().item() / self.targets

    def bits_per_byte(self, loss: float) -> float | None:
        """Return a loss in bits per byte of what is scored; None for bare ids."""
        return bits_per_byte(loss * self.targets, self.bytes)
