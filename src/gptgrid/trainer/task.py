"""What a stage decides of a training; the loop in trainer.py does the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from gptgrid.artifact.job import Job
from gptgrid.tokens.base import Codec
from gptgrid.trainer.checkpoint import Progress
from gptgrid.trainer.ranks import Ranks
from gptgrid.trainer.recipe import Recipe
from gptgrid.trainer.validation import Validation


class Task(ABC):
    """A model to train, on which batches, and what it is validated on."""

    recipe: Recipe
    codec: Codec
    validation: Validation
    private: bool
    """The text may not be shown, nor what a model that learned it writes."""

    def __init__(self, job: Job) -> None:
        """Take a job; a stage reads its data here.

        Args:
            job: of the stage.
        """
        self.job, self.ranks = job, Ranks()

    @abstractmethod
    def first_model(self) -> nn.Module:
        """Return the model as the training begins, on the CPU. What does not learn has no `requires_grad`."""

    @abstractmethod
    def sample(self, module: nn.Module) -> dict[str, Any]:
        """Let a model in training write something short, greedily; return the row of samples.jsonl."""

    @abstractmethod
    def shown(self, sample: dict[str, Any]) -> str:
        """Return of a row of samples.jsonl what a person is shown on the way."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return what config.json of the trained model holds."""

    def whole(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return all weights of the model, from those that learned."""
        return weights

    def files(self, weights: dict[str, Tensor]) -> dict[str, bytes]:
        """Return name → content of what this stage delivers beside the files of every training.

        Args:
            weights: of the lowest validation loss, those that learned.
        """
        return {}

    def facts(self, progress: Progress) -> dict[str, Any]:
        """Return what the manifest says beside, or in place of, the facts of every training."""
        return {}
