"""The feed-forward sublayer: up, a nonlinearity, down."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from gptgrid.config.models import Model


def squared_relu(x: Tensor) -> Tensor:
    """Return max(0, x)² (So et al. 2021, Primer)."""
    return functional.relu(x).square()


def swiglu(x: Tensor) -> Tensor:
    """Return silu(gate) · up for the two halves of the last axis (Shazeer 2020)."""
    gate, up = x.chunk(2, dim=-1)
    return functional.silu(gate) * up


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "relu": torch.relu,
    "relu2": squared_relu,
    "swiglu": swiglu,
}


class FeedForward(nn.Module):
    """Two matrices around a nonlinearity; three, of which two are one, if it is gated."""

    def __init__(self, config: Model) -> None:
        super().__init__()
        width = 2 * config.d_ff if config.activation == "swiglu" else config.d_ff
        self.up = nn.Linear(config.d_model, width, bias=config.bias)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=config.bias)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (batch, time, d_model) position by position."""
        return self.down(self.activation(self.up(x)))
