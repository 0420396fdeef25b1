"""First weights: from the seed and the parameter's name alone, the same on every device."""

from __future__ import annotations

import math

import torch
from torch import nn

from gptgrid.seeds import derive

INTO_RESIDUAL = ("attention.output.weight", "feed_forward.down.weight", "out_proj.weight", "linear2.weight")
"""Ends of the names of matrices that write into the residual stream."""


@torch.no_grad()
def initialize(module: nn.Module, seed: int) -> None:
    """Set all weights in place: normal for matrices and embeddings, 1 for gains, 0 for biases.

    What writes into the residual stream is divided by √(2 n_layer), so that the stream's variance does not
    grow with depth (Radford et al. 2019). Each parameter has a random stream of its own, and the global one
    is not touched.
    """
    config = module.config
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            std = config.init_std
            if name.endswith(INTO_RESIDUAL):
                std /= math.sqrt(2 * config.n_layer)
            generator = torch.Generator().manual_seed(derive(seed, f"initialization/{name}"))
            parameter.copy_(torch.empty(parameter.shape).normal_(0.0, std, generator=generator))
        else:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
