"""What is trained, on which batches, how long, and at which learning rate.

A recipe is the configuration of a cell with a number in place of each `auto`. Nothing in it depends on the
device, and nothing in it changes while the training runs.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from gptgrid.artifact.identity import canonical, mapping
from gptgrid.model.cost import count_parameters
from gptgrid.trainer import power_laws
from gptgrid.trainer.batches import Batches
from gptgrid.trainer.budget import total_steps
from gptgrid.trainer.intervals import is_due
from gptgrid.trainer.memory import micro_batch_rows
from gptgrid.trainer.schedule import learning_rate

ROWS_OF_METRICS = 200
"""About how many rows metrics.csv gets beside those of validations."""


class Recipe:
    """A model, its training and its seed, with the steps that follow from them."""

    def __init__(
        self, config: SimpleNamespace, vocab_size: int, eot: int | None, batches: Batches, processes: int = 1
    ) -> None:
        """Work out the numbers of a recipe.

        Args:
            config: model, training and seed, as configured.
            vocab_size: of the model.
            eot: id of the end-of-text token.
            batches: of the training.
            processes: that share a batch.
        """
        self.model, self.seed = config.model, config.seed
        self.vocab_size, self.eot, self.batches = vocab_size, eot, batches
        self.training = training = SimpleNamespace(**vars(config.training))
        training.batch_tokens = self.batches.rows * self.model.context
        self.steps = total_steps(training, self.batches)
        self.tokens = self.batches.targets(self.steps)
        if training.weight_decay == "auto":
            parameters = count_parameters(self.model, self.vocab_size)
            training.weight_decay = power_laws.weight_decay(training.lr, self.steps, self.tokens, parameters)
        self.draws = self.model.dropout > 0
        """Whether a step draws at random."""
        self.adapters: int | None = None
        """Parameters that learn beside the model, of which none does then; None if all of it learns."""
        self.eval_every = training.eval_every or math.ceil(self.steps / 10)
        self.sample_every = training.sample_every
        self.row_every = math.ceil(self.steps / ROWS_OF_METRICS)
        self.micro_rows = micro_batch_rows(
            self.model, self.vocab_size, training.micro_batch, self.batches.rows, processes
        )
        rows = micro_batch_rows(self.model, self.vocab_size, training.micro_batch, self.batches.rows)
        self.activations = rows * self.model.context * self.model.d_model
        """Tokens of a forward pass of one process × d_model. However many share a batch, a precision that is
        chosen by it is the same."""

    def describe(self) -> dict[str, Any]:
        """Return what config.json holds."""
        return {
            "model": vars(self.model),
            "vocab_size": self.vocab_size,
            "eot": self.eot,
            "training": mapping(self.training),
            "seed": self.seed,
        }

    def text(self) -> str:
        """Return the one JSON text of the recipe, by which checkpoints are recognized."""
        return canonical(self.describe())

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of the update that follows `step` others."""
        return learning_rate(self.training, step, self.steps)

    def is_due(self, every: int | str | None, step: int) -> bool:
        """Say whether something is due after a step: every so many steps or epoch, and after the last."""
        if every is None:
            return False
        return step == self.steps or is_due(every, step, self.batches.steps_per_epoch)
