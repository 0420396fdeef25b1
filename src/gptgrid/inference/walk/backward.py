"""The way back: gradients of the loss, and one step of an optimizer that lowers it."""

from __future__ import annotations

import math
from copy import deepcopy
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from gptgrid.inference.walk.record import record
from gptgrid.inference.walk.step import Step, Table
from gptgrid.inference.walk.walk import Walk
from gptgrid.trainer.optimizer import build_optimizers, clip_gradient

PARAMETERS_SHOWN = 10
PLAIN_RATE = 0.1
"""Learning rate of gradient descent, where a cell has no recipe."""
TRIES = 8
"""How often the rate is divided by ten before one gives up."""


def backward_steps(walk: Walk, training: SimpleNamespace | None) -> list[Step]:
    """Return the steps back through a copy of the model; the model itself stays as it is.

    Args:
        walk: of the forward pass.
        training: the recipe of the cell, None if it has none.
    """
    module = deepcopy(walk.module).requires_grad_(True)
    recording = record(module, walk.recording.ids)
    recording.loss.backward()
    parameters = dict(module.named_parameters())
    gradients = gradients_step(walk, parameters)
    if training:
        clip_gradient(list(parameters.values()), training.grad_clip or math.inf)
    return [gradients, update_step(walk, module, training)]


def gradients_step(walk: Walk, parameters: dict[str, nn.Parameter]) -> Step:
    """Return the step of back-propagation."""
    ordered = sorted(parameters.items(), key=lambda item: -float(item[1].grad.norm()))
    rows = [
        (
            name,
            [
                " × ".join(map(str, weight.shape)),
                float(weight.detach().norm()),
                float(weight.grad.norm()),
                float(weight.grad.abs().max()),
            ],
        )
        for name, weight in ordered[:PARAMETERS_SHOWN]
    ]
    labels = ("parameter_shape", "tensor_norm", "gradient_norm", "largest")
    table = Table(walk.label("parameter"), [walk.label(name) for name in labels], rows)
    return walk.step(
        "gradients",
        formula=walk.formula("gradients"),
        tables=[table],
        parameters=f"{sum(weight.numel() for weight in parameters.values()):,}",
        norm=float(torch.nn.utils.get_total_norm([weight.grad for weight in parameters.values()])),
    )


def update_step(walk: Walk, module: nn.Module, training: SimpleNamespace | None) -> Step:
    """Return the step of the optimizer, at the first rate that lowers the loss: its own, a tenth of it, …"""
    weights = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    before = float(walk.recording.loss)
    first = rate = training.lr if training else PLAIN_RATE
    for _ in range(TRIES):
        take_step(module, training, rate)
        after = loss_of(module, walk.recording.ids)
        if after < before:
            break
        restore(module, weights)
        rate /= 10
    else:
        rate, after = rate * 10, before
    about = ["recipe" if training else "plain"]
    if after == before:
        about.append("none")
    elif rate < first:
        about.append("smaller")
    kind = training.optimizer if training else "sgd"
    return walk.step(
        "update",
        formula=walk.formula(kind),
        name={"adamw": "AdamW", "muon": "Muon", "sgd": "SGD"}[kind],
        before=before,
        after=after,
        about=" ".join(walk.words(f"steps.update.{name}", rate=rate, first=first) for name in about),
    )


def take_step(module: nn.Module, training: SimpleNamespace | None, rate: float) -> None:
    """Update the weights once by their gradients."""
    if training is None:
        torch.optim.SGD(module.parameters(), lr=rate).step()
        return
    for optimizer in build_optimizers(dict(module.named_parameters()), module.config, training):
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        optimizer.step()


@torch.no_grad()
def restore(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Set the weights back."""
    for name, weight in module.named_parameters():
        weight.copy_(weights[name])


@torch.no_grad()
def loss_of(module: nn.Module, ids: list[int]) -> float:
    """Return the mean loss of a text in nats."""
    return float(record(module, ids).loss)
