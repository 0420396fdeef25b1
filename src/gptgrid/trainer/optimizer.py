"""The optimizers of a recipe: which parameter gets which update, learning rate and decay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from gptgrid.artifact.variants import Variants
from gptgrid.model.parametrization import is_hidden, lr_scale, muon_lr_scale
from gptgrid.trainer.weights import joined

FUSED = ("cpu", "cuda", "mps")
"""Devices on which torch updates all parameters in one kernel."""


def adamw(
    weights: dict[str, nn.Parameter], model: SimpleNamespace, training: SimpleNamespace
) -> list[torch.optim.Optimizer]:
    """Return AdamW (Loshchilov and Hutter 2019) over all weights."""
    device = next(iter(weights.values())).device.type
    return [
        torch.optim.AdamW(
            groups(weights, training.weight_decay, partial(lr_scale, model)),
            lr=training.lr,
            betas=tuple(training.betas),
            eps=training.eps,
            fused=device in FUSED,
        )
    ]


def muon(
    weights: dict[str, nn.Parameter], model: SimpleNamespace, training: SimpleNamespace
) -> list[torch.optim.Optimizer]:
    """Return AdamW over embeddings and vectors, and Muon (Jordan et al. 2024) over the matrices inside the
    blocks, with updates as large as AdamW's (Liu et al. 2025)."""
    hidden = {name: weight for name, weight in weights.items() if is_hidden(name, weight)}
    others = {name: weight for name, weight in weights.items() if name not in hidden}
    return [
        *(adamw(others, model, training) if others else []),  # adapters are all matrices
        torch.optim.Muon(
            groups(hidden, training.weight_decay, partial(muon_lr_scale, model)),
            lr=training.lr,
            momentum=training.momentum,
            adjust_lr_fn="match_rms_adamw",
        ),
    ]


OPTIMIZERS = Variants({"adamw": adamw, "muon": muon})
"""`optimizer` of a recipe → what makes its optimizers."""


def build_optimizers(
    weights: dict[str, nn.Parameter], model: SimpleNamespace, training: SimpleNamespace
) -> list[torch.optim.Optimizer]:
    """Return the optimizers of a recipe: each weight is in one group of one of them.

    Each group has an `lr_scale`, by which the learning rate of the schedule is multiplied.

    Args:
        weights: name → parameter.
        model: the architecture.
        training: the recipe, its weight_decay a number.
    """
    optimizers = OPTIMIZERS[training.optimizer](weights, model, training)
    check_groups(optimizers, weights)
    return optimizers


def groups(
    weights: dict[str, nn.Parameter], weight_decay: float, scale_of: Callable[[str, Tensor], float]
) -> list[dict]:
    """Return parameter groups by decay and learning rate: biases and gains of norms do not decay.

    Decay is multiplied by the learning rate in the update, hence divided by its scale: a parameter shrinks
    by the same share at each width.
    """
    alike: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, weight in weights.items():
        alike.setdefault((weight.ndim >= 2, scale_of(name, weight)), []).append(weight)
    return [
        {"params": params, "weight_decay": weight_decay / scale if decays else 0.0, "lr_scale": scale}
        for (decays, scale), params in alike.items()
    ]


def join_groups(optimizers: list[torch.optim.Optimizer]) -> None:
    """Let each group of AdamW be one parameter, so that each step has few kernels; see `weights.joined`."""
    for optimizer in optimizers:
        if isinstance(optimizer, torch.optim.AdamW):
            for group in optimizer.param_groups:
                group["params"] = [joined(group["params"])]


def check_groups(optimizers: list[torch.optim.Optimizer], weights: dict[str, nn.Parameter]) -> None:
    """Assert that each parameter is in exactly one group; a tied matrix is one parameter."""
    grouped = [id(p) for p in parameters_of(optimizers)]
    assert sorted(grouped) == sorted({id(p) for p in weights.values()}), (
        "a parameter is in no group or in two"
    )


def parameters_of(optimizers: list[torch.optim.Optimizer]) -> list[nn.Parameter]:
    """Return what optimizers update, in their order."""
    return [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]


def clip_gradient(parameters: list[nn.Parameter], limit: float) -> Tensor:
    """Scale the gradient down to a norm; return its norm before, a scalar on the device.

    Args:
        parameters: whose gradients are one.
        limit: the largest norm.
    """
    norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters])
    # To ask a GPU for the norm would be to wait for it; there the gradient is multiplied by 1.
    if norm.device.type != "cpu" or not norm < limit:
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
    return norm
