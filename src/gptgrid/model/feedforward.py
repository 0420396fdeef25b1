"""The feed-forward sublayer: up, a nonlinearity, down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from gptgrid.artifact.variants import Variants
from gptgrid.model.linear import Linear

if TYPE_CHECKING:
    from gptgrid.config.models import Model


def squared_relu(x: Tensor) -> Tensor:
    """Return max(0, x)² (So et al. 2021, Primer)."""
    return functional.relu(x).square()


def swiglu(x: Tensor) -> Tensor:
    """Return silu(gate) · up for the two halves of the last axis (Shazeer 2020)."""
    gate, up = x.chunk(2, dim=-1)
    return functional.silu(gate) * up


@dataclass(frozen=True)
class Activation:
    """A nonlinearity, and what the layers around it need to know about it."""

    function: Callable[[Tensor], Tensor]
    """(…, d_ff) → (…, d_ff); a gated one takes (…, 2 d_ff)."""
    saved: int
    """Vectors of the width d_ff that each token keeps for the backward pass."""
    gated: bool = False


ACTIVATIONS = Variants(
    {
        "gelu": Activation(functional.gelu, saved=2),
        "gelu_tanh": Activation(partial(functional.gelu, approximate="tanh"), saved=2),
        "relu": Activation(torch.relu, saved=1),
        "relu2": Activation(squared_relu, saved=2),
        "swiglu": Activation(swiglu, saved=4, gated=True),
    }
)
"""`activation` of a model → the nonlinearity."""


class FeedForward(nn.Module):
    """Two matrices around a nonlinearity; three, of which two are one, if it is gated."""

    def __init__(self, config: Model) -> None:
        super().__init__()
        activation = ACTIVATIONS[config.activation]
        self.up = Linear(config.d_model, config.d_ff * (1 + activation.gated), bias=config.bias)
        self.down = Linear(config.d_ff, config.d_model, bias=config.bias)
        self.activation = activation.function

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (…, d_model) position by position."""
        hidden = self.activation(self.up(x))  # (…, d_ff)
        return self.down(hidden)  # (…, d_model)
