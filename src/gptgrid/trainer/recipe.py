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
from gptgrid.tokens.base import Codec
from gptgrid.tokens.shards import Shards
from gptgrid.trainer import power_laws
from gptgrid.trainer.budget import total_steps
from gptgrid.trainer.intervals import is_due
from gptgrid.trainer.memory import micro_batch_rows
from gptgrid.trainer.schedule import learning_rate
from gptgrid.trainer.windows import Windows

ROWS_OF_METRICS = 200
"""About how many rows metrics.csv gets beside those of validations."""


class Recipe:
    """A model, its training and its seed, with the steps that follow from them."""

    def __init__(self, config: SimpleNamespace, codec: Codec, tokens: Shards, processes: int = 1) -> None:
        """Work out the numbers of a recipe.

        Args:
            config: model, training and seed, as configured.
            codec: the tokenizer.
            tokens: the training split.
            processes: that share a batch.

        Raises:
            UserError: model, batch and training split do not fit together.
        """
        self.model, self.seed = config.model, config.seed
        self.vocab_size, self.eot = codec.vocab_size, codec.eot
        self.training = training = SimpleNamespace(**vars(config.training))
        self.windows = Windows(tokens, training, self.model.context, self.seed, self.eot)
        training.batch_tokens = self.windows.rows * self.model.context
        self.steps = total_steps(training, self.windows)
        self.tokens = self.windows.targets(self.steps)
        if training.weight_decay == "auto":
            parameters = count_parameters(self.model, self.vocab_size)
            training.weight_decay = power_laws.weight_decay(training.lr, self.steps, self.tokens, parameters)
        self.eval_every = training.eval_every or math.ceil(self.steps / 10)
        self.row_every = math.ceil(self.steps / ROWS_OF_METRICS)
        self.micro_rows = micro_batch_rows(
            self.model, self.vocab_size, training.micro_batch, self.windows.rows, processes
        )
        rows = micro_batch_rows(self.model, self.vocab_size, training.micro_batch, self.windows.rows)
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
        return step == self.steps or is_due(every, step, self.windows.steps_per_epoch)
