"""The optimizer of a recipe and what it decays."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

FUSED = ("cpu", "cuda", "mps")
"""Devices on which torch updates all parameters in one kernel."""


def build_optimizer(module: nn.Module, training: SimpleNamespace) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov and Hutter 2019) over decay groups, fused where the device can."""
    device = next(module.parameters()).device.type
    return torch.optim.AdamW(
        decay_groups(module, training.weight_decay),
        lr=training.lr,
        betas=tuple(training.betas),
        eps=training.eps,
        fused=device in FUSED,
    )


def decay_groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """Return parameter groups: matrices and embeddings decay, biases and gains of norms do not.

    A tied matrix is one parameter and stands once.
    """
    parameters = list(module.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted({id(p) for p in parameters}), "a parameter is in no group or in two"
    return [group for group in groups if group["params"]]
