"""The optimizers of a recipe: which parameter gets which update, learning rate and decay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from gptgrid.model.parametrization import is_hidden, lr_scale, muon_lr_scale

FUSED = ("cpu", "cuda", "mps")
"""Devices on which torch updates all parameters in one kernel."""


def build_optimizers(
    weights: dict[str, nn.Parameter], model: SimpleNamespace, training: SimpleNamespace
) -> list[torch.optim.Optimizer]:
    """Return AdamW over all weights, or Muon over the matrices inside the blocks and AdamW over the rest.

    Each group has an `lr_scale`, by which the learning rate of the schedule is multiplied.

    Args:
        weights: name → parameter.
        model: the architecture.
        training: the recipe, its weight_decay a number.
    """
    hidden = {name: weight for name, weight in weights.items() if is_hidden(name, weight)}
    muon = hidden if training.optimizer == "muon" else {}
    adamw = {name: weight for name, weight in weights.items() if name not in muon}
    device = next(iter(weights.values())).device.type
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            groups(adamw, training.weight_decay, partial(lr_scale, model)),
            lr=training.lr,
            betas=tuple(training.betas),
            eps=training.eps,
            fused=device in FUSED,
        )
    ]
    if muon:
        optimizers.append(
            torch.optim.Muon(
                groups(muon, training.weight_decay, partial(muon_lr_scale, model)),
                lr=training.lr,
                momentum=training.momentum,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    check_groups(optimizers, weights)
    return optimizers


def groups(
    weights: dict[str, nn.Parameter], weight_decay: float, scale_of: Callable[[str, Tensor], float]
) -> list[dict]:
    """Return parameter groups by decay and learning rate: biases and gains of norms do not decay.

    Decay is multiplied by the learning rate in the update, hence divided by its scale: a parameter shrinks
    by the same share at each width.
    """
    found: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, weight in weights.items():
        found.setdefault((weight.ndim >= 2, scale_of(name, weight)), []).append(weight)
    return [
        {"params": params, "weight_decay": weight_decay / scale if decays else 0.0, "lr_scale": scale}
        for (decays, scale), params in found.items()
    ]


def check_groups(optimizers: list[torch.optim.Optimizer], weights: dict[str, nn.Parameter]) -> None:
    """Assert that each parameter is in exactly one group; a tied matrix is one parameter."""
    grouped = [id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted({id(p) for p in weights.values()}), (
        "a parameter is in no group or in two"
    )
