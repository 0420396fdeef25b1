"""A model that is being trained: its weights, their average, and what updates them by one batch.

It knows of one step only. Which batch comes when, and what is due between steps, is the trainer's business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptgrid.model.precision import autocast
from gptgrid.seeds import derive
from gptgrid.trainer.batches import UNSCORED
from gptgrid.trainer.memory import recompute_activations
from gptgrid.trainer.optimizer import build_optimizers, clip_gradient, join_groups, parameters_of
from gptgrid.trainer.ranks import Ranks
from gptgrid.trainer.recipe import Recipe
from gptgrid.trainer.weights import Weights, update_average


class Learner:
    """Weights, optimizers, the loss scaler of fp16, and the moving average that `ema` asks for."""

    def __init__(
        self, recipe: Recipe, module: nn.Module, device: torch.device, precision: str, recompute: bool
    ) -> None:
        """Take a model.

        Args:
            recipe: of the training.
            module: the model with its first weights; what of them does not learn has no `requires_grad`.
            device: where it computes.
            precision: what it computes in; not `auto`.
            recompute: compute activations again in the backward pass in place of keeping them.
        """
        self.recipe, self.device, self.precision = recipe, device, precision
        self.module = module.to(device).train()
        if recompute:
            recompute_activations(self.module)
        self.weights = Weights(self.module, precision)
        self.optimizers = build_optimizers(self.weights.master, recipe.model, recipe.training)
        join_groups(self.optimizers)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self.average = self.weights.copy() if recipe.training.ema else None
        self.logits: Callable[..., Tensor] = self.module
        """Computes logits in training: the module, or what is faster."""

    def accumulate_gradients(
        self, inputs: Tensor, targets: Tensor, step: int, ranks: Ranks, documents: Tensor | None = None
    ) -> Tensor:
        """Add the gradients of this process's micro-batches; return their part of the batch's mean loss.

        Args:
            inputs: (rows, context) int64, the whole batch.
            targets: (rows, context) int64, UNSCORED where padded.
            step: updates made before.
            ranks: the processes that share the batch.
            documents: (rows, context) numbers of documents that do not see each other; None: as the model
                sees a text.
        """
        rows = self.recipe.micro_rows
        scored, loss = int((targets != UNSCORED).sum()), torch.zeros((), device=self.device)
        numbers = repeat(None) if documents is None else documents.split(rows)
        micro_batches = zip(inputs.split(rows), targets.split(rows), numbers, strict=False)
        for number, micro_batch in ranks.share(enumerate(micro_batches)):
            if self.recipe.draws:
                torch.manual_seed(derive(self.recipe.seed, f"dropout/{number}", step))
            # Weighted by what it scores, so that the gradient is that of the batch, however it is cut.
            part = self.nats(*micro_batch) / scored
            self.scaler.scale(part).backward()
            self.weights.collect_gradients()
            loss += part.detach()
        return loss

    def nats(self, inputs: Tensor, targets: Tensor, documents: Tensor | None = None) -> Tensor:
        """Return the summed cross-entropy of the scored targets: a scalar, fp32, on the device.

        Arguments are as those of `accumulate_gradients`.
        """
        inputs = inputs.to(self.device, non_blocking=True)  # (rows, time)
        targets = targets.to(self.device, non_blocking=True)  # (rows, time)
        separate = {} if documents is None else {"documents": documents.to(self.device, non_blocking=True)}
        with autocast(self.precision, self.device):
            logits = self.logits(inputs, **separate)  # (rows, time, vocab_size)
        return functional.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=UNSCORED, reduction="sum"
        )

    def update(self, step: int) -> Tensor:
        """Clip the gradient and apply it; return its norm before clipping, a scalar on the device.

        Args:
            step: updates made before.
        """
        training = self.recipe.training
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        grad_norm = clip_gradient(parameters_of(self.optimizers), training.grad_clip or math.inf)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate(step) * group["lr_scale"]
            self.scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=False)
        self.scaler.update()
        self.weights.round_into_module()
        if self.average:
            update_average(self.average, self.weights.master, training.ema, step)
        return grad_norm

    def kept_weights(self) -> dict[str, Tensor]:
        """Return the weights that are validated and kept: the average if there is one, else the last."""
        return self.average or dict(self.weights.master)

    @contextmanager
    def evaluating(self, weights: dict[str, Tensor] | None = None) -> Iterator[None]:
        """Compute without dropout inside, with the weights that are kept, or with others."""
        self.module.eval()
        try:
            with self.weights.replaced(weights or self.average):
                yield
        finally:
            self.module.train()

    def state(self) -> dict[str, Any]:
        """Return what the next update depends on. Tensors are the live ones, not copies."""
        return {
            "model": dict(self.weights.master),
            "average": self.average,
            "optimizers": [optimizer.state_dict()["state"] for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a stored state. Hyperparameters come from the recipe, so that a continuation has its own."""
        self.weights.load(state["model"])
        for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": stored, "param_groups": groups})
        if state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        # After a parent without an average, one begins with its last weights.
        average = (state["average"] or state["model"]) if self.recipe.training.ema else {}
        self.average = {name: weight.to(self.device, copy=True) for name, weight in average.items()} or None
